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

_STATUS = """\
where a study stands: runs by cell and state, medals so far, USD, workers, failures with their logs, time left

  mlesearch status studies/main
  mlesearch status studies/main --watch            again and again, until nothing is missing; leave it with Ctrl-C
  mlesearch status studies/main --json             all of it as data, paths absolute

Nothing is written, so a study that can only be read is looked at too. A folder within a study will do.

Exit codes: 0 said, whatever became of the runs; 2 there is no study here.
"""
_RESUME = """\
carry out on this machine what is missing of a study that was launched, failed runs among it, and write its report

  mlesearch resume studies/main
  mlesearch resume studies/main --jobs 4
  mlesearch resume studies/main --study-usd 50     with more money, which all workers hear of

Runs and settings are those of the launch. It ends a pause. Ctrl-C lets what is in flight end; twice: at once.

Exit codes: 0 done, or nothing was left; 1 a run failed or is missing; 2 there is no study here, or it can't be changed;
130 stopped.
"""
_COMPARE = """\
which runs of two studies are the same, durations aside, and where the others part: at the first field of the identity
that differs, else at the first event of the journal

  mlesearch compare studies/main studies/again
  mlesearch compare studies/main/sim_02/greedy/base/rentals/seed-0 studies/again/sim_02/greedy/base/rentals/seed-0

Exit codes: 0 all the same; 1 something differs, or there is nothing to compare; 2 these are no two studies or runs.
"""
_PAUSE = """\
have the workers of a study begin nothing new, on whatever machines they are; what is in flight goes on to its end

  mlesearch pause studies/main --why "a new disk at noon"
  mlesearch pause studies/main --off               workers begin runs again; `mlesearch resume` does that too

Workers look every second, and those that start later keep to it.

Exit codes: 0 done; 2 there is no study here, or it can't be changed.
"""
_REQUEUE = """\
have workers that are at work try runs again that failed, were set aside or found no money, on from their journals

  mlesearch requeue studies/main                   all of them
  mlesearch requeue studies/main --class permanent
  mlesearch requeue studies/main sim_02/greedy/base/rentals/seed-0

Where no worker is at work, `mlesearch resume` does the same.

Exit codes: 0 done, or there is none; 2 there is no such run or study, the run did not fail, or the study can't be
changed.
"""
_BUDGET = """\
what a study has spent, what is held for calls in flight, and its limit; --study-usd sets another, heard by all workers

  mlesearch budget studies/main
  mlesearch budget studies/main --study-usd 50

More: runs that found no money go on in workers that are still there. Less than is spent: no further call begins.

Exit codes: 0 done; 2 there is no such study, nobody counts what it spends, or it can't be changed.
"""
_CLEAN = """\
remove of a study what can be made again or says nothing any more: the report, tables, leases of workers that ended

  mlesearch clean studies/main                     lists what would go, and asks
  mlesearch clean studies/main --yes

  mlesearch clean studies/main --pack              finished runs into one file a cell, which all commands read
  mlesearch clean studies/main --unpack            and back into folders

Results, journals and stores are never removed.

Exit codes: 0 done, or there is nothing; 1 you did not agree; 2 somebody works on the study, or it can't be changed.
"""


def add_to(commands: argparse._SubParsersAction[OneLineParser]) -> None:
    """Add the commands."""
    submit_options.add_to(commands)
    work.add_to(commands)

    def add(name: str, what: str, description: str) -> argparse.ArgumentParser:
        raw = argparse.RawDescriptionHelpFormatter
        return commands.add_parser(name, help=what, description=description, formatter_class=raw)

    status = add("status", "where a study stands: runs, medals, workers, failures, time left", _STATUS)
    status.add_argument("study", metavar="STUDY")
    status.add_argument("--watch", action="store_true", help="again and again, until nothing is left or Ctrl-C")
    status.add_argument("--json", action="store_true", help="the same as JSON, one object a look")
    resume = add("resume", "carry out here what is missing of a study, failed runs among it", _RESUME)
    resume.add_argument("study", metavar="STUDY")
    resume.add_argument("--jobs", type=int, metavar="N", help="runs side by side (default: as it was launched)")
    resume.add_argument("--study-usd", type=float, metavar="USD", help="a new budget.study_usd for what is left")
    resume.add_argument("--yes", action="store_true", help="don't ask, whatever it is estimated to cost")
    parting = "where two studies or runs part: the first field of an identity, or event, that differs"
    compare = add("compare", parting, _COMPARE)
    compare.add_argument("study", metavar="A", help="a study's folder, or a run's")
    compare.add_argument("other", metavar="B", help="another of the same kind")
    pause = add("pause", "have the workers of a study begin nothing new, or go on (--off)", _PAUSE)
    pause.add_argument("study", metavar="STUDY")
    pause.add_argument("--off", action="store_true", help="end the pause")
    pause.add_argument("--why", metavar="TEXT", default="", help="what workers and status say (default: by the user)")
    requeue = add("requeue", "have workers try runs again that failed or found no money", _REQUEUE)
    requeue.add_argument("study", metavar="STUDY")
    requeue.add_argument("runs", nargs="*", metavar="RUN", help="as status names them (default: all that failed)")
    requeue.add_argument(
        "--class", dest="error_class", choices=[c for c in get_args(ErrorClass) if c], help="only those that failed so"
    )
    budget = add("budget", "what a study has spent and may; another limit, heard while it runs", _BUDGET)
    budget.add_argument("study", metavar="STUDY")
    budget.add_argument("--study-usd", type=float, metavar="USD", help="a new budget.study_usd, for all its workers")
    clean = add("clean", "remove of a study what can be made again (asks first)", _CLEAN)
    clean.add_argument("study", metavar="STUDY")
    clean.add_argument("--yes", action="store_true", help="don't ask")
    how = clean.add_mutually_exclusive_group()
    how.add_argument("--pack", action="store_true", help="instead: finished runs into one file a cell, to be few files")
    how.add_argument("--unpack", action="store_true", help="instead: packed runs back into folders of their own")


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


def _budget(args: argparse.Namespace) -> int:
    from mlesearch.cli.budget import budget

    return budget(Path(args.study), args.study_usd)


def _clean(args: argparse.Namespace) -> int:
    from mlesearch.cli.clean import clean, pack_runs, unpack_runs

    act = pack_runs if args.pack else unpack_runs if args.unpack else clean
    return act(Path(args.study), yes=args.yes)


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
    ("budget",): _budget,
    ("clean",): _clean,
    ("collect",): _collect,
    ("report",): _report,
    ("recheck",): _recheck,
}
"""What each of them does."""
