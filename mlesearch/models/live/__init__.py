"""Models and embedders that providers answer, through litellm, or an OpenAI-compatible endpoint.

May import types, storage, `mlesearch.models` itself and its `limits`. Begin with `litellm` (the model) and `embedder`,
then `client` (one way to call, which both stand on). `params` and `keys` read what a model's file says, `retry` tries
again, `errors` says what a provider's error means, `price_map` what litellm knows of prices; `library` loads litellm
and `loop` runs it on one thread a process.
"""
