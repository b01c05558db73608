"""Workers of a study as Slurm jobs: chains, in which each job queues the next one before it works.

Begin with `chain` (a chain as it is submitted and ends); `job` is what each of its jobs does, and `commands` are
Slurm's own. May import `monitoring` of the study and its `output`.
"""
