"""The cassette: calls of models that were recorded once, found again and replayed, by all processes of a study.

May import types, storage and of `mlesearch.models` the protocol, the price and `wrapped`. Begin with `models` (a model
and an embedder behind a cassette), then `cassette` (the store), `keys` (what makes two calls the same call), `answers`
(what is stored of one) and `single_flight` (one call at a time under one key).
"""
