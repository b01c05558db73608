"""`mlesearch tasks new`: a task's folder from a table."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from mlesearch.cli.terminal import shell_words, shown
from mlesearch.study.output import say
from mlesearch.tasks import own
from mlesearch.tasks.new import make
from mlesearch.tasks.new.make import PlannedTask
from mlesearch.tasks.new.request import NewTaskRequest
from mlesearch.tasks.new.write import write_task
from mlesearch.tasks.protocol import Validation


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
