"""Runs of simulated engineers on their tables: the real engine, operators and strategies, and a row for an execution.

The sandbox looks a program up instead of running it, so that a run of a dozen steps takes a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlesearch.budgets.meter import Budget
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import RunEnd
from mlesearch.engine.trial import Role
from mlesearch.models.protocol import Model, Sampling
from mlesearch.models.simulated import truth
from mlesearch.models.simulated.bugs import BUGS
from mlesearch.models.simulated.spaces import recognise
from mlesearch.sandbox.protocol import Job
from mlesearch.types import Captured, ExecResult, ExecStatus, Op
from tests.support import toy_run


class TableSandbox(toy_run.ToySandbox):
    """Answers with the row of a pipeline: its validation score, and what its program prints."""

    def __init__(self, table: truth.TaskTruth) -> None:
        super().__init__(name="table")
        self._table = table

    def run(self, slot: object, job: Job) -> ExecResult:
        self.jobs.append(job)
        known = recognise(job.program)
        if known is None or any(not BUGS[name].silent for name in known.bugs):
            return ExecResult(ExecStatus.ERROR, exit_code=1, wall_us=1000, reason="it failed")
        row = self._table.scores(known.pipeline, known.random_state)
        settings = ", ".join(f"{c}={o}" for c, o in self._table.space.settings(known.pipeline).items())
        text = f"score {row.validation!r}\npipeline: {settings}\n"
        return ExecResult(ExecStatus.OK, 0, wall_us=1000, stdout=Captured(text, "", len(text)))


@dataclass(frozen=True)
class TableRun:
    """A run that has ended.

    Attributes:
        end: what the engine says of it.
        programs: what was executed, in order.
        test: test score of the program that it selected; None where there is none.
    """

    end: RunEnd
    programs: tuple[str, ...]
    test: float | None


def run(
    folder: Path,
    task: str,
    model: Model,
    strategy: str,
    params: Mapping[str, object] | None = None,
    *,
    steps: int = 12,
    entropy: int = 7,
    review: bool = True,
    **more: Any,
) -> TableRun:
    """Run a strategy on a task's table."""
    table = truth.truth_of(task)
    sandbox = TableSandbox(table)
    made = toy_run.parts(
        folder,
        strategy=strategy,
        params=params,
        budget=Budget(steps=steps),
        direction=table.space.direction,
        sandbox=sandbox,
        entropy=entropy,
        review=review,
        **more,
    )
    brief = replace(made.context.brief, task_id=task)
    roles = dict.fromkeys(Op, Role(model, Sampling()))
    made = replace(made, context=replace(made.context, brief=brief, roles=roles))
    try:
        end = Engine(made, lambda: False).run()
    finally:
        made.folder.close()
    programs = {int(job.address.rsplit("/", 1)[1]): job.program for job in sandbox.jobs}
    chosen = recognise(programs[end.selected]) if end.selected is not None else None
    test = table.scores(chosen.pipeline).test if chosen else None
    return TableRun(end, tuple(job.program for job in sandbox.jobs), test)
