"""`mlesearch tasks new` and `import`: a task's folder from a table, or from a folder of another benchmark."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from mlesearch.cli.terminal import shell_words, shown
from mlesearch.study.output import say
from mlesearch.tasks import importing, own
from mlesearch.tasks.new import make
from mlesearch.tasks.new.make import PlannedTask
from mlesearch.tasks.new.request import NewTaskRequest
from mlesearch.tasks.new.write import write_task
from mlesearch.tasks.protocol import Validation

GRADES = "competition_metric.py as it was found, with your rights: read it first"


def new_task(args: Namespace) -> int:
    """Make the folder that is asked for, and say what it is and what the table was taken for."""
    request = _request(args)
    planned = make.plan(request)
    say(f"{shown(request.table)} was read as {planned.table.taken_for}.")
    for note in planned.notes:
        say(f"- {note}")
    board = ""
    with make.staged(request.place) as place:
        write_task(planned, place)
        if args.board:
            from mlesearch.cli.reference_board import add_board

            board = add_board(planned, place, args.sandbox)
        found = [str(finding) for finding in make.preflight(place) if finding.subject != "leaderboard"]
    for line in found:
        say(f"- {line}")
    for line in _made(planned, board):
        say(line)
    return 0


def import_task(args: Namespace) -> int:
    """Make a task of a competition of MLE-Dojo, and say what does not carry over."""
    data = None if args.data is None else Path(args.data)
    plan = importing.plan_import(Path(args.source), data, board=not args.no_board)
    out = Path(own.TASKS, plan.name) if args.out is None else Path(args.out)
    make.check_free(out)
    with make.staged(out) as place:
        importing.write_import(plan, place)
        found = make.preflight(place)
    for line in (*plan.notes, *map(str, found)):
        say(f"- {line}")
    board = f"a board of {len(plan.scores):,} teams" if plan.scores else "no board"
    say(
        f"made {shown(out)}: {plan.metric}, to {plan.direction}; reported validation; {board}; its grader runs {GRADES}"
    )
    return 0


def _request(args: Namespace) -> NewTaskRequest:
    return NewTaskRequest(
        table=Path(args.table),
        targets=tuple(args.target),
        metric=args.metric,
        folder=None if args.out is None else Path(args.out),
        group=args.group,
        time=args.time,
        texts=tuple(args.text),
        id=args.id,
        drop=tuple(args.drop),
        keep=tuple(args.keep),
        drop_missing=args.drop_missing,
        drop_rare=args.drop_rare,
        drop_duplicates=args.drop_duplicates,
        positive=args.positive,
        test_share=args.test_share,
        validation_share=args.validation_share,
        validation=Validation(args.validation),
        seed=args.seed,
        title=args.title,
        encoding=args.encoding,
        delimiter=args.delimiter,
        decimal=args.decimal,
    )


def _made(planned: PlannedTask, board: str) -> list[str]:
    """What was made, and what to do next."""
    request, place = planned.request, planned.request.place
    counts = ", ".join(f"{number:,} {part}" for part, number in planned.counts.items())
    metric = planned.metric
    asked = ", ".join(list(planned.rows.target.values)[:3])
    named = place.parent.resolve() == Path.cwd() / own.TASKS
    name = request.name if named and place.name == request.name else shown(place)
    without = "no board: runs are scored and win no medal (--board makes one)"
    return [
        f"made {shown(place)}: {counts} rows; {asked} under {metric.title}, to {metric.direction}; "
        f"{request.validation.value} validation; {board or without}",
        f"what the agent reads: {shell_words('tasks', 'show', name, '--prompt')}; edit "
        f"{shown(place / 'description.md')} where you know more",
        f"run it: {shell_words('run', 'model=...', 'strategy=greedy', f'tasks=[{name}]')}",
    ]
