"""The grammar of commands about a study that was launched, and the way to what they do, imported only to be done."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlesearch.cli import submit_options, work

if TYPE_CHECKING:
    from mlesearch.cli.usage import OneLineParser


def add_to(commands: argparse._SubParsersAction[OneLineParser]) -> None:
    """Add the commands."""
    submit_options.add_to(commands)
    work.add_to(commands)
    status = commands.add_parser("status", help="where a study stands: runs, medals, workers, failures, time left")
    status.add_argument("study", metavar="STUDY")
    status.add_argument("--watch", action="store_true", help="again and again, until nothing is left or Ctrl-C")
    status.add_argument("--json", action="store_true", help="the same as JSON, one object a look")


def _status(args: argparse.Namespace) -> int:
    from mlesearch.cli.status import status

    return status(Path(args.study), watch=args.watch, as_json=args.json)


COMMANDS: Mapping[tuple[str, ...], Callable[[argparse.Namespace], int]] = {
    ("submit",): submit_options.submit,
    ("work",): work.work,
    ("status",): _status,
}
"""What each of them does."""
