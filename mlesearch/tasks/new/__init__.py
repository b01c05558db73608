"""A task folder from one table: what `mlesearch tasks new` does, but for the printing and the board.

Imports `mlesearch.types` and modules of `mlesearch.tasks`. Begin with `make` (the request, and what becomes of it);
`table` reads a file of unknown make, `numbers`, `dates` and `kinds` say what its columns are, `targets` whether the
metric fits, `leaking` which column tells the answer, `splits` which row goes where, `describe` writes what the agent
reads, and `pipelines` are the programs of a board.
"""
