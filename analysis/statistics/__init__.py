"""Estimates, intervals and tests: arrays in, numbers out, and nothing of studies, models or strategies.

Begin with `rates` (one rate), `gaps` (two strategies on the same tasks, by `signflip` or t), `capability` and
`crossover` (over models). `dependence`, `leave_out`, `hanging`, `skew` and `dispersion` say what these depend on. Each
says its formula and source, and is described in docs/statistics.md. May import `mlesearch.analysis.data`, of which it
uses the types of arrays.
"""
