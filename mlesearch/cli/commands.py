"""What the commands do: each takes the parsed command line, and imports what it needs when it is run."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

from mlesearch.cli.terminal import shown, table

# launches


def run(args: Namespace) -> int:
    """Run an experiment or a cell."""
    from mlesearch.cli import launches

    return launches.run(args.overrides, multirun=args.multirun, check=args.check, yes=args.yes)


def estimate(args: Namespace) -> int:
    """Say what a launch would take."""
    from mlesearch.cli import launches

    return launches.estimate(args.overrides, multirun=args.multirun, like=[Path(p) for p in args.like], gpus=args.gpus)


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
    """Print a run's tree, or one node of it."""
    from mlesearch.cli.show import node, tree

    folder = Path(args.run)
    one = args.best or args.node is not None or args.code
    print(node(folder, args.node, code_only=args.code) if one else tree(folder), end="")
    return 0


def verify(args: Namespace) -> int:
    """Replay a journal against a new strategy."""
    from mlesearch.study.verify import verify_run

    print(f"{verify_run(Path(args.run))} decisions, all the same")
    return 0


def collect(args: Namespace) -> int:
    """Write the tables."""
    from mlesearch.study.collect import collect as write

    folder = write(Path(args.study))
    print("\n".join(shown(folder / f"{name}.parquet") for name in ("runs", "nodes", "calls")))
    return 0


def report(args: Namespace) -> int:
    """Write the tables and the report."""
    from mlesearch.cli.report import write_report

    print(write_report(Path(args.study), Path(args.out) if args.out else None))
    return 0


def export_study(args: Namespace) -> int:
    """Write a recorded study into one file."""
    from mlesearch.study.archive import export

    print(f"{shown(Path(args.file))}: {export(Path(args.study), Path(args.file), *_stores(args))}")
    return 0


def import_study(args: Namespace) -> int:
    """Make a study's folder from such a file."""
    from mlesearch.study.unpacking import unpack

    contents = unpack(Path(args.file), Path(args.study), args.form, trust=args.trust)
    print(f"{shown(Path(args.study))}: {contents}")
    return 0


def verify_study(args: Namespace) -> int:
    """Look for damage in a store, a file or a study."""
    from mlesearch.study.verify import find_damage

    contents, wrong = find_damage(Path(args.path))
    print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
    print(f"{args.path}: {contents}; {len(wrong)} faults")
    return 1 if wrong else 0


def _stores(args: Namespace) -> tuple[Path | None, Path | None]:
    """Where calls and executions are, if not in the study's folder."""
    cassette, executions = (None if p is None else Path(p) for p in (args.cassette, args.executions))
    return cassette, executions


# the machine


def doctor(args: Namespace) -> int:
    """Print what is there and what is lacking, each line as soon as it is known."""
    from mlesearch.cli.doctor import examine, line, versions
    from mlesearch.types import Level

    print(versions(), flush=True)
    lacking = 0
    for finding in examine():
        print(line(finding), flush=True)
        lacking += finding.level is Level.ERROR
    print(f"{lacking} lacking: see the arrows above" if lacking else "all that is needed is there")
    return 1 if lacking else 0


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

    name = build(args.cuda, base=args.base)
    named = f" sandbox.params.image={name}" if args.cuda or args.base is not None else ""
    print(f"{name} is ready; use it with: sandbox=docker{named}")
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
    """Preflight of a task."""
    from mlesearch.tasks.check import check
    from mlesearch.types import Level

    findings = check(args.task)
    print("\n".join(map(str, findings)) if findings else f"{args.task}: all checks passed")
    return 1 if any(f.level is Level.ERROR for f in findings) else 0


def describe_task(args: Namespace) -> int:
    """Findings about a task's tables, for its `eda.md`."""
    from mlesearch.tasks.eda import describe
    from mlesearch.tasks.folder import load

    print(describe(load(args.task)))
    return 0


def grade_submission(args: Namespace) -> int:
    """Grade a submission to a task."""
    from mlesearch.tasks.folder import load
    from mlesearch.tasks.grading import grade_test
    from mlesearch.tasks.grading import report as grade_report

    task, path = load(args.task), Path(args.submission)
    result = grade_report(task, path)
    print(json.dumps(result, indent=1, default=str))
    if not result["valid_submission"]:
        print(f"not valid: {grade_test(task, path).problem}", file=sys.stderr)
        return 1
    return 0


def list_models(args: Namespace) -> int:
    """List the models that have a file."""
    from mlesearch.cli.catalogue import model_rows
    from mlesearch.config.compose import models

    table(model_rows(models()))
    return 0


def check_models(args: Namespace) -> int:
    """Call one model, or every live one, for one token."""
    import datetime

    from mlesearch.cli.models import check
    from mlesearch.config.compose import expand, jobs, models
    from mlesearch.models.registry import make_model

    if args.name is None:
        wanted = [m for m in models() if m.kind == "litellm"]
    else:
        launch = jobs(expand([f"model={args.name}", *args.overrides]), False)
        wanted = [launch.jobs[0].settings.model]
    failed = 0
    for m in wanted:
        answered, lines = check(m, lambda m: make_model(m.name, m.kind, m.params), datetime.date.today())
        failed += not answered
        print("\n".join(lines), flush=True)
    return 1 if failed else 0


def list_strategies(args: Namespace) -> int:
    """Describe the strategies that there are, plug-ins included, or those that are named."""
    from mlesearch.cli.catalogue import full_strategy_lines, strategy_lines

    blocks = [full_strategy_lines(name) for name in args.names] or [strategy_lines()]
    print("\n\n".join("\n".join(lines) for lines in blocks))
    return 0


def list_experiments(args: Namespace) -> int:
    """List experiments."""
    from mlesearch.cli.catalogue import name_lines

    for line in name_lines("experiments"):
        print(line)
    return 0


COMMANDS: Mapping[tuple[str, ...], Callable[[Namespace], int]] = {
    ("run",): run,
    ("estimate",): estimate,
    ("show",): show,
    ("verify",): verify,
    ("collect",): collect,
    ("report",): report,
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
    ("models",): list_models,
    ("models", "list"): list_models,
    ("models", "check"): check_models,
    ("strategies",): list_strategies,
    ("experiments",): list_experiments,
}
"""What each command, or action of a command, does."""
