"""`mlesearch mlebench ...`: MLE-bench's own package and its reports, here; other actions have files of their own."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

from mlesearch.cli import competitions
from mlesearch.config.parts.mlebench import GraderRequest
from mlesearch.study.output import complain, say
from mlesearch.tasks.mlebench import install as installation
from mlesearch.tasks.mlebench.agent_files import FILES, NAME, write_agent
from mlesearch.tasks.mlebench.interpreter import PYTHON_VARIABLE
from mlesearch.tasks.mlebench.names import PREFIX
from mlesearch.tasks.mlebench.terms import MlebenchTerms


def agent(args: Namespace) -> int:
    """Put the agent's files into a clone, and say how to use them."""
    folder = write_agent(Path(args.repository))
    say(f"made {folder}: {', '.join(FILES)}")
    say("put a wheel of mlesearch beside them, name model and limits in config.yaml, and build and run the agent as")
    say(f"MLE-bench's README says, with --agent-id {NAME}")
    return 0


def install(args: Namespace) -> int:
    """Make an environment with MLE-bench's package, and say what is in it."""
    base = Path(args.base).expanduser().absolute() if args.base else None
    done = installation.install(args.repository, commit=args.commit, base=base, tell=complain)
    hello = done.hello
    say(f"interpreter   {done.python}")
    say(f"commit        {hello.commit or 'not known: no git repository'}")
    say(f"libraries     python {hello.python}, {', '.join(f'{name} {of}' for name, of in hello.versions.items())}")
    say(f"competitions  {len(hello.competitions)}; three submissions that other releases get wrong are graded rightly")
    if done.pointers:
        say(
            f"boards        {done.pointers} of {done.boards} are Git-LFS pointers: medals are by the table of "
            "thresholds of mlesearch, which equals them; for theirs, run git lfs pull there and install again"
        )
    else:
        say(f"boards        {done.boards}, all real")
    say(f"It is used from now on, unless mlebench.python or {PYTHON_VARIABLE} names another one.")
    return 0


def grade(args: Namespace) -> int:
    """Print the official report of a submission: its fields, in its order."""
    competition = args.competition.removeprefix(PREFIX)
    with GraderRequest.of(MlebenchTerms(data_dir=args.data, python=args.python)).open() as graders:
        for line in graders.hello().warnings((competition,)):
            complain(f"warning: {line}")
        report = graders.grade(competition, Path(args.submission))
    say(json.dumps(report.official(), indent=2))
    if report.aligned_score is not None:
        complain(f"note: in the order of the answers and the sample it scores {report.aligned_score:g}")
    if report.ends_batch:
        complain(f"note: MLE-bench's own command would have ended here with {report.ends_batch}")
    if not report.valid_submission:
        complain(f"not valid: {report.reason}")
        return 1
    return 0


def export(args: Namespace) -> int:
    """Write a study as run groups."""
    from mlesearch.cli import mlebench_export  # the libraries of reports take a second to import

    return mlebench_export.export(args)


def take(args: Namespace) -> int:
    """Read results of others."""
    from mlesearch.cli import mlebench_import

    return mlebench_import.take(args)


ACTIONS: Mapping[str, Callable[[Namespace], int]] = {
    "install": install,
    "agent": agent,
    "grade": grade,
    "status": competitions.status_of,
    "prepare": competitions.prepare_all,
    "check": competitions.check_all,
    "export": export,
    "import": take,
}
"""What each action does."""
