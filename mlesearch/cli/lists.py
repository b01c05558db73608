"""What there is: tasks, models, strategies, experiments; listed, and checked one by one."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path

from mlesearch.cli.terminal import table
from mlesearch.types import Level


def tasks(args: Namespace) -> int:
    """List, check, grade."""
    from mlesearch.tasks import folder

    if args.action == "list":
        from mlesearch.tasks.listing import list_rows

        table(list_rows())
        return 0
    if args.action == "check":
        from mlesearch.tasks.check import check

        findings = check(args.task)
        for f in findings:
            print(f)
        if not findings:
            print(f"{args.task}: all checks passed")
        return 1 if any(f.level is Level.ERROR for f in findings) else 0
    task = folder.load(args.task)
    from mlesearch.tasks.grading import grade_test
    from mlesearch.tasks.grading import report as grade_report

    path = Path(args.submission)
    result = grade_report(task, path)
    print(json.dumps(result, indent=1, default=str))
    if not result["valid_submission"]:
        print(f"not valid: {grade_test(task, path).problem}", file=sys.stderr)
        return 1
    return 0


def models(args: Namespace) -> int:
    """List, check."""
    from mlesearch.cli import models as catalogue
    from mlesearch.config import compose

    if args.action != "check":
        table(catalogue.rows(compose.models()))
        return 0
    import datetime

    from mlesearch.models.registry import make_model

    if args.name is None:
        wanted = [m for m in compose.models() if m.kind == "litellm"]
    else:
        launch = compose.jobs(compose.expand([f"model={args.name}", *args.overrides]), False)
        wanted = [launch.jobs[0].settings.model]
    failed = 0
    for m in wanted:
        answered, lines = catalogue.check(m, lambda m: make_model(m.name, m.kind, m.params), datetime.date.today())
        failed += not answered
        print("\n".join(lines), flush=True)
    return 1 if failed else 0


def strategies(args: Namespace) -> int:
    """List strategies, plug-ins included."""
    return _list("strategy")


def experiments(args: Namespace) -> int:
    """List experiments."""
    return _list("experiments")


def _list(group: str) -> int:
    from mlesearch.config.compose import describe, names

    for name in names(group):
        print(f"{name:14} {describe(group, name)}")
    return 0
