"""Accept or reject: a decision list over the diagnosis and the numbers."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass

from mlesearch.types import Diagnosis, Direction, VerdictKind


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a step's program, and the rule that said so."""

    kind: VerdictKind
    reason: str


class Scores:
    """The valid scores seen by all traces, and the spread of the accepted ones."""

    def __init__(self) -> None:
        self._sorted: list[float] = []
        self._accepted = 0
        self._low = 0.0
        self._high = 0.0

    def add(self, score: float) -> None:
        """Learn of a valid program's score."""
        insort(self._sorted, score)

    def discard(self, score: float) -> None:
        """Forget a score that turned out not to count."""
        del self._sorted[bisect_left(self._sorted, score)]

    def accept(self, score: float) -> None:
        """Learn of an accepted program's score."""
        self._low = min(self._low, score) if self._accepted else score
        self._high = max(self._high, score) if self._accepted else score
        self._accepted += 1

    @property
    def spread(self) -> float:
        """Largest minus smallest accepted score; 0 while there are fewer than two."""
        return self._high - self._low

    @property
    def interquartile_range(self) -> float:
        """Third minus first quartile of the valid scores (linear interpolation); 0 with fewer than four of them."""
        if len(self._sorted) < 4:
            return 0.0
        return self._quantile(0.75) - self._quantile(0.25)

    def _quantile(self, q: float) -> float:
        position = q * (len(self._sorted) - 1)
        below = int(position)
        if below + 1 == len(self._sorted):
            return self._sorted[below]
        share = position - below
        return self._sorted[below] * (1.0 - share) + self._sorted[below + 1] * share


def decide(
    diagnosis: Diagnosis | None,
    score: float,
    reference: float | None,
    direction: Direction,
    tie: float,
    by_model: bool,
) -> Decision:
    """The decision list; the first rule that applies decides.

    Args:
        diagnosis: of the program; None where there is none, and then the numbers alone decide.
        score: of the program, valid.
        reference: score of the accepted program that it edits; None for the first valid one of its trace.
        direction: of the score.
        tie: largest change that is a near-tie, in units of the score.
        by_model: whether the model's `replace` decides once the program is known to be sound, of a first one too.
    """
    if diagnosis is not None:
        if not diagnosis.format_valid:
            return Decision(VerdictKind.REJECTED, "the submission's format is not valid")
        if diagnosis.severely_misaligned:
            return Decision(VerdictKind.VOID, "its validation is severely misaligned with the task")
    if by_model and diagnosis is not None:
        if diagnosis.replace:
            what = "accepts the first program of its trace" if reference is None else "replaces the accepted program"
            return Decision(VerdictKind.ACCEPTED, f"the diagnosis {what}")
        what = "accepts no program yet" if reference is None else "keeps the accepted program"
        return Decision(VerdictKind.REJECTED, f"the diagnosis {what}")
    if reference is None:
        return Decision(VerdictKind.ACCEPTED, "first valid program of its trace")
    if score != reference and abs(score - reference) > tie:
        if direction.better(score, reference):
            return Decision(VerdictKind.ACCEPTED, "clearly better score")
        return Decision(VerdictKind.REJECTED, "clearly worse score")
    if diagnosis is not None and diagnosis.quality_better:
        return Decision(VerdictKind.ACCEPTED, "near-tie with better code")
    return Decision(VerdictKind.REJECTED, "near-tie without better code")
