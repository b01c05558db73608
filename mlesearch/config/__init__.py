"""From settings to runs: composed, checked as a whole, planned, and made into the parts of an engine.

It may import everything below the engine, and the engine; of Hydra, `compose` alone knows, and nothing here needs it.
Begin with `settings` (what may be said), then `plan` (what a launch will run), `resources` (what a process keeps, and
who closes it) and `assemble` (one run's engine).
"""
