"""Runs on a virtual clock (`clock=virtual`): programs of simulated engineers are looked up, and nothing waits.

Loop, strategies, operators and journal are those of every run. What differs: `table` answers an execution with what the
world says of its pipeline, and scores it; `failures` says how a program with a bug ends; `replies` reads at once what
the engineer wrote; `folder` keeps a run's files in memory, until all of them are put into the store of its cell
(`mlesearch.storage.cell_store`). Begin with `table`. Imports what the engine may.
"""
