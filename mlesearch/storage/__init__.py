"""What is kept: journals, blobs, the files and tables of a study, the keyed stores; how each is written and read.

Imports `mlesearch.types` alone, and nothing heavy: the analysis stands on it too. An event of a run is declared in
`events`, a file of a study in `documents`, a column of its tables in `columns`; `journal` is the log that a run is
resumed from, `layout` says where everything lies, `store` keeps recorded calls and executions. Begin with `layout`.
"""
