"""What the commands do: each takes the parsed command line, and imports what it needs when it is run."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mlesearch.analysis.text import plural
from mlesearch.cli import planning_options, solve_options, study_options
from mlesearch.cli.terminal import shell_words, shown, table
from mlesearch.study.output import complain, hand_over, say

# launches


def run(args: Namespace) -> int:
    """Run an experiment or a cell."""
    from mlesearch.cli import launches

    names = ("check", "yes", "sequential", "left_out")
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(args, name)]
    overrides = read_overrides("run", given, args)
    return launches.run(overrides, multirun=args.multirun, **{name: getattr(args, name) for name in names})


def estimate(args: Namespace) -> int:
    """Say what a launch would take."""
    from mlesearch.cli import launches

    options = [] if args.gpus is None else ["--gpus", str(args.gpus)]
    overrides = read_overrides("estimate", options + [word for p in args.like for word in ("--like", p)], args)
    return launches.estimate(overrides, multirun=args.multirun, like=[Path(p) for p in args.like], gpus=args.gpus)


def power(args: Namespace) -> int:
    """Say what a design detects, and what it takes."""
    from mlesearch.cli.power import power as say_power

    return say_power(args, read_overrides("power", [], args) if args.overrides else [])


def read_overrides(command: str, options: Sequence[str], args: Namespace) -> list[str]:
    """The words after a command as overrides; an error suggests the command as it was typed, options included."""
    from mlesearch.cli.show_study import refuse_folder
    from mlesearch.config.loading.compose import expand

    refuse_folder(args.overrides)
    return expand(args.overrides, shlex.join(["mlesearch", command, *options]), multirun=args.multirun)


def replay(args: Namespace) -> int:
    """Replay a recorded study."""
    from mlesearch.cli import launches

    study = Path(args.study)
    out = Path(args.out) if args.out else study.with_name(f"{study.absolute().name}-replay")
    cassette, executions = _stores(args)
    return launches.replay(
        study, out, args.jobs, cassette=cassette, executions=executions, trust=args.trust, own_tasks=args.task
    )


# runs and studies


def show(args: Namespace) -> int:
    """Print a study's runs, a run's tree, one node of it, or what models answered."""
    from mlesearch.cli.show import node, reply, tree
    from mlesearch.cli.show_study import study_lines
    from mlesearch.storage.cell_store import exists
    from mlesearch.storage.journal import JOURNAL
    from mlesearch.types import ConfigError

    folder = Path(args.folder)
    one = args.best or args.node is not None or args.code or args.reply
    if not exists(folder / JOURNAL):
        lines = "\n".join(study_lines(folder))
        if one:
            raise ConfigError(
                f"{folder}: --best, --node, --code and --reply are of a run; its runs: {shell_words('show', folder)}"
            )
        say(lines)
    elif args.reply:
        say(reply(folder, args.node), end="")
    elif args.code:
        hand_over(node(folder, args.node, code_only=True))
    else:
        say(node(folder, args.node) if one else tree(folder), end="")
    return 0


def verify(args: Namespace) -> int:
    """Replay a journal against a new strategy."""
    from mlesearch.study.archive.verify import verify_run

    say(f"{plural(verify_run(Path(args.run)), 'decision')}, all the same")
    return 0


def export_study(args: Namespace) -> int:
    """Write a recorded study into one file."""
    from mlesearch.study.archive.packing import export

    say(f"{shown(Path(args.file))}: {export(Path(args.study), Path(args.file), *_stores(args))}")
    return 0


def import_study(args: Namespace) -> int:
    """Make a study's folder from such a file."""
    from mlesearch.study.archive.unpacking import unpack

    contents = unpack(Path(args.file), Path(args.study), args.form, trust=args.trust)
    say(f"{shown(Path(args.study))}: {contents}")
    return 0


def verify_study(args: Namespace) -> int:
    """Look for damage in a store, a file or a study."""
    from mlesearch.study.archive.verify import find_damage

    contents, wrong = find_damage(Path(args.path), trust=args.trust, own_tasks=args.task)
    for fault in wrong:
        complain(fault)
    say(f"{args.path}: {contents}; {plural(len(wrong), 'fault')}")
    return 1 if wrong else 0


def _stores(args: Namespace) -> tuple[Path | None, Path | None]:
    """Where calls and executions are, if not in the study's folder."""
    cassette, executions = (None if p is None else Path(p) for p in (args.cassette, args.executions))
    return cassette, executions


# the machine


def doctor(args: Namespace) -> int:
    """Print what is there and what is lacking, each line as soon as it is known."""
    from mlesearch.cli import doctor_study

    return doctor_study.doctor(args.study, two_machines=args.two_machines)


def check_sandbox(args: Namespace) -> int:
    """Make every check of the contract on some rungs."""
    from mlesearch.cli import sandbox

    return sandbox.check(args.rungs, _image(args))


def bench_sandbox(args: Namespace) -> int:
    """Time some rungs."""
    from mlesearch.cli import sandbox

    return sandbox.bench(args.rungs, _image(args))


def build_sandbox(args: Namespace) -> int:
    """Build the docker image."""
    from mlesearch.sandbox.rungs.docker_image import build

    name = build(args.cuda, say, args.base)
    named = f" sandbox.params.image={name}" if args.cuda or args.base is not None else ""
    say(f"{name} is ready; use it with: sandbox=docker{named}")
    return 0


def _image(args: Namespace) -> dict[str, object]:
    return {} if args.image is None else {"image": args.image}


# names


def list_tasks(args: Namespace) -> int:
    """List the tasks that come with the package."""
    from mlesearch.cli.catalogue import task_rows

    table(task_rows())
    return 0


def check_task(args: Namespace) -> int:
    """Preflight of a task, or of a competition of MLE-bench by its name."""
    from mlesearch.tasks.check import check
    from mlesearch.tasks.mlebench.names import PREFIX
    from mlesearch.types import Level

    if args.task.startswith(PREFIX):
        return on_competitions(Namespace(action="check", names=[args.task], data=None, python=None))
    findings = check(args.task)
    say("\n".join(map(str, findings)) if findings else f"{args.task}: all checks passed")
    return 1 if any(f.level is Level.ERROR for f in findings) else 0


def describe_task(args: Namespace) -> int:
    """Findings about a task's tables, for its `eda.md`."""
    from mlesearch.tasks.eda import describe
    from mlesearch.tasks.folder import load

    hand_over(f"{describe(load(args.task))}\n")
    return 0


def show_task(args: Namespace) -> int:
    """Print what a task is, or what the agent reads of it."""
    from mlesearch.tasks.folder import load

    task = load(args.task)
    if args.prompt:
        from mlesearch.config.parts.task_prompt import first_prompt

        hand_over("".join(f"=== {message.role}\n{message.content}\n" for message in first_prompt(task)))
        return 0
    from mlesearch.cli.show_task import task_lines

    say("\n".join(task_lines(task, args.task)))
    return 0


def new_task(args: Namespace) -> int:
    """Make a task's folder from a table."""
    from mlesearch.cli.new_task import new_task as make

    return make(args)


def import_task(args: Namespace) -> int:
    """Make a task's folder from one of another benchmark."""
    from mlesearch.cli.new_task import import_task as make

    return make(args)


def grade_submission(args: Namespace) -> int:
    """Grade a submission to a task."""
    from mlesearch.tasks.folder import load
    from mlesearch.tasks.grading import grade_test
    from mlesearch.tasks.grading import report as grade_report

    task, path = load(args.task), Path(args.submission)
    result = grade_report(task, path)
    say(json.dumps(result, indent=1, default=str))
    if not result["valid_submission"]:
        complain(f"not valid: {grade_test(task, path).problem}")
        return 1
    return 0


def on_competitions(args: Namespace) -> int:
    """Actions on competitions of MLE-bench."""
    from mlesearch.cli.mlebench import ACTIONS

    return ACTIONS[args.action](args)


def list_models(args: Namespace) -> int:
    """List the models that have a file."""
    from mlesearch.cli.catalogue import model_rows
    from mlesearch.config.loading.compose import models

    table(model_rows(models()))
    return 0


def check_models(args: Namespace) -> int:
    """Call one model, or every live one, for one token."""
    import datetime

    from mlesearch.cli.models import check
    from mlesearch.config.loading.compose import expand, jobs, models
    from mlesearch.models.registry import make_model

    if args.name is None:
        wanted = [m for m in models() if m.kind == "litellm"]
    else:
        launch = jobs(expand([f"model={args.name}", *args.overrides], "mlesearch models check"), False)
        wanted = [launch.jobs[0].settings.model]
    failed = 0
    for m in wanted:
        answered, lines = check(m, lambda m: make_model(m.name, m.kind, m.params), datetime.date.today())
        failed += not answered
        say("\n".join(lines))
    return 1 if failed else 0


def list_strategies(args: Namespace) -> int:
    """Describe the strategies that there are, plug-ins included, or those that are named."""
    from mlesearch.cli.catalogue import full_strategy_lines, strategy_lines

    blocks = [full_strategy_lines(name) for name in args.names] or [strategy_lines()]
    say("\n\n".join("\n".join(lines) for lines in blocks))
    return 0


def list_experiments(args: Namespace) -> int:
    """List experiments."""
    from mlesearch.cli.catalogue import name_lines

    say("\n".join(name_lines("experiments")))
    return 0


def print_completion(args: Namespace) -> int:
    """Print what a shell has to evaluate for tab completion."""
    from mlesearch.cli.completion import script

    hand_over(script(args.shell))
    return 0


def complete_line(args: Namespace) -> int:
    """Print what may stand at the end of a line."""
    from mlesearch.cli.completion import complete

    hand_over("\n".join(complete(args.grammar, args.line, whole=args.whole)) + "\n")
    return 0


COMMANDS: Mapping[tuple[str, ...], Callable[[Namespace], int]] = {
    ("run",): run,
    ("solve",): solve_options.solve,
    ("estimate",): estimate,
    ("power",): power,
    ("next",): planning_options.next_round,
    ("grim",): planning_options.grim,
    ("show",): show,
    ("verify",): verify,
    ("doctor",): doctor,
    ("sandbox", "check"): check_sandbox,
    ("sandbox", "bench"): bench_sandbox,
    ("sandbox", "build"): build_sandbox,
    ("replay",): replay,
    ("cassette", "export"): export_study,
    ("cassette", "import"): import_study,
    ("cassette", "verify"): verify_study,
    ("tasks", "list"): list_tasks,
    ("tasks", "check"): check_task,
    ("tasks", "eda"): describe_task,
    ("tasks", "grade"): grade_submission,
    ("tasks", "show"): show_task,
    ("tasks", "new"): new_task,
    ("tasks", "import"): import_task,
    ("mlebench", "install"): on_competitions,
    ("mlebench", "grade"): on_competitions,
    ("mlebench", "status"): on_competitions,
    ("mlebench", "prepare"): on_competitions,
    ("mlebench", "check"): on_competitions,
    ("mlebench", "export"): on_competitions,
    ("mlebench", "import"): on_competitions,
    ("mlebench", "agent"): on_competitions,
    ("models",): list_models,
    ("models", "list"): list_models,
    ("models", "check"): check_models,
    ("strategies",): list_strategies,
    ("experiments",): list_experiments,
    ("completion",): print_completion,
    **study_options.COMMANDS,
    ("complete",): complete_line,
}
"""What each command, or action of a command, does."""
