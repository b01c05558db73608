"""What makes two runs the same run, and whether what is there already is that run.

Begin with `cell`, the identity that the runs of a cell share; `same_run` compares two, and `recorded_tasks` finds the
tasks of a recorded study that are still the same. May import `settings` and `parts` of the configuration.
"""
