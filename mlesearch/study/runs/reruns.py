"""What reruns on fresh splits say of how much the validation of a run flattered its choice.

The program that validation puts first scores less where it is scored again: one evaluation is noisy, and a search that
climbs on one split fits to it. How much noise alone makes is told by the fresh splits themselves, which no search has
seen: the candidate that one of them puts first is read off the others.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from mlesearch.study.runs.fold import FoldedRun
from mlesearch.study.runs.mechanism import valid_score
from mlesearch.types import Direction


@dataclass(frozen=True, slots=True)
class RerunFacts:
    """Of the candidate that validation puts first among those that were run again; all in the metric's units.

    Attributes:
        splits: fresh splits on which every candidate that counts has a score.
        validation: its validation score.
        fresh: its mean score over these splits.
        test: its test score; None where it has none.
        by_noise: by how much a single split flatters the candidate that it puts first, against the mean of the other
            splits, mean over splits; more is more flattering. None with one split or one candidate.
    """

    splits: int
    validation: float
    fresh: float
    test: float | None
    by_noise: float | None


def rerun_facts(f: FoldedRun, direction: Direction) -> RerunFacts | None:
    """What the reruns of a run say; None without any, or where validation's first candidate failed in one.

    A candidate that failed on some split is left out, and a split that was cut short counts for nothing.

    Args:
        f: the run, folded.
        direction: of its metric.
    """
    scores: dict[int, dict[int, float | None]] = {}
    for e in f.revalidated:
        scores.setdefault(e["id"], {})[e["split"]] = e["score"]
    if not scores:
        return None
    splits = sorted(set.intersection(*(set(own) for own in scores.values())))
    known = {id: {split: value for split in splits if (value := own[split]) is not None} for id, own in scores.items()}
    whole = {id: own for id, own in known.items() if splits and len(own) == len(splits)}
    ranked = [(direction.sign * score, -id, score) for id in scores if (score := valid_score(f, id)) is not None]
    if not ranked:
        return None
    _, minus, validation = max(ranked)
    first = -minus
    if first not in whole:
        return None
    grade = f.grades.get(first)
    return RerunFacts(
        len(splits),
        validation,
        statistics.fmean(whole[first].values()),
        None if grade is None else grade["score"],
        _by_noise(whole, splits, direction.sign),
    )


def _by_noise(scores: Mapping[int, Mapping[int, float]], splits: list[int], sign: int) -> float | None:
    """How much one fresh split flatters the candidate that it puts first, read off the others."""
    if len(splits) < 2 or len(scores) < 2:
        return None
    excess = []
    for split in splits:
        chosen = max(scores.values(), key=lambda own: sign * own[split])
        rest = statistics.fmean(value for other, value in chosen.items() if other != split)
        excess.append(sign * (chosen[split] - rest))
    return statistics.fmean(excess)
