"""What runs did, from their nodes, and its association with success: worked runs and a regression done otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlesearch.analysis.data.claim import arms_of, models_of
from mlesearch.analysis.data.tables import Tables, read
from mlesearch.analysis.measures.process import PROCESS, RERUN, associations, process_means, process_measures
from mlesearch.analysis.page import process_view
from mlesearch.analysis.report import all_frames, write_report
from mlesearch.analysis.results import analyse
from tests.support.html_page import Page
from tests.support.large_study import Shape, large
from tests.support.synthetic_study import write


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return read(write(large(Shape(models=2, tasks=5, seeds=4, steps=6)), tmp_path_factory.mktemp("process")))


def worked() -> tuple[pd.DataFrame, pd.DataFrame]:
    """One run of five programs: 10 and 40 are drafts, 20 edits 10, 30 mends 20 (and is void), 50 edits 20."""
    runs = pd.DataFrame(
        {"run_id": ["a", "empty"], "task": "t", "lower_is_better": True, "wait_s": 1.0, "charged_s": 3.0}
    )
    runs = runs.assign(improvement_rate=0.5, direction_accuracy=None)
    runs = runs.assign(val_selected=[1.0, None], test_selected=[2.0, None], test_oracle=[1.0, None])
    nodes = pd.DataFrame(
        {
            "run_id": "a",
            "proposal": [10, 20, 30, 40, 50],
            "step": [1, 2, 3, 4, 5],
            "op": ["draft", "improve", "debug", "draft", "improve"],
            "base": [None, 10, 20, None, 20],
            "verdict": ["", "accepted", "void", "", "rejected"],
            "valid": [True, True, True, False, True],
            "val_score": [3.0, 1.0, 0.5, None, 1.0],
            "test_score": [4.0, 2.0, 1.0, None, 3.0],
        }
    )
    return runs, nodes


def test_optimism_is_the_sum_of_its_parts_where_candidates_were_run_again(study: Tables, tmp_path: Path) -> None:
    """Less is better here: 1.0 on validation, 1.6 on fresh splits, 1.9 on test; .25 of it is noise."""
    runs, nodes = worked()
    again = runs.assign(val_first=[1.0, None], fresh_first=[1.6, None], test_first=[1.9, None])
    again = again.assign(choice_noise=[0.25, None], program_spread=[0.3, None], program_reach=[0.5, None])
    found = {name: float(values[0]) for name, values in process_measures(again, nodes).items()}
    sd = float(np.std([4.0, 2.0, 1.0, 3.0], ddof=1))
    parts = [found[name] * sd for name in RERUN]
    assert parts == pytest.approx([0.25, 0.35, 0.3])
    assert (found["spread"], found["reach"]) == (0.3, 0.5)
    without = analyse(study)
    assert "cannot be estimated apart" in process_view.process_view(without).caption
    columns = {"val_first": 1.0, "fresh_first": 0.8, "test_first": 0.7, "choice_noise": 0.1, "program_spread": 0.2}
    known = analyse(replace(study, runs=study.runs.assign(**columns)))
    assert "is the sum of three parts" in process_view.process_view(known).caption
    assert {"by_noise", "spread"} <= {one.measure for one in known.measured.process}
    assert not {"by_noise", "spread"} & {one.measure for one in without.measured.process}


def test_worked_measures() -> None:
    runs, nodes = worked()
    found = process_measures(runs, nodes)
    assert set(found) == set(PROCESS)
    first = {name: float(values[0]) for name, values in found.items()}
    sd = float(np.std([4.0, 2.0, 1.0, 3.0], ddof=1))
    expected = {"improvement_rate": 0.5, "edits_kept": 0.5, "best_at": 0.4, "debug_share": 0.2, "failed_share": 0.2}
    expected |= {"depth": 3.0, "width": 2.0, "waiting_share": 0.25, "optimism": 1.0 / sd, "regret": 1.0 / sd}
    assert first.pop("direction_accuracy") != first["depth"]  # it has none: NaN
    later = ("by_noise", "by_overfitting", "by_shift", "spread", "reach")
    assert all(np.isnan(first.pop(name)) for name in later)  # tables of an earlier version lack their columns
    assert first == pytest.approx(expected)
    bare = {name for name, values in found.items() if not np.isnan(values[1])}
    assert bare == {"improvement_rate", "waiting_share"}  # a run without programs has nothing else


def test_the_order_of_nodes_does_not_matter(study: Tables) -> None:
    drawn = np.random.default_rng(0).permutation(len(study.nodes))
    found, again = (process_measures(study.runs, nodes) for nodes in (study.nodes, study.nodes.iloc[drawn]))
    for name, values in found.items():
        assert np.allclose(values, again[name], rtol=1e-12, equal_nan=True), name


def test_depths_are_those_of_going_from_base_to_base(study: Tables) -> None:
    found = process_measures(study.runs, study.nodes)["depth"]
    nodes = study.nodes.assign(run_id=study.nodes["run_id"].astype(object))
    for run_id, depth in list(zip(study.runs["run_id"], found, strict=True))[::17]:
        part = nodes[nodes["run_id"] == run_id]
        base = dict(zip(part["proposal"], part["base"], strict=True))

        def chain(node: int, base: dict[int, object] = base) -> int:
            return 1 + (chain(int(str(base[node]))) if not pd.isna(base[node]) else 0)

        assert depth == max(chain(node) for node in base)


def test_associations_are_those_of_a_regression_with_dummies_clustered_by_task(study: Tables) -> None:
    """Least squares with one column a model and task, and the sandwich over tasks with T / (T - 1) and t(T - 1)."""
    models, arms = models_of(study), arms_of(study)
    measures = process_measures(study.runs, study.nodes)
    found = {(a.measure, a.strategy): a for a in associations(measures, study.runs, models, arms)}
    runs = study.runs
    x = measures["failed_share"]
    done = (runs["status"] == "ok").to_numpy()
    y = runs[["gold", "silver", "bronze"]].any(axis=1).to_numpy(dtype=float)
    groups = pd.get_dummies(runs["model"] + runs["task"]).to_numpy(dtype=float)
    design = np.column_stack((x, groups))[done]
    beta, *_ = np.linalg.lstsq(design, y[done], rcond=None)
    residual = y[done] - design @ beta
    bread = np.linalg.pinv(design.T @ design)
    tasks = runs["task"].to_numpy()[done]
    scores = [design[tasks == t].T @ residual[tasks == t] for t in sorted(set(tasks))]
    meat = sum(np.outer(s, s) for s in scores) * len(scores) / (len(scores) - 1)
    error = float(np.sqrt((bread @ meat @ bread)[0, 0]))
    one = found["failed_share", ""]
    reach = stats.t.ppf(0.975, len(scores) - 1) * error
    got = (one.slope / one.sd, one.low / one.sd, one.high / one.sd)
    assert got == pytest.approx((beta[0], beta[0] - reach, beta[0] + reach), rel=1e-8)
    assert one.p == pytest.approx(2 * stats.t.sf(abs(beta[0]) / error, len(scores) - 1), rel=1e-8)
    assert one.runs == int(done.sum())


def test_an_association_within_model_and_task_is_none_of_the_difference_between_tasks(study: Tables) -> None:
    """A measure that is the same in all runs of a task has none, however it goes with the task's difficulty."""
    models, arms = models_of(study), arms_of(study)
    hard = study.runs["task"].map({f"task-{t:03d}": float(t) for t in range(5)}).to_numpy(dtype=float)
    assert associations({"depth": hard}, study.runs, models, arms) == ()


def test_means_are_over_tasks_of_means_over_models_and_runs(study: Tables) -> None:
    models, arms = models_of(study), arms_of(study)
    found = process_means(process_measures(study.runs, study.nodes), study.runs, models, arms)
    one = next(m for m in found if (m.measure, m.strategy) == ("debug_share", "greedy"))
    nodes = study.nodes.assign(run_id=study.nodes["run_id"].astype(object), debug=study.nodes["op"] == "debug")
    shares = nodes.groupby("run_id")["debug"].mean()
    runs = study.runs[study.runs["strategy"] == "greedy"]
    by_task = runs.assign(y=runs["run_id"].map(shares)).groupby(["task", "model"])["y"].mean().groupby("task").mean()
    assert (one.mean, one.sem_tasks) == pytest.approx((by_task.mean(), by_task.sem()), rel=1e-12)
    assert (one.tasks, one.runs) == (5, len(runs))


@pytest.mark.usefixtures("undrawn")
def test_the_page_says_that_they_are_no_effect(study: Tables, tmp_path: Path) -> None:
    folder = write(study, tmp_path)
    assert {"process", "process_success"} <= set(all_frames(analyse(read(folder))))
    text = Page(write_report(folder).read_text(encoding="utf-8")).text
    assert "no effect: nothing here was assigned at random" in text
    assert "the two cannot be estimated apart" in text
