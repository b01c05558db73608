"""Spread between seeds: by hand, against statsmodels, and by simulation."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS

from mlesearch.analysis.statistics.dispersion import dispersion, study_dispersion
from tests.support.dependent_grids import seed_shock_cells


def test_one_cell_equals_an_analysis_of_variance():
    y = np.random.default_rng(0).binomial(1, 0.4, (30, 4)).astype(float)
    task, seed = np.divmod(np.arange(120), 4)
    dummies = np.column_stack([np.ones(120), pd.get_dummies(task).to_numpy(float)[:, 1:]])
    with_seed = np.column_stack([dummies, pd.get_dummies(seed).to_numpy(float)[:, 1:]])
    small, large = OLS(y.ravel(), dummies).fit(), OLS(y.ravel(), with_seed).fit()
    f, p, df = large.compare_f_test(small)
    got = dispersion([y])
    assert (got.ratio, got.p, got.df_seeds, got.df_runs) == pytest.approx((f, p, df, 29 * 3))


def test_cells_are_pooled_by_sums_of_squares():
    rng = np.random.default_rng(1)
    a, b = rng.binomial(1, 0.5, (20, 3)).astype(float), rng.binomial(1, 0.3, (25, 2)).astype(float)
    one, two, both = dispersion([a]), dispersion([b]), dispersion([a, b, np.ones((9, 3)), np.zeros((1, 3))])
    assert both.cells == 2
    assert (both.df_seeds, both.df_runs) == (3, 19 * 2 + 24)
    residual = [(y - y.mean(1, keepdims=True) - y.mean(0) + y.mean()) ** 2 for y in (a, b)]
    mean = sum(r.sum() for r in residual) / both.df_runs
    parts = [20 * ((a.mean(0) - a.mean()) ** 2).sum(), 25 * ((b.mean(0) - b.mean()) ** 2).sum()]
    assert both.ratio == pytest.approx(sum(parts) / 3 / mean)
    assert both.p == pytest.approx(stats.f.sf(both.ratio, 3, both.df_runs))
    assert min(one.p, two.p) <= 1


def test_nothing_to_compare_is_no_alarm():
    for cells in ([], [np.ones((5, 1))], [np.ones((5, 3))], [np.zeros((1, 3))]):
        got = dispersion(cells)
        assert (got.p, got.cells, got.flagged, got.worst) == (1.0, 0, False, ())
        assert math.isnan(got.ratio)


def test_the_seed_that_was_hit_is_named():
    rows = []
    rng = np.random.default_rng(3)
    for model in ("m0", "m1"):
        for task in range(40):
            for seed in (0, 1, 5):
                hit = seed != 5 and rng.random() < 0.6 if model == "m1" else rng.random() < 0.6
                rows.append({"model": model, "task": f"t{task}", "seed": seed, "hit": hit})
    frame = pd.DataFrame(rows)
    got = study_dispersion(frame, frame["hit"], ["greedy"] * len(frame))
    assert got.flagged
    assert got.worst == ("m1", "greedy", "5")
    assert got.worst_rate == 0.0
    assert got.cell_rate == pytest.approx(frame[frame["model"] == "m1"]["hit"].mean())
    fewer = frame.drop(index=0)  # a task that lacks a seed in one cell is left out there
    assert study_dispersion(fewer, fewer["hit"], ["greedy"] * len(fewer)).df_runs == got.df_runs - 2


def alarms(tasks, seeds, cells, shock, replicates, seed=31):
    rng = np.random.default_rng(seed)
    found = [dispersion(seed_shock_cells(rng, cells, tasks, seeds, shock)) for _ in range(replicates)]
    share = float(np.mean([d.flagged for d in found]))
    print(f"{tasks} x {seeds}, {cells} cells, shock {shock}: flagged {share:.3f}")
    return share


def test_bad_days_are_found_in_short():
    assert alarms(75, 3, 20, 0.0, 150) <= 0.04
    assert alarms(75, 3, 20, 0.4, 60) >= 0.85


@pytest.mark.slow
def test_bad_days_are_found_in_full():
    assert alarms(75, 3, 20, 0.4, 2000) >= 0.9
    assert alarms(75, 3, 20, 0.7, 1000) >= 0.99
    for tasks, seeds, cells in ((75, 3, 20), (75, 10, 20), (75, 3, 8), (22, 3, 20)):
        assert alarms(tasks, seeds, cells, 0.0, 4000) <= 0.02
