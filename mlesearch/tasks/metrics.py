"""The named metrics, in numpy, each with the direction in which it is better.

A metric takes the true values and the predictions, both of shape (rows, targets) and in the same row order, and
returns a finite float. What a prediction must look like (a probability, not negative, a whole number) is part of
the metric; a prediction that breaks it raises `MetricProblem`, whose text is shown to whoever made the prediction.
`mlesearch.tasks.strict_metrics` has the same metrics by the rules of MLE-bench's graders, which are other ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from mlesearch.types import Direction, Registry

Values = npt.NDArray[Any]

LOG_LOSS_CLIP = 1e-15
"""Probabilities are kept this far from 0 and 1, so that one sure mistake costs 34.5 and not infinity."""


class MetricProblem(ValueError):
    """A prediction that the metric cannot score; the text says what it expects."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A named metric.

    Attributes:
        name: as in task.yaml.
        title: for people.
        direction: the natural one; a task that declares the other is refused.
        function: (truth, prediction) -> score; shapes (rows, targets).
        labels: whether it compares labels, which may be texts; all others need numbers.
        many_targets: whether several target columns make sense.
    """

    name: str
    title: str
    direction: Direction
    function: Callable[[Values, Values], float]
    labels: bool = False
    many_targets: bool = False


def as_floats(values: Values) -> npt.NDArray[np.float64]:
    """Values of any kind of number as floats."""
    return np.asarray(values, dtype=np.float64)


def check_binary(truth: Values) -> None:
    """Refuse answers that are not 0 or 1.

    Raises:
        ValueError: one is not.
    """
    if not np.isin(truth, (0, 1)).all():
        raise ValueError("the answers must be 0 or 1")


def by_column(function: Callable[[Values, Values], float]) -> Callable[[Values, Values], float]:
    """The mean of a one-column metric over the target columns."""

    def mean(truth: Values, prediction: Values) -> float:
        columns = range(truth.shape[1])
        return float(np.mean([function(as_floats(truth[:, j]), as_floats(prediction[:, j])) for j in columns]))

    return mean


def _codes(truth: Values, prediction: Values) -> tuple[Values, Values, int]:
    """Both label columns as codes 0..k-1 of their common sorted labels, and k."""
    both = np.concatenate([truth.ravel(), prediction.ravel()])
    if both.dtype == object:
        both = both.astype(str)
    labels, codes = np.unique(both, return_inverse=True)
    return codes[: truth.size], codes[truth.size :], len(labels)


def accuracy(truth: Values, prediction: Values) -> float:
    """Share of rows whose label is right."""
    return float(np.mean(truth.ravel() == prediction.ravel()))


def macro_f1(truth: Values, prediction: Values) -> float:
    """Unweighted mean of the F1 of every label that occurs in the truth or in the predictions."""
    true, predicted, k = _codes(truth, prediction)
    hits = np.bincount(true[true == predicted], minlength=k)
    support = np.bincount(true, minlength=k) + np.bincount(predicted, minlength=k)
    return float(np.mean(2 * hits / support))


def log_loss(truth: Values, prediction: Values) -> float:
    """Mean negative log-likelihood, natural logarithm.

    One target column holds the probability of class 1 of a 0/1 truth. With several, each is the probability of one
    class, the truth is one-hot, and rows are rescaled to sum to 1.

    Raises:
        MetricProblem: a probability outside 0 to 1, or a row of zeros.
    """
    true, p = as_floats(truth), as_floats(prediction)
    outside = (p < 0) | (p > 1)
    if outside.any():
        raise MetricProblem(f"log loss expects probabilities from 0 to 1, but a prediction is {p[outside][0]:.6g}")
    if p.shape[1] == 1:
        check_binary(true)
        true, p = np.hstack([1 - true, true]), np.hstack([1 - p, p])
    total = p.sum(axis=1, keepdims=True)
    if (total == 0).any():
        raise MetricProblem("log loss expects probabilities that sum to 1 in each row, but a row has zeros only")
    p = np.clip(p / total, LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP)
    return float(-np.mean((true * np.log(p)).sum(axis=1)))


def _auc_column(truth: Values, prediction: Values) -> float:
    check_binary(truth)
    positive = truth == 1
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        raise ValueError("AUC needs rows of both classes among the answers")
    _, codes, counts = np.unique(prediction, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean_rank = last - (counts - 1) / 2
    rank_sum = mean_rank[codes][positive].sum()
    return float((rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def _rmse_column(truth: Values, prediction: Values) -> float:
    return float(np.sqrt(np.mean((truth - prediction) ** 2)))


def _rmsle_column(truth: Values, prediction: Values) -> float:
    if (truth < 0).any():
        raise ValueError("RMSLE needs answers that are not negative")
    if (prediction < 0).any():
        raise MetricProblem(f"RMSLE expects predictions that are not negative, but one is {prediction.min():.6g}")
    return _rmse_column(np.log1p(truth), np.log1p(prediction))


def _mae_column(truth: Values, prediction: Values) -> float:
    return float(np.mean(np.abs(truth - prediction)))


def _kappa_column(truth: Values, prediction: Values) -> float:
    """Quadratic weighted kappa on the values themselves: a gap between two levels counts with its width."""
    broken = prediction != np.rint(prediction)
    if broken.any():
        raise MetricProblem(f"quadratic kappa expects whole numbers, but a prediction is {prediction[broken][0]:.6g}")
    # The expected squared difference of two independent draws, one from each column.
    expected = truth.var() + prediction.var() + (truth.mean() - prediction.mean()) ** 2
    if expected == 0:
        raise ValueError("quadratic kappa needs answers that are not all the same")
    return float(1 - np.mean((truth - prediction) ** 2) / expected)


_UP, _DOWN = Direction.MAXIMIZE, Direction.MINIMIZE

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("accuracy", "accuracy", _UP, accuracy, labels=True),
            Metric("macro_f1", "macro F1", _UP, macro_f1, labels=True),
            Metric("auc", "area under the ROC curve", _UP, by_column(_auc_column), many_targets=True),
            Metric("quadratic_kappa", "quadratic weighted kappa", _UP, by_column(_kappa_column), many_targets=True),
            Metric("log_loss", "log loss", _DOWN, log_loss, many_targets=True),
            Metric("rmse", "RMSE", _DOWN, by_column(_rmse_column), many_targets=True),
            Metric("rmsle", "RMSLE", _DOWN, by_column(_rmsle_column), many_targets=True),
            Metric("mae", "MAE", _DOWN, by_column(_mae_column), many_targets=True),
        )
    }
)
"""By name. Several target columns are scored column by column and averaged, save for `log_loss` (see there)."""

METRIC_NAMES = Registry(
    setting="metric",
    noun="metric",
    group="mlesearch.metrics",
    builtin=METRICS,
    fits=lambda found: isinstance(found, Metric),
)
"""The metrics that a task may name: those above, and each `Metric` that an installed package brings."""


@lru_cache(maxsize=64)
def find(name: str, at: str = "") -> Metric:
    """A metric by its name.

    Args:
        name: built-in, or of an installed package.
        at: begins an error, e.g. the file that names it.

    Raises:
        ConfigError: there is none of this name, or it can't be imported.
    """
    found: Metric = METRIC_NAMES.load(name, at)
    return found
