"""Medals of imported results, held against their score and the table of thresholds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from mlesearch.tasks import leaderboard, medals
from mlesearch.tasks.imported.results import ImportedResult
from mlesearch.types import ConfigError


def rechecked(results: Iterable[ImportedResult]) -> tuple[list[ImportedResult], list[str]]:
    """Results with medals where they lacked them, and where a source's medal is not that of its score.

    What a source says of medals stays: rates are to be those that were published. Scores of a validation win nothing,
    and of a task that is no competition of MLE-bench nothing can be checked.

    Returns:
        The results; and what does not agree, one line each.
    """
    found, mismatches = [], []
    for result in results:
        expected = _expected(result)
        if expected is None:
            found.append(result)
            continue
        medal, above = expected
        if result.medal is None or result.above_median is None:
            result = replace(
                result,
                medal=medal if result.medal is None else result.medal,
                above_median=above if result.above_median is None else result.above_median,
            )
        found.append(result)
        if (result.medal, result.above_median) != expected:
            said = _words(result.medal or "none", bool(result.above_median))
            mismatches.append(
                f"{result.source}: {result.task}, seed {result.seed}: score {result.score:g} wins {_words(*expected)} "
                f"by the table of thresholds, the source says {said}"
            )
    return found, mismatches


def _expected(result: ImportedResult) -> tuple[str, bool] | None:
    """The medal of a score, and whether it is above the median; None where that can't be told."""
    if result.score is None or result.kind != "test" or not result.valid:
        return None
    try:
        limits, direction = leaderboard.mlebench_thresholds(result.task)
    except ConfigError:
        return None
    if math.isnan(result.score):
        return "none", False
    return medals.medal(result.score, limits, direction).value, medals.above_median(result.score, limits, direction)


def _words(medal: str, above: bool) -> str:
    won = "no medal" if medal == "none" else medal
    return f"{won} ({'above' if above else 'not above'} the median)"
