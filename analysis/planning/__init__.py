"""Before and during a study: what it can show, what it would cost, and when it may stop.

`spending` has the bounds of a group-sequential test, `conditions` the three statistics of a crossover, `sequential` the
looks at a study, `simulation` the grids on which their errors are measured, `power` what a design can detect. Begin
with `spending`. May import `text`, `data` and `statistics` of the analysis.
"""
