"""Curves of the best so far, against small cases done by hand."""

import numpy as np
import pandas as pd
import pytest

from mlesearch.analysis.measures.curves import axis_points, best_so_far, mean_curve
from tests.support.synthetic_study import synthetic


def tiny_run(nodes, lower=False):
    """One run with the given nodes: (step, time, validation, test, valid, verdict, medal)."""
    runs = pd.DataFrame({"run_id": ["r"], "task": ["t"], "lower_is_better": [lower], "steps": [4], "charged_s": [40.0]})
    names = ("step", "t_charged_s", "val_score", "test_score", "valid", "verdict", "medal")
    frame = pd.DataFrame([dict(zip(names, node, strict=True)) for node in nodes])
    return runs, frame.assign(run_id="r", op="improve", proposal=range(len(nodes)))


def test_best_so_far_goes_by_validation_and_shows_the_test():
    runs, nodes = tiny_run(
        [
            (1, 10.0, 0.5, 0.9, True, "", "gold"),
            (2, 20.0, 0.6, 0.1, True, "", "none"),  # better by validation, worse on the test: it counts
            (3, 30.0, 0.9, 0.8, True, "void", "silver"),  # void: never
            (4, 40.0, None, None, False, "", "none"),
        ]
    )
    best = best_so_far(nodes, runs)
    assert best["step"].tolist() == [1.0, 2.0]
    assert best["test_score"].tolist() == [0.9, 0.1]
    assert best["standing"].tolist() == [1.0, 0.0]
    assert best["medal"].tolist() == [1.0, 0.0]
    curve = mean_curve(best, runs, "step", "medal", axis_points(best, runs, "step"))
    assert curve.mean.tolist() == [0, 1, 0, 0, 0]
    timed = mean_curve(best, runs, "t_charged_s", "medal", np.array([0.0, 9.9, 10.0, 19.9, 20.0, 99.0]))
    assert timed.mean.tolist() == [0, 0, 1, 1, 0, 0]
    assert np.isnan(timed.sem).all()


def test_best_so_far_knows_the_direction():
    runs, nodes = tiny_run(
        [(1, 1.0, 0.5, 0.5, True, "", None), (2, 2.0, 0.4, 0.4, True, "", None), (3, 3.0, 0.7, 0.7, True, "", None)],
        lower=True,
    )
    best = best_so_far(nodes, runs)
    assert best["val_score"].tolist() == [0.5, 0.4]
    assert best["standing"].tolist() == [0.5, 1.0]
    assert best["medal"].isna().all()


def test_curves_weigh_tasks_alike_and_count_runs_without_a_program():
    tables = synthetic(models=1, strategies=("greedy",), tasks=3, seeds=2, steps=5, claim=False)
    best = best_so_far(tables.nodes, tables.runs)
    x = axis_points(best, tables.runs, "step")
    curve = mean_curve(best, tables.runs, "step", "standing", x)
    last = best.groupby("run_id")["standing"].last().reindex(tables.runs["run_id"]).fillna(0.0).to_numpy()
    assert curve.mean[-1] == pytest.approx(last.reshape(3, 2).mean(axis=1).mean())
    assert curve.mean[0] == 0
    assert (curve.tasks, curve.runs) == (3, 6)
