"""The cassette: calls of models that were recorded once, found again and replayed, by all processes of a study.

Begin with `models` (a model and an embedder behind a cassette), then `cassette` (the store), `keys` (what makes a call
the same call), `answers` (what is stored of it) and `single_flight` (one call at a time under one key). Imports of
`mlesearch.models` the protocol, the price and what wraps a model; beside it only storage and types.
"""
