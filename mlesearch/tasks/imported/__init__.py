"""Results that others published, read from their own files, to be shown beside one's own and never pooled with them.

`read` knows the formats by what is in a file and hands each to its reader: `reports` (grading reports and run groups of
MLE-bench), `table` (a CSV), `summaries` (summary.json of FML-bench, journal.json of AIDE). `seeds` makes complete seeds
of them, `recheck` holds medals against score and table. Begin with `results`.
"""
