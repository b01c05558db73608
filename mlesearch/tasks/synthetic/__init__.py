"""Synthetic tasks: the programs of a task choose options, and a function of the task's seed scores the choice.

May import the nouns alone. Begin with `world`, what the options of a task are worth; `catalogue` holds the words for
choices and options, `names` says which tasks there are, `folder` writes the folder of one. Only the simulated engineer
can make sense of them: see docs/simulation.md.
"""
