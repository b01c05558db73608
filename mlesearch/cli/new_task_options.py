"""The grammar of `mlesearch tasks new`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlesearch.cli.usage import OneLineParser

_HELP = """\
a task's folder from one table: description, split, answers, sample submission, and a preflight that it passes

  mlesearch tasks new --from churn.csv --target churned --metric auc
  mlesearch tasks new --from visits.csv --target ill --metric auc --group patient
  mlesearch tasks new --from sales.csv --target sold --metric rmsle --time day --board

The folder goes to tasks/NAME here (--out names another), so that `mlesearch run "tasks=[NAME]"` finds it. What the
table was taken for is said. What makes no good task is refused with what to do, and then nothing is written.
"""


def add_to(tasks: argparse._SubParsersAction[OneLineParser]) -> None:
    """Add the action `new` to those of `mlesearch tasks`."""
    new = tasks.add_parser(
        "new",
        help="make a task's folder from a table",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = new.add_argument
    add("--from", dest="table", metavar="FILE", required=True, help="a CSV; delimiter and encoding are found out")
    add("--target", metavar="COLUMN", required=True, action="append", help="what to predict; several: a,b")
    add("--metric", metavar="NAME", required=True, help="accuracy, macro_f1, auc, log_loss, rmse, rmsle, mae, ...")
    add("--out", metavar="FOLDER", help="where the task goes (default: tasks/NAME, NAME that of the file)")
    split = new.add_mutually_exclusive_group()
    split.add_argument("--group", metavar="COLUMN", help="rows with one value here stay on one side of the split")
    split.add_argument("--time", metavar="COLUMN", help="the last rows by this column are the test")
    add("--text", metavar="COLUMN", action="append", default=[], help="it is free text")
    add("--id", metavar="COLUMN", help="unique keys (default: a column named id, else new ones)")
    add("--drop", metavar="COLUMN", action="append", default=[], help="leave it out")
    add("--keep", metavar="COLUMN", action="append", default=[], help="let it stay although it tells the target")
    add("--drop-missing", action="store_true", help="leave out rows without target, group or time")
    add("--drop-rare", action="store_true", help="leave out classes that are too rare to be split")
    add("--drop-duplicates", action="store_true", help="leave out rows that repeat an earlier one")
    add("--positive", metavar="LABEL", help="of two classes, the one whose probability is predicted")
    add("--test-share", metavar="SHARE", type=float, default=0.25, help="of all rows (default: 0.25)")
    add("--validation-share", metavar="SHARE", type=float, default=0.2, help="of the other rows (default: 0.2)")
    add("--validation", choices=("harness", "reported"), default="harness", help="who computes the validation score")
    add("--seed", metavar="N", type=int, default=0, help="of the split and of the board (default: 0)")
    add("--title", metavar="TEXT", default="", help="of the task")
    add("--encoding", metavar="NAME", help="of the table, where it is not found out")
    add("--delimiter", metavar="CHARACTER", help="between its cells, likewise: one character, or tab, semicolon, ...")
    add("--decimal", metavar="MARK", help="in its numbers, likewise: comma or point")
    add("--board", action="store_true", help="a leaderboard of reference pipelines, executed in the sandbox (minutes)")
    add("--sandbox", metavar="RUNG", default="auto", help="that executes them (default: auto)")
