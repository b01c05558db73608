"""What is measured of runs: boards of medals, outcomes beyond medals, what runs did, spent, and came to.

Begin with `boards` (medals), `measured` (all that is beyond them) or `accounts` (mechanism, cost and failures). Nothing
here compares strategies for a verdict: see `mlesearch.analysis.comparisons`. May import `data` and `statistics` of the
analysis.
"""
