"""The strategies: each answers `ask` with a proposal and learns from `tell`; it calls nothing and reads no clock.

May import `mlesearch.types` alone, and numpy. Begin with `base`: its docstring is the contract as worked cases.
`random`, `hillclimb`, `greedy` and `adaptive` are a file each, `mcts`, `mcgs`, `evo` and `gome` packages; `native` is
what a published system would show in its prompts. A strategy of your own: docs/adding_a_strategy.md; sources and
deviations: docs/strategies.md.
"""
