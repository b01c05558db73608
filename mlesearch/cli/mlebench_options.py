"""The grammar of `mlesearch mlebench import`."""

from __future__ import annotations

import argparse

from mlesearch.cli.usage import OneLineParser

INCOMPLETE = ("refuse", "drop", "pad")
"""What is done with seeds that lack a task; the first is the default."""


def add_import(actions: argparse._SubParsersAction[OneLineParser]) -> None:
    """Add the action to the parser of `mlesearch mlebench`."""
    taken = actions.add_parser("import", help="results of others beside one's own: grading reports, CSV, summaries")
    taken.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="grading report, folder of run groups, CSV (model,strategy,task,seed,score,medal), summary.json of "
        "FML-bench, journal.json of AIDE",
    )
    taken.add_argument("--into", metavar="STUDY", help="show them in this study's report, never pooled (default: say)")
    taken.add_argument(
        "--name", metavar="NAME", help="under which they are kept (default: the experiment, else the first file)"
    )
    taken.add_argument("--model", metavar="NAME", help="that these results are of, where the files do not say")
    taken.add_argument("--strategy", metavar="NAME", help="likewise (default: the run groups' common name)")
    taken.add_argument("--experiment", metavar="ID", help="of run_group_experiments.csv, in a folder of several")
    taken.add_argument("--tasks", metavar="NAME", help="suite, competition or file.txt of ids that every seed has")
    taken.add_argument(
        "--incomplete",
        choices=INCOMPLETE,
        default=INCOMPLETE[0],
        help="seeds that lack a task: refuse, drop them, or pad with failures",
    )
