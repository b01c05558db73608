"""The page: its sections, and the tables and texts in them.

Begin with `sections`, their order. `views` has the main tables, each `_view` those of one subject; `templates` is the
HTML around them, filled in by `mlesearch.analysis.report`. May import results, words and figures.
"""
