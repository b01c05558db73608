"""A launch: the study's folder made ready, workers started here or elsewhere, and what came of it.

Begin with `launch`. `local` is the worker on this machine as the launch sees it (`worker_process` where it is a process
of its own), `remote` and `backends` start others, `interrupt` hears Ctrl-C and batch systems, and `outcome` reads what
stands on the disk afterwards. May import `runs`, `work_list`, `workers` and `slurm` of the study, and its `output`.
"""
