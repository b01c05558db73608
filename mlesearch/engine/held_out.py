"""Scores a competition of MLE-bench on a set that was held out of its training data, by its own grader.

No program reports its own score there: the grader that will give the test grade gives the validation score too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from mlesearch.engine.official import OfficialScorer
from mlesearch.engine.scoring import Scorer
from mlesearch.sandbox.protocol import Spec
from mlesearch.tasks.protocol import Grade, Scored, Task
from mlesearch.types import ExecResult


@dataclass(frozen=True, slots=True)
class HeldOutScorer:
    """A `Scorer` of what programs submit for a held-out set.

    Attributes:
        official: grades by the answers of that set.
    """

    official: OfficialScorer

    def validation(self, result: ExecResult) -> Scored:
        """See `Scorer`: the score that MLE-bench's grader gives."""
        problem = self.official.submission_problem(result)
        if problem:
            return Scored(None, problem)
        score = self.official.score(result)
        if score is None or not math.isfinite(score):
            return Scored(None, f"the score is {score}")
        return Scored(score)

    def submission_problem(self, result: ExecResult) -> str:
        """See `Scorer`."""
        return self.official.submission_problem(result)

    def test(self, result: ExecResult) -> Grade:
        """There is none: what answers the held-out set is no test submission.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"{self.official.task.id}: a submission for the held-out set has no test grade")


@dataclass(frozen=True, slots=True)
class OfficialSplits:
    """Fresh `Splits` of a competition, which are kept with its data and serve every run.

    Attributes:
        split: the competition with the fresh split of a seed; made where it is not there.
        spec: what programs are run in on such a split, its seed left out.
        scorer: what scores them there.
    """

    split: Callable[[int], Task]
    spec: Callable[[Task], Spec]
    scorer: Callable[[Task, int], Scorer]

    def make(self, seed: int) -> tuple[Spec, Scorer]:
        """See `Splits`."""
        task = self.split(seed)
        return replace(self.spec(task), split_seed=seed), self.scorer(task, seed)

    def close(self) -> None:
        """Nothing is removed: the next run takes the same splits."""
