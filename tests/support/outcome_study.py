"""Studies whose outcomes are given, for the words of the report: which runs of two strategies had a medal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt

from mlesearch.analysis.data.tables import Tables
from tests.support.synthetic_study import FLAGS, synthetic


def outcome_study(
    hits: npt.ArrayLike, seeds: int, figures: Sequence[float], simulated: bool = False, **claim: object
) -> Tables:
    """A study of gome against greedy in which so many runs of each model and task have a gold medal.

    Args:
        hits: shape (M, 2, T): successful runs, gome first.
        seeds: runs of each model, strategy and task.
        figures: of the models' capability, in the order of the hits.
        simulated: whether it is.
        claim: further keys of the declared claim; `declared=False`: none is declared.
    """
    h = np.asarray(hits)
    models, _, tasks = h.shape
    tables = _empty(models, tasks, seeds, simulated)
    runs = tables.runs.copy()
    model = runs["model"].str[-2:].astype(int).to_numpy() - 1
    arm = (runs["strategy"] != "gome").to_numpy().astype(int)
    task = runs["task"].str[-2:].astype(int).to_numpy()
    won = runs["seed"].to_numpy() < h[model, arm, task]
    runs[FLAGS] = False
    runs["valid"] = True
    for flag in ("gold", "above_median"):
        runs[flag] = won
    runs["status"] = "ok"
    runs["capability"] = np.asarray(figures, dtype=np.float64)[model]
    nodes = tables.nodes.assign(status="ok", valid=True, val_score=0.5, test_score=0.5, medal="none")
    study = dict(tables.study)
    study["claim"] = {**study["claim"], **claim} if claim.pop("declared", True) else None
    return replace(tables, runs=runs, nodes=nodes, study=study)


@cache
def _empty(models: int, tasks: int, seeds: int, simulated: bool) -> Tables:
    """The study before its outcomes are given."""
    arms = ("greedy", "gome")
    return synthetic(models=models, strategies=arms, tasks=tasks, seeds=seeds, steps=1, simulated=simulated)


def grid(models: Sequence[tuple[int, int]], tasks: int, seeds: int, noise: int = 0) -> npt.NDArray[np.int64]:
    """Hits, shape (M, 2, T), of models whose arms each succeed that often on every task, but for some noise.

    Args:
        models: successes of treatment and baseline in each task.
        tasks: their number.
        seeds: of each.
        noise: seed of a draw that takes or gives one success on a quarter of the tasks; 0: none.
    """
    hits = np.repeat(np.asarray(models, dtype=np.int64)[:, :, None], tasks, axis=2)
    if noise:
        rng = np.random.default_rng(noise)
        hits = hits + rng.choice([-1, 0, 0, 0, 0, 0, 0, 1], size=hits.shape)
    return np.clip(hits, 0, seeds)
