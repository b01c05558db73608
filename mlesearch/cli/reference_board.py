"""A new task's board: its reference pipelines executed in the sandbox, and their test scores."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mlesearch.sandbox import ladder
from mlesearch.sandbox.protocol import GIB, Job, Limits, Sandbox, Spec, execute
from mlesearch.study.output import say
from mlesearch.tasks import folder, grading, leaderboard
from mlesearch.tasks.new.make import PlannedTask
from mlesearch.tasks.new.pipelines import SPACE, ReferencePipeline, reference_pipelines
from mlesearch.tasks.new.write import write_declared
from mlesearch.tasks.protocol import Task
from mlesearch.types import ConfigError, ExecStatus

PIPELINE_TIME_S = 120.0
MIN_TEAMS = 20
"""A board of fewer is none: its thresholds would be a matter of chance."""
SAID_EVERY = 10
_MOST_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class TeamResult:
    """What became of a reference pipeline: its test score, or why it has none."""

    pipeline: ReferencePipeline
    score: float | None
    problem: str = ""


def add_board(planned: PlannedTask, place: Path, sandbox_name: str = ladder.AUTO) -> str:
    """Execute the reference pipelines of a task that was just written, and write its `leaderboard.csv`.

    Args:
        planned: the task.
        place: its folder.
        sandbox_name: the rung that executes them, or `auto`.

    Returns:
        What the board is, in a sentence.

    Raises:
        ConfigError: no sandbox works here, too few pipelines gave a score, or their scores can't be told apart.
    """
    chosen = ladder.choose(sandbox_name)
    task = folder.load(place, board=False)
    pipelines = reference_pipelines(planned, planned.request.seed)
    say(f"board: executing {len(pipelines)} reference pipelines in the sandbox {chosen.name}")
    sandbox = ladder.open_chosen(chosen, {})
    try:
        results = _executed(sandbox, task, pipelines)
    finally:
        sandbox.close()
    scores = [result.score for result in results if result.score is not None]
    failed = [result for result in results if result.score is None]
    if len(scores) < MIN_TEAMS:
        first = failed[0]
        raise ConfigError(
            f"--board: {len(failed)} of {len(results)} reference pipelines gave no score, and a board needs "
            f"{MIN_TEAMS}; the first: {first.problem}; leave --board out for a task without medals"
        )
    board = sorted(scores, reverse=task.direction.sign > 0)
    text = "score\n" + "".join(f"{score:.{grading.SCORE_DECIMALS}f}\n" for score in board)
    (place / leaderboard.BOARD).write_text(text, encoding="utf-8")
    words = f"{SPACE}; executed in the sandbox {chosen.name}" + (f"; {len(failed)} gave no score" if failed else "")
    declared = folder.declared(place)
    declared["leaderboard"] = {"teams": len(scores), "seed": planned.request.seed, "source": words}
    write_declared(place, declared)
    _check_distinct(place)
    return (
        f"a board of {len(scores)} reference pipelines, test scores {board[0]:.5g} to {board[-1]:.5g}: a medal here "
        "means to beat that share of these pipelines, and says nothing of people"
    )


def _check_distinct(place: Path) -> None:
    """Refuse a board whose medals can't be told apart."""
    limits, direction = folder.load(place).thresholds, folder.load(place).direction
    ordered = [limits.gold, limits.silver, limits.bronze, limits.median]
    if any(not direction.better(high, low) for high, low in itertools.pairwise(ordered)):
        raise ConfigError(
            f"--board: gold, silver, bronze and median of the reference pipelines "
            f"({', '.join(f'{x:.5g}' for x in ordered)}) are not all different, so medals would tell "
            "nothing: the test is too small or the data tell too little; leave --board out, or choose a larger "
            "--test-share or a finer metric"
        )


def _executed(sandbox: Sandbox, task: Task, pipelines: Sequence[ReferencePipeline]) -> list[TeamResult]:
    """The results of pipelines, in their order."""
    spec = Spec(
        f"{task.id}@{task.version}",
        task.public_dir,
        (task.private_dir,),
        limits=Limits(time_s=PIPELINE_TIME_S, memory_bytes=4 * GIB, cpu_count=1),
        concealed=(("the folder of the new task", task.private_dir.parent),),
    )
    at_once = min(_MOST_AT_ONCE, len(os.sched_getaffinity(0)))
    done: list[TeamResult] = []
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(at_once) as pool:
        for result in pool.map(lambda each: _one(sandbox, spec, task, each, Path(scratch)), pipelines):
            done.append(result)
            if len(done) % SAID_EVERY == 0 or len(done) == len(pipelines):
                say(f"board: {len(done)} of {len(pipelines)} pipelines executed")
    return done


def _one(sandbox: Sandbox, spec: Spec, task: Task, pipeline: ReferencePipeline, scratch: Path) -> TeamResult:
    outbox = scratch / str(pipeline.team)
    address = f"board/{pipeline.team}"
    result = execute(sandbox, spec, Job(address, pipeline.program, PIPELINE_TIME_S, outbox, ("submission.csv",)))
    if result.status is not ExecStatus.OK:
        return TeamResult(pipeline, None, result.reason or result.status.value)
    grade = grading.grade_test(task, outbox / "submission.csv")
    return TeamResult(pipeline, grade.score, grade.problem)
