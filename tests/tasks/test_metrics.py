"""The named metrics against scikit-learn and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from mlesearch.tasks.metrics import METRICS, MetricProblem

SEEDS = st.integers(0, 10_000)
quick = settings(max_examples=40, deadline=None)


def score(name: str, truth: object, prediction: object) -> float:
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.ndim == 1:
        truth, prediction = truth[:, None], prediction[:, None]
    return METRICS[name].function(truth, prediction)


def draw(seed: int, n: int = 50) -> tuple[np.random.Generator, int]:
    rng = np.random.default_rng(seed)
    return rng, int(rng.integers(2, n))


@quick
@given(SEEDS)
def test_label_metrics_equal_sklearn(seed: int) -> None:
    rng, n = draw(seed)
    truth, prediction = rng.integers(0, 4, n), rng.integers(0, 5, n)
    assert score("accuracy", truth, prediction) == pytest.approx(sk.accuracy_score(truth, prediction))
    assert score("macro_f1", truth, prediction) == pytest.approx(sk.f1_score(truth, prediction, average="macro"))
    words = np.array(["red", "green", "blue", "None", "NA"], dtype=object)
    assert score("accuracy", words[truth], words[prediction]) == score("accuracy", truth, prediction)
    assert score("macro_f1", words[truth], words[prediction]) == pytest.approx(score("macro_f1", truth, prediction))


@quick
@given(SEEDS)
def test_number_metrics_equal_sklearn(seed: int) -> None:
    rng, n = draw(seed)
    truth, prediction = rng.gamma(2, 5, n), rng.gamma(2, 5, n)
    assert score("rmse", truth, prediction) == pytest.approx(sk.root_mean_squared_error(truth, prediction))
    assert score("mae", truth, prediction) == pytest.approx(sk.mean_absolute_error(truth, prediction))
    assert score("rmsle", truth, prediction) == pytest.approx(sk.root_mean_squared_log_error(truth, prediction))


@quick
@given(SEEDS)
def test_auc_equals_sklearn_with_ties(seed: int) -> None:
    rng, n = draw(seed)
    truth = np.r_[0, 1, rng.integers(0, 2, n)]
    prediction = rng.integers(0, 6, n + 2) / 5
    assert score("auc", truth, prediction) == pytest.approx(sk.roc_auc_score(truth, prediction))


@quick
@given(SEEDS)
def test_log_loss_equals_sklearn(seed: int) -> None:
    rng, n = draw(seed)
    truth, p = np.r_[0, 1, rng.integers(0, 2, n)], rng.uniform(0.01, 0.99, n + 2)
    assert score("log_loss", truth, p) == pytest.approx(sk.log_loss(truth, p))
    labels = np.r_[0, 1, 2, rng.integers(0, 3, n)]
    many = rng.dirichlet([1, 1, 1], n + 3)
    assert score("log_loss", np.eye(3)[labels], many) == pytest.approx(sk.log_loss(labels, many))
    # Rows are rescaled to sum to one.
    assert score("log_loss", np.eye(3)[labels], many / 2) == pytest.approx(sk.log_loss(labels, many))


@quick
@given(SEEDS)
def test_kappa_equals_sklearn_where_every_level_occurs(seed: int) -> None:
    rng, n = draw(seed)
    truth = np.r_[0, 1, 2, 3, rng.integers(0, 4, n)]
    prediction = rng.integers(0, 4, n + 4)
    expected = sk.cohen_kappa_score(truth, prediction, weights="quadratic")
    assert score("quadratic_kappa", truth, prediction) == pytest.approx(expected)


def test_by_hand() -> None:
    assert score("log_loss", [1, 1], [1.0, 0.0]) == pytest.approx(-math.log(1e-15) / 2, rel=1e-3)
    assert score("macro_f1", ["a", "a", "b"], ["a", "b", "c"]) == pytest.approx((2 / 3 + 0 + 0) / 3)
    assert score("rmsle", [math.e - 1], [0]) == pytest.approx(1.0)
    # kappa of (0, 9) against (0, 8): observed (0 + 1) / 2; expected mean of 0, 64, 81, 1 over all pairs
    assert score("quadratic_kappa", [0, 9], [0, 8]) == pytest.approx(1 - 0.5 / 36.5)
    two = np.array([[0.0, 10.0], [0.0, 10.0]])
    assert METRICS["rmse"].function(two, two + np.array([[1, 3], [1, 3]])) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("name", "truth", "prediction", "expected"),
    [
        ("rmsle", [1.0, 2.0], [1.0, -0.5], "not negative, but one is -0.5"),
        ("log_loss", [0, 1], [0.5, 1.2], "from 0 to 1, but a prediction is 1.2"),
        ("log_loss", [[1, 0], [0, 1]], [[0.5, 0.5], [0.0, 0.0]], "a row has zeros only"),
        ("quadratic_kappa", [1, 2], [1.0, 1.5], "whole numbers, but a prediction is 1.5"),
    ],
)
def test_predictions_that_break_the_metric(name: str, truth: object, prediction: object, expected: str) -> None:
    with pytest.raises(MetricProblem, match=expected):
        score(name, truth, prediction)


@pytest.mark.parametrize(
    ("name", "truth"), [("auc", [1, 1]), ("auc", [1, 2]), ("log_loss", [0, 3]), ("rmsle", [-2.0, 1.0])]
)
def test_answers_that_break_the_metric_are_not_blamed_on_the_prediction(name: str, truth: list[float]) -> None:
    with pytest.raises(ValueError, match="answers") as caught:
        score(name, truth, [0.5, 0.5])
    assert not isinstance(caught.value, MetricProblem)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_natural_direction_is_the_declared_one(name: str) -> None:
    truth = np.array([[0], [1], [1], [0]])
    worse = np.array([[1], [0], [1], [0]])
    metric = METRICS[name]
    assert metric.direction.better(metric.function(truth, truth), metric.function(truth, worse))
