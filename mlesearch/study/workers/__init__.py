"""A worker: a supervisor whose slots carry out pieces of work until nothing is left, whatever ends one of them.

Begin with `work` (from a worker's start to its end), then `supervisor` and `slots`; `slot_process` is a slot as its
supervisor has it, `pieces` what it is given, `losses` what is said of one that died, `stopping` when all of it ends,
`disk_room` what it waits for, and `record` what the worker writes of itself. May import `runs`, `work_list` and
`monitoring` of the study, and its `output`.
"""
