"""Three submissions whose grades tell whether an interpreter grades as the environment of 2024 did.

With pandas 3 each of them is called invalid, without a word: a method that a grader calls is gone, and what is missing
among texts is no text any more. All are tiny, written here, and graded by the real graders.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlesearch.tasks.mlebench.facts import facts
from mlesearch.tasks.mlebench.pool import GraderPool


@dataclass(frozen=True, slots=True)
class GradingCase:
    """A submission and the score that it has to get.

    Attributes:
        what: in words.
        competition: by whose grader.
        answers: a CSV.
        submission: a CSV.
        score: the right one.
    """

    what: str
    competition: str
    answers: str
    submission: str
    score: float


CASES = (
    GradingCase(
        "a perfect submission",
        "tgs-salt-identification-challenge",
        "id,rle_mask\na,1 101\nb,5 3\nc,\n",
        "id,rle_mask\na,1 101\nb,5 3\nc,\n",
        1.0,
    ),
    GradingCase(
        "a submission with an empty cell",
        "whale-categorization-playground",
        "Image,Id\na.jpg,w_1\nb.jpg,w_2\n",
        "Image,Id\na.jpg,w_1\nb.jpg,\n",
        0.5,
    ),
    GradingCase(
        "answers of which one is missing",
        "text-normalization-challenge-english-language",
        'id,after\n0_0,"one"\n0_1,\n',
        'id,after\n0_0,"one"\n0_1,\n',
        1.0,
    ),
)


def wrong_grades(python: Path) -> Iterator[str]:
    """The cases that an interpreter grades wrongly, in words.

    Args:
        python: an interpreter that has MLE-bench.

    Raises:
        ConfigError: it has none.
        GraderUnavailable: it can't grade at all.
    """
    with tempfile.TemporaryDirectory(prefix="mlesearch-selftest-") as made:
        folder = Path(made)
        with GraderPool(python, folder / "data", timeout_s=120.0) as graders:
            for case in CASES:
                known = facts(case.competition)
                prepared = folder / "data" / case.competition / "prepared"
                for name, text in ((known.answers, case.answers), (known.sample, case.submission)):
                    (prepared / name).parent.mkdir(parents=True, exist_ok=True)
                    (prepared / name).write_text(text, encoding="utf-8")
                submission = folder / "submission.csv"
                submission.write_text(case.submission, encoding="utf-8")
                report = graders.grade(case.competition, submission, aligned=False)
                if report.score != case.score:
                    got = f"invalid ({report.reason})" if report.score is None else f"{report.score:g}"
                    yield f"{case.what} ({case.competition}) is graded {got}, not {case.score:g}"
