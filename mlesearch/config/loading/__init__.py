"""Settings from where they were written: overrides and files by Hydra's rules, or plain data without Hydra.

Begin with `compose`, which makes launches of overrides (with `cells`, all that knows Hydra), or with `plain`, by which
the Python interface and recorded studies come in. May import `catalogue`, `settings` and `overrides` of the
configuration.
"""
