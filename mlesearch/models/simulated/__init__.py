"""The simulated engineer: a model with a capability dial that writes real programs, with no key and no network.

May import types, the synthetic tasks, and of `mlesearch.models` the protocol, the price and the format of prompts.
Begin with `engineer` (the model), then `spaces` (what it can build), `truth` (what that is worth) and `beliefs` (what
it thinks that it is worth). `reading` reads prompts, and `evidence` what they say of runs; `programmer` and `judge`
answer them, `bugs` and `chance` make it fallible. See docs/simulation.md.
"""
