"""What a merge starts from: the best accepted program of all traces, those of the others, and what led to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlesearch.optimizers.gome.traces import Trace
from mlesearch.types import Direction, Guidance


@dataclass(frozen=True, slots=True)
class Merged:
    """The traces, brought together.

    Attributes:
        base: the best accepted program of all: what the merge edits.
        score: of `base`.
        others: the best accepted programs of the other traces.
        lessons: accepted experiments of all these traces, in the order of their programs.
    """

    base: int
    score: float
    others: tuple[int, ...]
    lessons: tuple[Guidance, ...]


def merged(traces: Sequence[Trace], direction: Direction, most_lessons: int) -> Merged | None:
    """What there is to merge; None while fewer than two traces have an accepted program. Ties go to the earlier node.

    Args:
        traces: all of them.
        direction: of the score.
        most_lessons: how many accepted experiments are named at most, the newest.
    """
    best = {t.best: t.best_score for t in traces if t.best is not None and t.best_score is not None}
    if len(best) < 2:
        return None
    base = min(best, key=lambda node: (-direction.sign * best[node], node))
    lessons = sorted((g for t in traces for g in t.successes), key=lambda g: -1 if g.node is None else g.node)
    others = tuple(node for node in best if node != base)
    return Merged(base, best[base], others, tuple(lessons[max(0, len(lessons) - most_lessons) :]))
