"""`mlesearch work`: a worker of a launched study on this machine, beside whatever others are at work on it."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlesearch.analysis.text import plural
from mlesearch.types import ConfigError

if TYPE_CHECKING:
    from mlesearch.cli.usage import OneLineParser
    from mlesearch.study.workers.supervisor import WorkEnd

START_AGAIN = 75
"""Exit code: runs are left, and whoever starts workers is to start this one again (EX_TEMPFAIL of sysexits.h)."""

_HELP = f"""\
work on a study that was launched: take runs that nobody has, until none is left

  mlesearch work studies/main                      as many at a time as there are processors
  mlesearch work studies/main --jobs 4 --for 11h30m

Start it as often as you like, on as many machines as share the study's folder: no run is carried out twice, and a run
whose worker died goes on from its journal elsewhere. Ctrl-C or a signal of a batch system lets what is in flight end
(launcher.grace_s).

A paused study is waited for, until `mlesearch pause STUDY --off` or `mlesearch resume STUDY`.

Exit codes: 0 nothing is left, 1 runs failed and none is left, 2 there is no study here, it can't be changed, or this
machine can do none of what is left, {START_AGAIN} runs are left: start it again (its time is over, it was stopped, a
lease was lost, a budget is spent).
"""


def add_to(commands: argparse._SubParsersAction[OneLineParser]) -> None:
    """Add the command."""
    made = commands.add_parser(
        "work",
        help="take runs of a study that was launched, until none is left",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("study", metavar="STUDY")
    made.add_argument("--jobs", type=int, metavar="N", help="runs side by side (default: as it was launched)")
    made.add_argument("--for", dest="time", metavar="TIME", help="begin nothing after so long, as 11h30m")
    made.add_argument("--launch", type=int, metavar="N", help="the list launches/N.jsonl alone (default: all)")


def work(args: argparse.Namespace) -> int:
    """Work on a study until nothing is left that may be done here."""
    from mlesearch.cli.show_study import find_study_to_change
    from mlesearch.cli.terminal import seconds, shown
    from mlesearch.config.parts.resources import ProcessResources
    from mlesearch.storage.machine import processors
    from mlesearch.study.monitoring.progress import describe
    from mlesearch.study.output import complain, say
    from mlesearch.study.runs.execute import RunReport
    from mlesearch.study.workers.work import WorkTerms, ended_before, go_to, runs_to_work_on, work_off

    study = Path(args.study)
    if args.jobs is not None and args.jobs < 1:
        raise ConfigError(f"--jobs: {args.jobs}; a number from 1 on is needed")
    for_s = None if args.time is None else seconds(args.time, "--for")
    study = find_study_to_change(study).absolute()
    place = shown(study)
    runs, launched = runs_to_work_on(study, args.launch)
    go_to(launched)
    before = ended_before(study, runs, complain)
    launcher = launched.runs[0].settings.launcher
    jobs = args.jobs or (processors() if launcher.n_jobs == -1 else launcher.n_jobs)
    terms = WorkTerms(
        jobs, launcher.grace_s, launcher.retries, launcher.min_free_gib, for_s, launch=launched.number, verify=True
    )
    failed = Counter[str]()
    todo = len(runs) - len({*before.done, *before.failed})
    say(f"{place}: {plural(len(runs), 'run')}, {todo:,} of them to do, at most {jobs} at a time")

    def tell(reports: Sequence[RunReport]) -> None:
        for report in reports:
            if report.status == "failed":
                failed[report.reason] += 1
                say(f"{report.run_id}: failed: {report.reason}")
            elif report.status in ("ok", "timeout"):
                say(f"{report.run_id}: {describe(study / report.run_id)}")

    with ProcessResources(complain) as resources:
        end = work_off(study, runs, before, terms, resources, tell, complain)
    code, text = _ended(end)
    complain(text)
    return code


def _ended(end: WorkEnd) -> tuple[int, str]:
    """The exit code of a worker, and why."""
    unfit = sum(end.unfit.values())
    if end.stopped or end.unpaid:
        left = end.left + unfit + end.unpaid
        why = end.stopped or "a budget is spent"
        return START_AGAIN, f"stopped ({why}): {_left(left)}; start it again to go on"
    if unfit:
        verb = "is" if unfit == 1 else "are"
        return 2, f"{plural(unfit, 'run')} {verb} left that this machine can't carry out as listed"
    failed = f"{plural(end.failed, 'run')} failed, and none is left to do"
    return (1, failed) if end.failed else (0, "nothing is left to do")


def _left(pieces: int) -> str:
    verb = "is" if pieces == 1 else "are"
    return f"{plural(pieces, 'piece')} of work {verb} left" if pieces else "no piece of work is left"
