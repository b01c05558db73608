"""From settings to runs: composed, checked as a whole, planned, and made into the parts of an engine.

It may import everything below the engine, and the engine; of Hydra, `loading` alone knows, and nothing here needs it.
Begin with `settings` (what may be said), then `planning` (what a launch will run), `parts` (what runs are made of; who
keeps and closes it) and `assemble` (one run's engine). `solving` is what a run on data without answers needs outside.
"""
