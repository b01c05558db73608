"""The command line. Parsing lives here, what commands do in `mlesearch.commands`, which is imported only to run one."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from mlesearch import __version__
from mlesearch.types import ConfigError, MlesearchError

USAGE_ERROR = 2
FAILED = 1
INTERRUPTED = 130

_RUN_HELP = """\
run an experiment by name, or one cell given by overrides

  mlesearch run demo                                   an experiment (see `mlesearch experiments`)
  mlesearch run demo seeds=[0,1,2] budget.steps=12     the same with other values
  mlesearch run model=sim_05 strategy=greedy tasks=[rentals]
  mlesearch run -m model=sim_02,sim_09 strategy=random,gome

All of it is checked before anything runs or is written. A finished run is skipped; a killed one goes on where it
stood. Overrides follow Hydra's grammar; keys are those of the file conf/config.yaml and its groups.
"""


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    p = argparse.ArgumentParser(
        prog="mlesearch",
        description="Compare search paradigms for LLM machine-learning engineers, under one executor.",
    )
    p.add_argument("--version", action="version", version=f"mlesearch {__version__}")
    sub = p.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = sub.add_parser(
        "run",
        help="run an experiment or a cell",
        description=_RUN_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("-m", "--multirun", action="store_true", help="sweep over several values (a,b,c)")
    run.add_argument("--check", action="store_true", help="check everything, run and write nothing")
    run.add_argument("overrides", nargs="*", metavar="EXPERIMENT | KEY=VALUE")

    show = sub.add_parser("show", help="what a run found")
    show.add_argument("run", metavar="RUN", help="a run's folder")
    which = show.add_mutually_exclusive_group()
    which.add_argument("--best", action="store_true", help="the node that was selected (or is best so far)")
    which.add_argument("--node", type=int, metavar="N", help="one node")
    show.add_argument("--code", action="store_true", help="print the program and nothing else")

    verify = sub.add_parser("verify", help="replay a run's journal: does the strategy decide the same again?")
    verify.add_argument("run", metavar="RUN")

    collect = sub.add_parser("collect", help="fold a study into runs, nodes and calls (parquet)")
    collect.add_argument("study", metavar="STUDY")

    report = sub.add_parser("report", help="collect a study and write its report")
    report.add_argument("study", metavar="STUDY")
    report.add_argument("--out", metavar="FILE", help="where the HTML file goes (default: STUDY/report.html)")

    tasks = sub.add_parser("tasks", help="list, check and grade tasks").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    tasks.add_parser("list", help="the tasks that can be asked for by name")
    check = tasks.add_parser("check", help="preflight of a task, by name or folder")
    check.add_argument("task", metavar="TASK")
    grade = tasks.add_parser("grade", help="grade a submission")
    grade.add_argument("task", metavar="TASK")
    grade.add_argument("submission", metavar="FILE")

    models = sub.add_parser("models", help="list models, or check that one answers")
    action = models.add_subparsers(dest="action", metavar="ACTION")
    action.add_parser("list", help="the models that can be asked for by name (also without an action)")
    check_model = action.add_parser("check", help="call a model for one token: does it answer, and if not, why")
    check_model.add_argument("name", nargs="?", metavar="NAME", help="one model (default: every live one)")
    check_model.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="e.g. model.params.api_base=...")

    for name, what in (
        ("strategies", "strategies that can be asked for by name"),
        ("experiments", "experiments that can be run by name"),
    ):
        sub.add_parser(name, help=what)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (0 done, 1 something failed, 2 wrong input, 130 interrupted)."""
    args = parser().parse_args(argv)
    from mlesearch import commands

    try:
        return commands.COMMANDS[args.command](args)
    except ConfigError as e:
        print(f"mlesearch: error: {e}", file=sys.stderr)
        return USAGE_ERROR
    except MlesearchError as e:
        print(f"mlesearch: {e}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as e:
        print(f"mlesearch: {e.filename or 'a file'}: {e.strerror or e}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("mlesearch: interrupted; run the same command again to go on", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
