"""Programs looked up instead of run: what the world says of their pipelines, as executions and as scores.

The programs of a space are known byte for byte, so what each comes to is known too: its scores and seconds stand in the
table of its task, or are functions of its world. This module and the engineer's beliefs are the only two that read the
truth: the world that answers, and the mind that guesses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlesearch.engine.scoring import SUBMISSION
from mlesearch.engine.virtual.failures import Failures
from mlesearch.models.simulated.spaces import Recognised, recognise
from mlesearch.models.simulated.truth import PipelineScores, truth_of
from mlesearch.sandbox import packages
from mlesearch.sandbox.protocol import Job, Slot, Spec
from mlesearch.tasks.grading import grade_of
from mlesearch.tasks.protocol import Grade, Medal, Scored, Task
from mlesearch.types import MICROSECONDS, Artefact, Captured, ExecResult, ExecStatus, MlesearchError

NAME = "table"
"""What tables and identities call it, in place of a rung."""

VERSION = 1
"""Changes whenever the same program would come to something else."""


@dataclass(frozen=True, slots=True)
class LookedUp(ExecResult):
    """An execution that was looked up.

    Attributes:
        scores: of its pipeline; None where the program failed.
        problem: what is wrong with the submission that it would leave; empty where nothing is.
    """

    scores: PipelineScores | None = None
    problem: str = ""


class TableSandbox:
    """Answers every execution with what the world says of its program; runs nothing.

    Args:
        task: a task by its id and version, as a `Spec` names it.
    """

    name = NAME

    def __init__(self, task: Callable[[str], Task]) -> None:
        self._task = task
        self._failures: dict[str, Failures] = {}

    def identity(self) -> Mapping[str, object]:
        """Its version, and the packages that prompts name."""
        return {"rung": NAME, "promises": [], "version": VERSION, "environment": packages.digest()}

    def packages(self) -> Mapping[str, str]:
        """Those of the harness, which are those of most rungs."""
        return packages.prompt_packages()

    def check(self) -> None:
        """Nothing is run, so nothing can be lacking."""

    def prepare(self, spec: Spec) -> Slot:
        """A slot that holds nothing."""
        return Slot(spec)

    def run(self, slot: Slot, job: Job) -> ExecResult:
        """What a program comes to.

        Raises:
            MlesearchError: it is no program of the task's space, so there is nothing to look up.
        """
        known, id = recognise(job.program), slot.spec.task.partition("@")[0]
        if known is None or known.task != id:
            raise MlesearchError(
                f"clock: {job.address}: this program is none that a simulated engineer writes for {id}, so it can't be "
                "looked up; set clock=real to run it"
            )
        failures = self._failures.get(slot.spec.task)
        if failures is None:
            failures = self._failures[slot.spec.task] = Failures(self._task(slot.spec.task))
        return looked_up(known, job, failures)

    def close(self) -> None:
        """Nothing is open."""

    def reap_orphans(self) -> int:
        """Nothing is ever left behind."""
        return 0


def load_world(task: Task) -> None:
    """Load what programs of a task come to, before the first of them is looked up."""
    truth_of(task.id)


def looked_up(known: Recognised, job: Job, failures: Failures) -> LookedUp:
    """What a known program comes to within its deadline.

    A program takes the seconds of its pipeline, whether it fails or not; one that never ends takes all of its limit.
    """
    scores = truth_of(known.task).scores(known.pipeline, known.random_state)
    end = failures.end(known, job.program)
    if end.endless or scores.seconds > job.deadline_s:
        reason = f"still running after its time limit of {job.deadline_s:g} s"
        return LookedUp(ExecStatus.TIMEOUT, wall_us=round(job.deadline_s * MICROSECONDS), reason=reason)
    streams = _captured(end.stdout), _captured(end.stderr)
    took = round(scores.seconds * MICROSECONDS)
    if end.reason:
        return LookedUp(ExecStatus.ERROR, 1, None, took, 0, 0, *streams, reason=end.reason)
    left = {SUBMISSION: Artefact(SUBMISSION, Path(SUBMISSION))}
    return LookedUp(
        ExecStatus.OK, 0, None, took, 0, 0, *streams, artefacts=left, scores=scores, problem=end.submission_problem
    )


def _captured(text: str) -> Captured:
    return Captured(text, "", len(text.encode()))


@dataclass(frozen=True, slots=True)
class TableScorer:
    """Scores what was looked up, by the rules of the task's board."""

    task: Task

    def validation(self, result: ExecResult) -> Scored:
        """The validation score of the world."""
        scores, problem = _known(result)
        return Scored(None, problem) if problem else Scored(scores.validation)

    def submission_problem(self, result: ExecResult) -> str:
        """What is wrong with the submission that it would leave."""
        return _known(result)[1]

    def test(self, result: ExecResult) -> Grade:
        """The grade of the world's test score."""
        scores, problem = _known(result)
        if problem:
            return Grade(None, Medal.NONE, above_median=False, valid=False, problem=problem)
        return grade_of(self.task, scores.test)


def _known(result: ExecResult) -> tuple[PipelineScores, str]:
    if not isinstance(result, LookedUp) or result.scores is None:
        raise TypeError("only an execution that was looked up and ended well can be scored by the table")
    return result.scores, result.problem
