"""The grammar of `mlesearch solve`, and the way to what it does, which is imported only to be done."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlesearch.cli.usage import OneLineParser

_HELP = """\
search on data without answers (a live competition, a customer's data), and keep the best submission in a file

  mlesearch solve data --description task.md --metric auc --time 2h --model gpt-5 --out submission.csv
  mlesearch solve data --description task.md --metric "pinball loss" --direction minimize --steps 20 ...
  mlesearch solve data ... --out submission.csv budget.cost_usd=5 sandbox.memory_gib=16

FOLDER holds what programs read, a sample submission among it. At every improvement the best valid submission replaces
--out as a whole, and the program that made it lies beside it (submission.py): a kill at any moment leaves a valid file.
The same command goes on where it stood; nothing that was paid for is paid for again.
"""


def add_to(commands: argparse._SubParsersAction[OneLineParser]) -> None:
    """Add the command."""
    solve = commands.add_parser(
        "solve",
        help="search on data without answers, and keep the best submission in a file",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = solve.add_argument
    add("folder", metavar="FOLDER", help="the data that programs read, with a sample submission")
    add("--out", metavar="FILE", required=True, help="the best submission so far; its program goes beside it")
    add("--model", metavar="NAME", required=True, help="one of `mlesearch models`")
    add("--description", metavar="FILE", help="what the agent reads (default: description.md in FOLDER)")
    add("--metric", metavar="NAME", help="accuracy, auc, rmse, ...; or another in words, with --direction")
    add("--direction", metavar="WAY", help="maximize or minimize, where the metric is none of the named ones")
    add("--sample", metavar="FILE", help="the sample submission in FOLDER (default: sample_submission.csv)")
    add("--time", metavar="TIME", help="of calls and programs, and of this process, as 2h, 90m or 1h30m")
    add("--steps", metavar="N", type=int, help="programs, at most")
    add("--strategy", metavar="NAME", default="greedy", help="one of `mlesearch strategies` (default: greedy)")
    add("--sandbox", metavar="RUNG", default="auto", help="where programs run (default: auto)")
    add("--study", metavar="FOLDER", help="where the search is kept (default: beside --out, NAME-study)")
    add("--modality", metavar="KIND", help="tabular, image, text or audio: which advice prompts hold")
    add("--group", metavar="COLUMN", help="rows with one value here stay on one side of every fold")
    add("--competition", metavar="ID", help="of MLE-bench: takes its metric, direction and modality")
    add("--validate", metavar="URL", help="a grading server that says what is valid, in place of the sample")
    add("--seed", metavar="N", type=int, default=0, help="of the search (default: 0)")
    add("--yes", action="store_true", help="don't ask, whatever it is estimated to cost")
    add("overrides", nargs="*", metavar="KEY=VALUE", help="other settings, as of `mlesearch run`")


def solve(args: argparse.Namespace) -> int:
    """Search on data without answers."""
    from mlesearch.cli.solve import solve as search

    return search(args)
