"""The named metrics by the rules of MLE-bench's graders, which refuse what ours of before score, and cut off elsewhere.

A task asks for them with `metric_rules: mlebench`. Facts, from MLE-bench's commit 783b15a with scikit-learn 1.9, whose
functions its graders call:

- AUC takes predictions from 0 to 1 only (the common rule of ten graders, e.g. aerial-cactus-identification).
- Probabilities of several classes sum to 1 in each row, within 1.1e-5: the graders of spooky-author-identification,
  leaf-classification and dog-breed-identification name a tolerance of 1e-6, to which numpy's `isclose` adds its own
  relative one of 1e-5. (lmsys-chatbot-arena is stricter: 5e-7.) Nothing is rescaled.
- Log loss keeps probabilities 2.2e-16 from 0 and 1, the machine precision: one sure mistake costs 36.04.
- Kappa weighs by the places of the levels that occur, in their order, and not by their values.
- RMSLE takes any prediction above -1.
- Labels that are numbers are whole numbers. (Four graders of macro F1, such as herbarium-2020's, cut off what stands
  behind the point; it is refused here, as scikit-learn's own function does.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mlesearch.tasks import metrics
from mlesearch.tasks.metrics import MetricProblem, Values, as_floats, by_column, check_binary
from mlesearch.tasks.protocol import ANY_NUMBER, Bounds, MetricRules

CLIP = float(np.finfo(np.float64).eps)
"""Probabilities are kept this far from 0 and 1."""

SUM_TOLERANCE = 1e-6 + 1e-5
"""How far from 1 the probabilities of a row may sum."""


@dataclass(frozen=True, slots=True)
class StrictMetric:
    """A metric by MLE-bench's rules.

    Attributes:
        function: (truth, prediction) -> score; shapes (rows, targets). The predictions are within the bounds.
        bounds: of predictions, unless a task declares others.
    """

    function: Callable[[Values, Values], float]
    bounds: Bounds = ANY_NUMBER


def check_bounds(prediction: Values, bounds: Bounds, of: str) -> None:
    """Refuse predictions outside a range.

    Args:
        prediction: shape (rows, targets); labels that are texts have no range.
        bounds: the range.
        of: whose range it is, in words.

    Raises:
        MetricProblem: one is outside.
    """
    low, high = bounds
    values = as_floats(prediction)
    outside = ~((values >= low) & (values <= high))
    if outside.any():
        wanted = f"from {low:.6g} to {high:.6g}"
        wanted = wanted if math.isfinite(high) else f"of at least {low:.6g}"
        wanted = wanted if math.isfinite(low) else f"of at most {high:.6g}"
        raise MetricProblem(
            f"{of} expects predictions {wanted}, but {int(outside.sum()):,} are outside, the first is "
            f"{values[outside][0]:.9g}; bring them into this range"
        )


def log_loss(truth: Values, prediction: Values) -> float:
    """Mean negative log-likelihood, natural logarithm; see `metrics.log_loss` for the shapes.

    Raises:
        MetricProblem: the probabilities of a row do not sum to 1.
    """
    true, p = as_floats(truth), as_floats(prediction)
    if p.shape[1] == 1:
        check_binary(true)
        true, p = np.hstack([1 - true, true]), np.hstack([1 - p, p])
    else:
        total = p.sum(axis=1)
        off = np.abs(total - 1) > SUM_TOLERANCE
        if off.any():
            raise MetricProblem(
                f"log loss expects probabilities that sum to 1 in each row (within {SUM_TOLERANCE:.2g}), but "
                f"{int(off.sum()):,} rows do not, the first sums to {total[off][0]:.9g}; divide each row by its sum, "
                "and write at least 7 decimals"
            )
    p = np.clip(p, CLIP, 1 - CLIP)
    return float(-np.mean((true * np.log(p)).sum(axis=1)))


def _kappa_column(truth: Values, prediction: Values) -> float:
    _check_whole(truth, prediction, "quadratic kappa")
    _, codes = np.unique(np.concatenate([truth, prediction]), return_inverse=True)
    true, predicted = codes[: len(truth)].astype(float), codes[len(truth) :].astype(float)
    expected = true.var() + predicted.var() + (true.mean() - predicted.mean()) ** 2
    if expected == 0:
        raise ValueError("quadratic kappa needs answers that are not all the same")
    return float(1 - np.mean((true - predicted) ** 2) / expected)


def _check_whole(truth: Values, prediction: Values, of: str) -> None:
    """Labels that are numbers are whole numbers, and so are predictions of them; texts may be anything.

    Raises:
        MetricProblem: a prediction is none.
        ValueError: an answer is none.
    """
    if truth.dtype.kind not in "iuf":
        return
    if (truth != np.rint(truth)).any():
        raise ValueError(f"{of} needs answers that are labels: texts or whole numbers")
    if prediction.dtype.kind == "f" and (broken := prediction != np.rint(prediction)).any():
        raise MetricProblem(
            f"{of} expects labels, here whole numbers, but a prediction is {prediction[broken][0]:.6g}; "
            "submit labels, not probabilities or means of them"
        )


def _labels(name: str, title: str) -> Callable[[Values, Values], float]:
    """A metric of labels that refuses fractions among whole numbers."""
    function = metrics.METRICS[name].function

    def scored(truth: Values, prediction: Values) -> float:
        _check_whole(truth, prediction, title)
        return function(truth, prediction)

    return scored


def _rmsle_column(truth: Values, prediction: Values) -> float:
    if (truth <= -1).any():
        raise ValueError("RMSLE needs answers above -1")
    if (prediction <= -1).any():
        raise MetricProblem(f"RMSLE expects predictions above -1, but one is {prediction.min():.6g}; clip them at 0")
    return float(np.sqrt(np.mean((np.log1p(truth) - np.log1p(prediction)) ** 2)))


STRICT: Mapping[str, StrictMetric] = MappingProxyType(
    {
        "accuracy": StrictMetric(_labels("accuracy", "accuracy")),
        "macro_f1": StrictMetric(_labels("macro_f1", "macro F1")),
        "auc": StrictMetric(metrics.METRICS["auc"].function, (0.0, 1.0)),
        "log_loss": StrictMetric(log_loss, (0.0, 1.0)),
        "quadratic_kappa": StrictMetric(by_column(_kappa_column)),
        "rmsle": StrictMetric(by_column(_rmsle_column)),
    }
)
"""By name; the metrics that are not here are the same by either rule."""


def score(name: str, rules: MetricRules, bounds: Bounds | None, truth: Values, prediction: Values) -> float:
    """The score by a named metric.

    Args:
        name: of the metric.
        rules: whose.
        bounds: of predictions, as a task declares them; None: those of the rules.
        truth: shape (rows, targets).
        prediction: likewise, in the same row order.

    Raises:
        ConfigError: there is no such metric.
        MetricProblem: it can't score these predictions.
        ValueError: it can't score these answers.
    """
    metric = metrics.find(name)
    strict = STRICT.get(name) if rules is MetricRules.MLEBENCH else None
    if bounds is None:
        bounds = ANY_NUMBER if strict is None else strict.bounds
    if bounds != ANY_NUMBER:
        check_bounds(prediction, bounds, metric.title)
    return (metric.function if strict is None else strict.function)(truth, prediction)
