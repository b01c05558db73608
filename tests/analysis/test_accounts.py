"""What runs cost, how programs failed, and the measures of a mechanism: sums and means that add up."""

import numpy as np
import pytest

from mlesearch.analysis.data.claim import arms_of, models_of
from mlesearch.analysis.measures import accounts
from tests.support.synthetic_study import synthetic


def test_accounts_add_up():
    tables = synthetic(models=2, tasks=2, seeds=2)
    arms = arms_of(tables)
    cost = accounts.cost(tables.runs, tables.calls, arms)
    by_op = accounts.cost_by_operator(tables.runs, tables.calls, arms)
    assert cost["calls"].sum() == len(tables.calls) == by_op["calls"].sum()
    assert cost["usd"].sum() == pytest.approx(tables.calls["cost_usd"].sum())
    assert by_op["tokens_in"].sum() == tables.calls["tokens_in"].sum()
    np.testing.assert_allclose(by_op.groupby("strategy")["share_of_tokens"].sum(), 1.0)
    gome = cost.set_index("strategy").loc["gome"]
    assert gome["usd_per_medal"] == pytest.approx(gome["usd"] / gome["medals"])
    failed = accounts.failures(tables.runs, tables.nodes, arms)
    assert failed["programs"].sum() == len(tables.nodes)
    np.testing.assert_allclose(failed.groupby("strategy")["share"].sum(), 1.0)


def test_an_unknown_price_is_not_zero():
    tables = synthetic(models=1, tasks=1, priced=False)
    assert accounts.cost(tables.runs, tables.calls, arms_of(tables))["usd"].isna().all()


def test_mechanism_is_a_mean_over_tasks_with_its_numbers():
    tables = synthetic(models=1, tasks=3, seeds=2)
    frame = accounts.mechanism(tables.runs, models_of(tables), arms_of(tables)).set_index("strategy")
    own = tables.runs[tables.runs["strategy"] == "gome"]
    by_task = own.groupby("task")["direction_accuracy"].mean()
    assert frame.loc["gome", "direction_accuracy"] == pytest.approx(by_task.mean())
    assert frame.loc["gome", "direction_accuracy_sem_tasks"] == pytest.approx(by_task.sem())
    assert (frame.loc["gome", "direction_accuracy_tasks"], frame.loc["gome", "direction_accuracy_runs"]) == (3, 6)
    assert np.isnan(frame.loc["random", "direction_accuracy"])
    assert frame.loc["random", "direction_accuracy_runs"] == 0
