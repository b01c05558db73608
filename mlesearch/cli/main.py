"""The command line. Parsing lives here, what commands do in `mlesearch.cli.commands`, imported only to run one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mlesearch import __version__
from mlesearch.analysis.data.policies import POLICIES
from mlesearch.cli import (
    mlebench_options,
    new_task_options,
    planning_options,
    solve_options,
    study_options,
    submit_options,
)
from mlesearch.cli.completion import SHELLS
from mlesearch.cli.usage import USAGE_ERROR, OneLineParser, refuse_options
from mlesearch.storage.file_systems import in_words
from mlesearch.storage.processes import collect_rarely
from mlesearch.study.output import complain, prepare_streams
from mlesearch.types import ConfigError, MlesearchError

FAILED = 1
INTERRUPTED = 130

_RUN_HELP = """\
run an experiment by name, or one cell given by overrides

  mlesearch run demo                                   an experiment (see `mlesearch experiments`)
  mlesearch run demo 'seeds=[0,1,2]' budget.steps=12   the same with other values
  mlesearch run model=sim_05 strategy=greedy 'tasks=[rentals]'
  mlesearch run -m model=sim_02,sim_09 strategy=random,gome

All of it is checked before anything runs or is written. A finished run is skipped; a killed one goes on where it
stood. docs/settings.md lists every key with what it takes, its default and what it means.

Own models, strategies, sandboxes, experiments and tasks are files in this folder, or in one that MLESEARCH_PATH names:
conf/model/NAME.yaml, conf/strategy/NAME.yaml, conf/sandbox/NAME.yaml, experiments/NAME.yaml, tasks/NAME/task.yaml.
"""

_DOCTOR_HELP = """\
what this machine has and lacks for runs, and what to do about it; or what the file system of a study's folder keeps

  mlesearch doctor                                     this machine: sandboxes, GPUs, keys, folders
  mlesearch doctor studies/main                        two processes try the folder: new files, appending, locks, clocks
  mlesearch doctor /shared/studies --two-machines      given on both machines at the same time

Exit codes: 0 all that is needed is there; 1 something is lacking; 2 there is no such folder, or nothing can be written
in it.
"""


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    p = OneLineParser(
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
    run.add_argument("--yes", action="store_true", help="don't ask, whatever it is estimated to cost")
    run.add_argument("--sequential", action="store_true", help="a seed at a time, as the declared looks say, and stop")
    run.add_argument("--left-out", action="store_true", help="also the runs that the study leaves out by design")
    run.add_argument("overrides", nargs="*", metavar="EXPERIMENT | KEY=VALUE")

    solve_options.add_to(sub)

    estimate = sub.add_parser("estimate", help="what a launch would take: calls, tokens, USD, GPU hours, time, disk")
    estimate.add_argument("-m", "--multirun", action="store_true", help="sweep over several values (a,b,c)")
    estimate.add_argument("--gpus", type=int, metavar="N", help="GPUs to run on (default: 1, by as many runs as here)")
    estimate.add_argument("--like", metavar="STUDY", action="append", default=[], help="measure in this study's runs")
    estimate.add_argument("overrides", nargs="*", metavar="EXPERIMENT | KEY=VALUE")

    planning_options.add_to(sub)
    study_options.add_to(sub)

    show = sub.add_parser("show", help="a study's runs, what a run found, one node of it, what models answered")
    show.add_argument("folder", metavar="STUDY | RUN", help="a study's folder (its runs), or a run's (its tree)")
    which = show.add_mutually_exclusive_group()
    which.add_argument("--best", action="store_true", help="the node that was selected (or is best so far)")
    which.add_argument("--node", type=int, metavar="N", help="one node: plan, scores, output, program")
    show.add_argument("--code", action="store_true", help="print the program and nothing else")
    show.add_argument("--reply", action="store_true", help="what models answered to the node, every attempt")

    verify = sub.add_parser("verify", help="replay a run's journal: does the strategy decide the same again?")
    verify.add_argument("run", metavar="RUN")

    collect = sub.add_parser("collect", help="fold a study into runs, nodes and calls (parquet)")
    collect.add_argument("study", metavar="STUDY")

    report = sub.add_parser("report", help="collect a study and write its report")
    report.add_argument("study", metavar="STUDY")
    report.add_argument("--out", metavar="FILE", help="where the HTML file goes (default: STUDY/report.html)")
    report.add_argument("--figures", action="store_true", help="also write each figure as SVG and PDF")
    report.add_argument("--tex", action="store_true", help="also write claims, methods and a checklist as LaTeX")
    report.add_argument(
        "--missing",
        choices=POLICIES,
        help="what is done with runs without a result: fail (one that failed is without success; the default), "
        "drop_task or drop_seed; named for an unfinished study, it is analysed too, and nothing in it is confirmatory",
    )

    recheck = sub.add_parser("recheck", help="does a report say what its tables say? computes every number again")
    recheck.add_argument("page", metavar="REPORT.html")
    recheck.add_argument("--study", metavar="DIR", help="the study's folder (default: the page's own)")
    recheck.add_argument("--redraw", action="store_true", help="draw the figures again, too (takes longer)")

    doctor = sub.add_parser(
        "doctor",
        help="what this machine, or a study's folder, has and lacks, and what to do about it",
        description=_DOCTOR_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    doctor.add_argument("study", nargs="?", metavar="STUDY", help="a folder whose file system two processes try")
    doctor.add_argument("--two-machines", action="store_true", help="the other process is this command elsewhere")

    sandbox = sub.add_parser("sandbox", help="check, time and build what programs run in").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    for name, what in (
        ("check", "make every check of the contract on this machine: a table of promises for each rung"),
        ("bench", "time to a program's first line, cold and warm, and programs a second, for each rung"),
    ):
        made = sandbox.add_parser(name, help=what, description=what)
        made.add_argument("rungs", nargs="*", metavar="RUNG", help="docker, bubblewrap, local (default: all that work)")
        made.add_argument(
            "--image", metavar="TAG", help="of the rung docker; `host` lends it this machine's interpreter"
        )
    made = sandbox.add_parser("build", help="build the docker image of this version (or say that it is there)")
    made.add_argument("--cuda", action="store_true", help="the variant with torch for GPUs")
    made.add_argument("--base", metavar="IMAGE", help="another base image, with python3 and venv")
    replay = sub.add_parser(
        "replay", help="a recorded study again, from its journals and stores: nothing is called or executed"
    )
    replay.add_argument("study", metavar="STUDY")
    replay.add_argument("--out", metavar="DIR", help="where the replayed study goes (default: STUDY-replay)")
    replay.add_argument("--cassette", metavar="PATH", help="its model calls, if they are not in the study's folder")
    replay.add_argument("--executions", metavar="PATH", help="its executions, if they are not in the study's folder")
    replay.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; -1: one per processor")
    replay.add_argument("--task", action="append", default=[], metavar="TASK", help="your own folder of a task of it")
    replay.add_argument("--trust", action="store_true", help="load tasks that came with it, and run their grade.py")

    cassette = sub.add_parser("cassette", help="export, import and verify recorded studies").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    export = cassette.add_parser("export", help="a recorded study as one file, secrets redacted")
    export.add_argument("study", metavar="STUDY")
    export.add_argument("file", metavar="FILE")
    export.add_argument("--cassette", metavar="PATH", help="its model calls, if they are not in the study's folder")
    export.add_argument("--executions", metavar="PATH", help="its executions, if they are not in the study's folder")
    unpack = cassette.add_parser("import", help="a study's folder from such a file, after checking all of it")
    unpack.add_argument("file", metavar="FILE")
    unpack.add_argument("study", metavar="STUDY")
    unpack.add_argument("--form", choices=("sqlite", "files"), default="sqlite", help="of its stores")
    unpack.add_argument("--trust", action="store_true", help="however large it is")
    check_all = cassette.add_parser("verify", help="look for damage in a store, a file or a study; would it replay?")
    check_all.add_argument("path", metavar="PATH")
    check_all.add_argument("--task", action="append", default=[], metavar="TASK", help="your own folder of its task")
    check_all.add_argument("--trust", action="store_true", help="however large it is; load tasks that came with it")

    tasks = sub.add_parser("tasks", help="make, list, show, check, describe and grade tasks").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    tasks.add_parser("list", help="the tasks that can be asked for by name")
    check = tasks.add_parser("check", help="preflight of a task, by name or folder")
    check.add_argument("task", metavar="TASK")
    eda = tasks.add_parser("eda", help="findings about a task's tables, to be kept as its eda.md")
    eda.add_argument("task", metavar="TASK")
    grade = tasks.add_parser("grade", help="grade a submission")
    grade.add_argument("task", metavar="TASK")
    grade.add_argument("submission", metavar="FILE")
    show_task = tasks.add_parser("show", help="what a task is: metric, files, rows, board, limits, version")
    show_task.add_argument("task", metavar="TASK")
    show_task.add_argument("--prompt", action="store_true", help="the prompt for a first program, and nothing else")
    new_task_options.add_to(tasks)
    taken = tasks.add_parser("import", help="a task's folder from a prepared competition of MLE-Dojo")
    taken.add_argument("source", metavar="FOLDER", help="with info/ and utils/metric.py")
    taken.add_argument("--data", metavar="FOLDER", help="its data, public/ and private/ (default: FOLDER/data)")
    taken.add_argument("--out", metavar="FOLDER", help="where the task goes (default: tasks/NAME)")
    taken.add_argument("--no-board", action="store_true", help="leave its leaderboard out")

    mlebench = sub.add_parser("mlebench", help="competitions of MLE-bench, and its graders").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    named = "competition, suite, or file.txt of ids"
    stand = mlebench.add_parser("status", help="what of them is prepared, verified and graded by what")
    stand.add_argument("names", nargs="*", metavar="NAME", help=f"{named} (default: all)")
    made = mlebench.add_parser("prepare", help="have them downloaded and prepared by MLE-bench's own code")
    made.add_argument("name", metavar="NAME", help=named)
    made.add_argument("--from", dest="source", metavar="ZIP | FOLDER", help="its download, in place of Kaggle's client")
    made.add_argument("--keep-raw", action="store_true", help="keep the unpacked download beside it")
    before = mlebench.add_parser("check", help="preflight: data, grader, board")
    before.add_argument("names", nargs="+", metavar="NAME", help=named)
    install = mlebench.add_parser("install", help="an environment for MLE-bench's package, which grades")
    install.add_argument("repository", metavar="REPOSITORY", help="folder of openai/mle-bench, or a git URL of it")
    install.add_argument("--commit", metavar="COMMIT", help="to be checked out (default: the folder as it is)")
    install.add_argument("--base", metavar="PATH", help="python to make the environment of (default: this one)")
    agent = mlebench.add_parser("agent", help="put the agent that runs `mlesearch solve` into a clone of MLE-bench")
    agent.add_argument("repository", metavar="REPOSITORY", help="folder of openai/mle-bench")
    graded = mlebench.add_parser("grade", help="MLE-bench's own report of a submission, as JSON")
    graded.add_argument("competition", metavar="COMPETITION", help="its id")
    graded.add_argument("submission", metavar="FILE")
    exported = mlebench.add_parser(
        "export", help="a study as MLE-bench's run groups, graded anew, and what to disclose"
    )
    exported.add_argument("study", metavar="STUDY")
    exported.add_argument("--to", metavar="DIR", required=True, help="a folder that is not there yet")
    exported.add_argument("--name", metavar="NAME", help="of the experiment (default: the study's)")
    exported.add_argument(
        "--unfinished",
        choices=("refuse", "null"),
        default="refuse",
        help="runs without a result: null has no submission",
    )
    mlebench_options.add_import(mlebench)
    for each in (stand, made, before, graded, exported):
        each.add_argument("--data", metavar="DIR", help="folder of prepared competitions (default: MLEBENCH_DATA_DIR)")
        each.add_argument(
            "--python", metavar="PATH", help="interpreter that has MLE-bench (default: the installed one)"
        )
    for each in (made, before):
        each.add_argument("--no-verify", action="store_true", help="take files that MLE-bench does not record")

    models = sub.add_parser("models", help="list models, or check that one answers")
    action = models.add_subparsers(dest="action", metavar="ACTION")
    action.add_parser("list", help="the models that can be asked for by name (also without an action)")
    check_model = action.add_parser("check", help="call a model for one token: does it answer, and if not, why")
    check_model.add_argument("name", nargs="?", metavar="NAME", help="one model (default: every live one)")
    check_model.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="e.g. model.params.api_base=...")

    strategies = sub.add_parser("strategies", help="the strategies: idea, source, parameters, presets")
    strategies.add_argument("names", nargs="*", metavar="NAME", help="a strategy or preset, to be told in full")
    sub.add_parser("experiments", help="experiments that can be run by name")
    completion = sub.add_parser("completion", help='for tabs: add eval "$(mlesearch completion bash)" to ~/.bashrc')
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")
    complete = sub.add_parser("complete", description="What may stand at the end of a line; asked by a shell.")
    complete.add_argument("--whole", action="store_true", help="whole words (fish), not parts as bash cuts them")
    complete.add_argument("line", metavar="LINE", help="up to the cursor")
    return p


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line; overrides may stand before, between and after options, which argparse alone does not take."""
    made = parser()
    typed = submit_options.joined(sys.argv[1:] if argv is None else list(argv))
    args, rest = made.parse_known_args(typed)
    late = [word for word in rest if hasattr(args, "overrides") and not word.startswith("-")]
    if len(late) < len(rest):
        wrong = [word for word in rest if word not in late]
        command = [word for word in (args.command, getattr(args, "action", None)) if word is not None]
        behind = typed[typed.index(wrong[0]) + 1 :] if wrong[0] in typed else []
        refuse_options(made, command, wrong, behind[0] if behind else "")
    if late:
        args.overrides += late
    args.grammar = made
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (0 done, 1 something failed, 2 wrong input, 130 interrupted)."""
    collect_rarely()
    prepare_streams()
    args = parse(argv)
    from mlesearch.cli import commands

    try:
        words = (args.command, getattr(args, "action", None))
        return commands.COMMANDS[tuple(word for word in words if word is not None)](args)
    except ConfigError as e:
        complain(f"mlesearch: error: {e}")
        return USAGE_ERROR
    except MlesearchError as e:
        complain(f"mlesearch: {e}")
        return FAILED
    except OSError as e:
        complain(f"mlesearch: {in_words(e)}")
        return FAILED
    except KeyboardInterrupt:
        complain("mlesearch: interrupted; run the same command again to go on")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
