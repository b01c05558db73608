"""Whether improvements improved: how often a step beats the program it edits, and a hypothesis predicts its gain."""

from __future__ import annotations

import statistics

from mlesearch.storage.nouns import HypothesisJson
from mlesearch.study.runs.fold import FoldedRun
from mlesearch.types import Direction, Op


def valid_score(f: FoldedRun, id: int | None) -> float | None:
    """The validation score of a node; None where it has none that is valid."""
    told = f.told.get(id) if id is not None else None
    return told["outcome"].get("score") if told is not None and told["outcome"]["status"] == "ok" else None


def _counted_score(f: FoldedRun, id: int | None) -> float | None:
    """The validation score of a node that is valid and not void."""
    return None if id is not None and f.verdicts.get(id) == "void" else valid_score(f, id)


def _improves(f: FoldedRun, id: int, direction: Direction) -> bool | None:
    """Whether an improvement beat its base; None where that can't be said. A void score beats nothing."""
    base = _counted_score(f, f.asked[id]["p"].get("base"))
    if base is None or id not in f.told:
        return None
    score = _counted_score(f, id)
    return score is not None and direction.better(score, base)


def improvement_rate(f: FoldedRun, direction: Direction) -> float | None:
    """Share of improvement steps whose validated score beats their base; None without any."""
    steps = [i for i, e in f.asked.items() if e["p"]["op"] == Op.IMPROVE.value]
    known = [x for x in (_improves(f, i, direction) for i in steps) if x is not None]
    return sum(known) / len(known) if known else None


def direction_accuracy(f: FoldedRun, direction: Direction) -> float | None:
    """Share of implemented hypotheses whose predicted sign came true; None without any.

    The prediction, made before execution: a gain, if the impact score lies above the median of its candidates. Where
    all candidates have one impact, nothing was predicted, and the hypothesis is left out.
    """
    right = []
    candidates: dict[int, list[HypothesisJson]] = {}  # of the latest HYPOTHESIZE of each trace
    for id, e in f.asked.items():
        p = e["p"]
        trace = p.get("trace", 0)
        if p["op"] == Op.HYPOTHESIZE.value and id in f.told:
            candidates[trace] = f.told[id]["outcome"].get("hypotheses", [])
        if p["op"] != Op.IMPROVE.value:
            continue
        texts = [x["text"] for x in p.get("guidance", ()) if x["kind"] == "hypothesis"]
        chosen = [h for h in candidates.get(trace, ()) if h["text"] in texts]
        gained = _improves(f, id, direction)
        if len(chosen) == 1 and gained is not None:
            impacts = [h["scores"][1] for h in candidates[trace]]
            if len(set(impacts)) > 1:
                right.append((chosen[0]["scores"][1] > statistics.median(impacts)) == gained)
    return sum(right) / len(right) if right else None
