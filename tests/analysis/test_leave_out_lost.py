"""What verdicts hang on with lost runs, and by category over the parts of the claim: against whole analyses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlesearch.analysis.comparisons import assumptions
from mlesearch.analysis.page.lost_cases_view import view
from mlesearch.analysis.results import analyse
from mlesearch.analysis.statistics.family import family
from mlesearch.analysis.statistics.gaps import holm
from tests.support.synthetic_study import FLAGS, lost, synthetic

TASKS = 12


@pytest.fixture(scope="module")
def tables():
    made = synthetic(models=5, strategies=("greedy", "gome"), tasks=TASKS, seeds=2, steps=1)
    return replace(made, runs=made.runs.assign(status="ok", valid=True))


def studied(tables, seed, gain=0.45, missing=0.04):
    """Medals drawn so that the gap rises with capability, and some runs without a result."""
    rng = np.random.default_rng(seed)
    runs = tables.runs.copy()
    runs[FLAGS] = False
    runs["valid"] = True
    rate = np.where(runs["strategy"] == "gome", np.clip(0.4 + gain * runs["capability"].astype(float), 0.02, 0.98), 0.4)
    runs["bronze"] = rng.random(len(runs)) < rate
    return lost(replace(tables, runs=runs), pd.Series(rng.random(len(runs)) < missing, index=runs.index))


def verdict(results):
    """In which direction gaps, slope and crossover are established."""
    main = results.main
    gaps = tuple(int(np.sign(g.gap)) * g.rejects() for g in main.gaps)
    slope = int(np.sign(main.slope.slope)) * (max(main.slope.p_adjusted, main.slope_p) <= 0.05)
    return gaps, slope, int(main.crossover.these_models)


def without(tables, task):
    kept = tables.runs["task"] != task
    ids = set(tables.runs.loc[kept, "run_id"])
    nodes, calls = (frame[frame["run_id"].isin(ids)] for frame in (tables.nodes, tables.calls))
    return replace(tables, runs=tables.runs[kept].reset_index(drop=True), nodes=nodes, calls=calls)


def hung(results):
    return {(h.verdict, h.model): set(h.tasks) for h in results.main.assumptions.hanging}


def test_a_verdict_hangs_on_a_task_without_which_the_bounds_undo_it(tables, monkeypatch):
    """Each task left out of the tables, and the whole analysis made again, bounds of lost runs included."""
    differ = found = 0
    for seed in (0, 1):
        study = studied(tables, seed)
        results = analyse(study)
        assert results.main.lost
        gaps, slope, across = verdict(results)
        left = {task: verdict(analyse(without(study, task))) for task in sorted(set(study.runs["task"]))}
        expected = {
            ("gap", name): {t for t, v in left.items() if v[0][m] != gaps[m]}
            for m, name in enumerate(results.models.names)
            if gaps[m]
        }
        expected |= {("slope", ""): {t for t, v in left.items() if v[1] != slope}} if slope else {}
        expected |= {("crossover", ""): {t for t, v in left.items() if v[2] != across}} if across else {}
        assert hung(results) == expected
        found += sum(map(len, expected.values()))
        with monkeypatch.context() as patch:
            patch.setattr(assumptions, "_left_bounds", lambda *_: None)
            differ += hung(analyse(study)) != expected
    assert found
    assert differ  # without the bounds other tasks would have been named


def test_clustered_tests_share_the_level_of_the_claim(tables):
    """By hand: Holm over the models, the larger of permutation and clustered t, the largest of three, one family."""
    study = studied(tables, 1, gain=0.6, missing=0.0)
    study = replace(
        study, runs=study.runs.assign(category=[f"kind {int(task[5:]) // 2}" for task in study.runs["task"]])
    )
    main = analyse(study).main
    by = main.assumptions.by_category
    crossing = max(by.low.p, by.high.p, by.change.p if by.change.mean > 0 else 1.0)
    parts = family(holm([g.p for g in by.gaps]).tolist(), max(main.slope.p, by.slope.p), crossing)
    assert by.p_adjusted == pytest.approx(parts.gaps)
    assert (by.p_slope, by.p_crossover) == pytest.approx((parts.slope, parts.crossover))
    assert by.p_slope > by.slope.p
    explored = analyse(replace(study, study=dict(study.study) | {"claim": None})).main.assumptions.by_category
    assert explored.p_adjusted == pytest.approx(holm([g.p for g in explored.gaps]))


def test_the_caption_of_the_four_cases_says_how_an_undeclared_pair_is_adjusted(tables):
    study = studied(tables, 0)
    declared, explored = analyse(study), analyse(replace(study, study=dict(study.study) | {"claim": None}))
    for results in (declared, explored):
        shown = view(results.lost_cases, "a − b", declared=results.main.confirmatory)
        assert ("by Holm over the models of this pair alone" in shown.caption) == (results is explored)
