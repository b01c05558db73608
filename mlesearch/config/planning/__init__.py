"""What a launch will run: everything is checked and named before anything is written or paid for.

Begin with `plan`, then `cells` (a cell as it is checked) and `checks` (what is refused of one); `windows`, `preflight`
and `sequential` check prompts, tasks and declared looks. `node_check` looks whether the machine that carries out a
planned run yields it. May import `catalogue`, `settings`, `parts` and `identity` of the configuration.
"""
