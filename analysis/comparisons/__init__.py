"""Strategies against each other in one study, with their verdicts.

Begin with `comparison`: a treatment against a baseline over all models. `assumptions`, `lost_cases` and `sandboxes` say
what its verdicts depend on; `leaders`, `ablation`, `robust` and `pareto` are further comparisons. May import `data`,
`statistics` and `measures` of the analysis.
"""
