"""The words after a command, as overrides that Hydra takes; Hydra itself is not needed for it.

Begin with `words`, which reads them; `values` has each be what its setting takes, `text` quotes what Hydra would read
as something else, and `explain` says in one line what is wrong. May import `catalogue` and `settings` of the
configuration.
"""
