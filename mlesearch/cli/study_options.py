"""The grammar of commands about a study that was launched, and the way to what they do, imported only to be done."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from mlesearch.cli import submit_options, work
from mlesearch.cli.terminal import shown
from mlesearch.storage.worker_files import ErrorClass
from mlesearch.study.output import complain, say

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
    resume = commands.add_parser("resume", help="carry out here what is missing of a study, failed runs among it")
    resume.add_argument("study", metavar="STUDY")
    resume.add_argument("--jobs", type=int, metavar="N", help="runs side by side (default: as it was launched)")
    resume.add_argument("--study-usd", type=float, metavar="USD", help="a new budget.study_usd for what is left")
    resume.add_argument("--yes", action="store_true", help="don't ask, whatever it is estimated to cost")
    compare = commands.add_parser(
        "compare", help="where two studies or runs part: the first field of an identity, or event, that differs"
    )
    compare.add_argument("study", metavar="A", help="a study's folder, or a run's")
    compare.add_argument("other", metavar="B", help="another of the same kind")
    pause = commands.add_parser("pause", help="have the workers of a study begin nothing new, or go on (--off)")
    pause.add_argument("study", metavar="STUDY")
    pause.add_argument("--off", action="store_true", help="end the pause")
    pause.add_argument("--why", metavar="TEXT", default="paused by the user", help="what workers and status say")
    requeue = commands.add_parser("requeue", help="have workers try runs again that failed or found no money")
    requeue.add_argument("study", metavar="STUDY")
    requeue.add_argument("runs", nargs="*", metavar="RUN", help="as status names them (default: all that failed)")
    requeue.add_argument(
        "--class", dest="error_class", choices=[c for c in get_args(ErrorClass) if c], help="only those that failed so"
    )
    clean = commands.add_parser("clean", help="remove of a study what can be made again (asks first)")
    clean.add_argument("study", metavar="STUDY")
    clean.add_argument("--yes", action="store_true", help="don't ask")


def _status(args: argparse.Namespace) -> int:
    from mlesearch.cli.status import status

    return status(Path(args.study), watch=args.watch, as_json=args.json)


def _resume(args: argparse.Namespace) -> int:
    from mlesearch.cli.resume import resume

    return resume(Path(args.study), args.jobs, args.study_usd, yes=args.yes)


def _compare(args: argparse.Namespace) -> int:
    from mlesearch.cli.compare import say_comparison

    return say_comparison(Path(args.study), Path(args.other))


def _pause(args: argparse.Namespace) -> int:
    from mlesearch.cli.requests import pause

    return pause(Path(args.study), args.why, over=args.off)


def _requeue(args: argparse.Namespace) -> int:
    from mlesearch.cli.requests import requeue

    return requeue(Path(args.study), args.runs, args.error_class)


def _clean(args: argparse.Namespace) -> int:
    from mlesearch.cli.clean import clean

    return clean(Path(args.study), yes=args.yes)


def _collect(args: argparse.Namespace) -> int:
    """Write the tables."""
    from mlesearch.study.tables.collect import collect as write

    folder = write(Path(args.study))
    say("\n".join(shown(folder / f"{name}.parquet") for name in ("runs", "nodes", "calls")))
    return 0


def _report(args: argparse.Namespace) -> int:
    """Write the tables and the report."""
    from mlesearch.cli.report import write_report

    out = Path(args.out) if args.out else None
    say(write_report(Path(args.study), out, missing=args.missing, figures=args.figures, tex=args.tex))
    return 0


def _recheck(args: argparse.Namespace) -> int:
    """Compute a report's numbers again, and compare."""
    from mlesearch.analysis.recheck import recheck as found_again

    found = found_again(Path(args.page), Path(args.study) if args.study else None, redraw=args.redraw)
    if found.differs:
        complain(f"differs: {found.differs}")
        return 1
    figures = "drawn again" if found.drawn else "by their digests; --redraw draws them again"
    say(f"same: {found.numbers} texts with numbers, {found.figures} figures ({figures}), all tables beside the page")
    return 0


COMMANDS: Mapping[tuple[str, ...], Callable[[argparse.Namespace], int]] = {
    ("submit",): submit_options.submit,
    ("work",): work.work,
    ("status",): _status,
    ("resume",): _resume,
    ("compare",): _compare,
    ("pause",): _pause,
    ("requeue",): _requeue,
    ("clean",): _clean,
    ("collect",): _collect,
    ("report",): _report,
    ("recheck",): _recheck,
}
"""What each of them does."""
