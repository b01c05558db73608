"""All runs of a study as the three tables that the analysis reads: runs, nodes and calls.

Begin with `collect` (`mlesearch collect`); `collected` keeps what the tables were made from, so that only what changed
is made again, and `run_rows` reads the runs on the disk. May import `runs` of the study, its `output` and its `shares`.
"""
