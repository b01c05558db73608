"""Who answers prompts: live models, an engineer that simulates one, scripted replies; recorded calls; embedders.

May import types, storage, and of tasks the synthetic ones. Begin with `protocol` (what a model is), `price` (what a
call costs) and `registry` (from a name to a model). `live` calls providers, `limits` lets processes keep to rate limits
together, `recorded` is the cassette, `simulated` the engineer with a dial; `scripted` is for tests, `embed` turns texts
into vectors, `markup` is the format of prompts, `wrapped` and `attempt` are what several of them share.
"""
