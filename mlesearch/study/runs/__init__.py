"""One run: carried out to its end, and read from the journal that it left.

Begin with `execute` (a run from wherever it stands; `simulated` does likewise in chunks, on a virtual clock) and `fold`
(its journal folded once), of which `summary` makes rows of the tables. `mechanism`, `reruns`, `program_spread`,
`official_reports` and `unusable` each read one thing of a folded run; `failures` says what helps against one.
May import no other package of the study.
"""
