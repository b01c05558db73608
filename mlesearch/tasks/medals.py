"""The medal rules of Kaggle as mle-bench applies them: positions on a board, thresholds, and what a score wins.

A score is compared as it is with thresholds as they are: rounding belongs to the grader. Source: the behaviour of
mle-bench's `rank_score`, which this equals on 15 probe scores for each of 66 competitions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlesearch.tasks.protocol import Medal, Thresholds
from mlesearch.types import Direction


class Positions(NamedTuple):
    """The last place on a board, counted from 1, that wins each medal."""

    gold: int
    silver: int
    bronze: int


def positions(teams: int) -> Positions:
    """The last place that wins each medal on a board of `teams` teams.

    Raises:
        ValueError: a board without a team.
    """
    if teams < 1:
        raise ValueError(f"a board needs at least one team, not {teams}")
    # Whole-number arithmetic, so that no rounding of a product decides a place.
    if teams < 100:
        return Positions(max(1, teams // 10), max(1, teams // 5), max(1, teams * 2 // 5))
    if teams < 250:
        return Positions(10, teams // 5, teams * 2 // 5)
    if teams < 1000:
        return Positions(10 + teams // 500, 50, 100)
    return Positions(10 + teams // 500, teams // 20, teams // 10)


def thresholds(scores: Sequence[float], direction: Direction) -> Thresholds:
    """The thresholds of a board, given the score of each team in any order.

    Raises:
        ValueError: no score, or one that is not finite.
    """
    if not all(math.isfinite(score) for score in scores):
        raise ValueError("a board's scores must be finite")
    at = positions(len(scores))
    best_first = sorted(scores, reverse=direction is Direction.MAXIMIZE)
    return Thresholds(
        gold=best_first[at.gold - 1],
        silver=best_first[at.silver - 1],
        bronze=best_first[at.bronze - 1],
        median=float(np.median(best_first)),
        teams=len(best_first),
    )


def medal(score: float | None, thresholds: Thresholds, direction: Direction) -> Medal:
    """The one medal that a score wins: it must reach the threshold. No score (None, NaN) wins none."""
    if score is None or math.isnan(score):
        return Medal.NONE
    for name in (Medal.GOLD, Medal.SILVER, Medal.BRONZE):
        limit: float = getattr(thresholds, name.value)
        if score == limit or direction.better(score, limit):
            return name
    return Medal.NONE


def above_median(score: float | None, thresholds: Thresholds, direction: Direction) -> bool:
    """Whether a score is strictly better than the board's median."""
    return score is not None and direction.better(score, thresholds.median)
