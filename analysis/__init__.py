"""Tables to claims: reads a study's tables, never the engine.

Begin with `results`, which computes every number once, or with `report`, which writes the page from them. `frames`
gives the numbers as data frames, `terminal` the medal table as plain text, `recheck` computes a report again from its
tables, and `text` is how numbers and lists stand in sentences. The packages, from the tables to the page: `data`,
`statistics`, `measures`, `planning`, `comparisons`, `words`, `figures`, `page`, `files`. May import `mlesearch.types`
and `mlesearch.storage`.
"""
