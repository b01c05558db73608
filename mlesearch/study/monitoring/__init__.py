"""Where a study stands, and what is shown and told of it: everything is read from the disk, nothing is changed.

Begin with `status` (a study found out; `standing` is what is known then, as data) for a look from outside, and with
`watching` for a launch that looks at its own runs: `progress` shows it, with `waiting` on calls. `notices` tell the
user's command. May import `runs` and `work_list` of the study, and its `output`.
"""
