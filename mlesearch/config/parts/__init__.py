"""From settings to the parts of a run: models, budgets, operators, sandboxes, graders, and who keeps what lives long.

Begin with `build` (plain functions, one a part) and `resources` (what a process keeps for its life, and closes at the
end). `sandboxes`, `mlebench`, `virtual` and `plugins` know one kind of part each; `task_prompt` is what a model reads
of a task. May import `settings` of the configuration.
"""
