"""What a study's tables hold, as the analysis computes with it.

Begin with `tables`, which reads them and refuses what can't be used. `schema` types the columns; `codes` and `columns`
make arrays of them; `claim` says what was declared, and which arms, models and outcomes there are; `policies`,
`planned`, `reasons` and `unranked` are about runs without a result, or without a rank. May import
`mlesearch.analysis.text`.
"""
