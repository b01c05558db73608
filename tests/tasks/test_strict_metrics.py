"""The named metrics by MLE-bench's rules: equal to scikit-learn, and to what MLE-bench's graders gave."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from mlesearch.operators.scene import contract
from mlesearch.tasks import folder
from mlesearch.tasks.grading import grade_test, score_validation
from mlesearch.tasks.metrics import METRICS, MetricProblem
from mlesearch.tasks.protocol import MetricRules
from mlesearch.tasks.strict_metrics import CLIP, STRICT, score
from mlesearch.types import ConfigError
from tests.support.task_maker import make_task, predictions, write_submission

Rows = Sequence[Sequence[float]]
EXACT = 1e-12
SEEDS = st.integers(0, 10_000)
quick = settings(max_examples=60, deadline=None)


def strict(name: str, truth: object, prediction: object) -> float:
    truth, prediction = (
        np.asarray(v)[:, None] if np.asarray(v).ndim == 1 else np.asarray(v) for v in (truth, prediction)
    )
    return score(name, MetricRules.MLEBENCH, None, truth, prediction)


def draw(seed: int, n: int = 60) -> tuple[np.random.Generator, int]:
    rng = np.random.default_rng(seed)
    return rng, int(rng.integers(2, n))


@quick
@given(SEEDS, st.floats(1e-3, 1e6))
def test_number_metrics_equal_sklearn(seed: int, scale: float) -> None:
    rng, n = draw(seed)
    truth, prediction = rng.gamma(2, scale, (n, 2)), rng.gamma(2, scale, (n, 2)) - 0.5
    known = {"rmse": sk.root_mean_squared_error, "mae": sk.mean_absolute_error, "rmsle": sk.root_mean_squared_log_error}
    for name, function in known.items():
        expected = np.mean([function(truth[:, j], prediction[:, j]) for j in range(2)])
        assert strict(name, truth, prediction) == pytest.approx(expected, rel=EXACT), name


@quick
@given(SEEDS)
def test_label_metrics_equal_sklearn(seed: int) -> None:
    rng, n = draw(seed)
    truth, prediction = rng.integers(-2, 4, n), rng.integers(-2, 6, n)
    assert strict("accuracy", truth, prediction) == pytest.approx(sk.accuracy_score(truth, prediction), abs=EXACT)
    expected = sk.f1_score(truth, prediction, average="macro")
    assert strict("macro_f1", truth, prediction.astype(float)) == pytest.approx(expected, abs=EXACT)
    words = np.array(["red", "green", "blue", "None", "NA", "1.5", "2"], dtype=object)
    expected = sk.f1_score(words[truth + 2], words[np.minimum(prediction + 2, 6)], average="macro")
    found = strict("macro_f1", words[truth + 2], words[np.minimum(prediction + 2, 6)])
    assert found == pytest.approx(expected, abs=EXACT)


@quick
@given(SEEDS)
def test_auc_equals_sklearn(seed: int) -> None:
    rng, n = draw(seed)
    truth = np.r_[[[0, 1], [1, 0]], rng.integers(0, 2, (n, 2))]
    prediction = rng.integers(0, 7, (n + 2, 2)) / 6
    expected = np.mean([sk.roc_auc_score(truth[:, j], prediction[:, j]) for j in range(2)])
    assert strict("auc", truth, prediction) == pytest.approx(expected, abs=EXACT)


@quick
@given(SEEDS)
def test_kappa_equals_sklearn_also_where_levels_are_missing(seed: int) -> None:
    rng, n = draw(seed)
    levels = np.sort(rng.choice(20, size=4, replace=False)) - 5
    truth, prediction = np.r_[levels[:2], rng.choice(levels, n)], rng.choice(levels, n + 2)
    expected = sk.cohen_kappa_score(truth, prediction, weights="quadratic")
    assert strict("quadratic_kappa", truth, prediction) == pytest.approx(expected, abs=EXACT)


@quick
@given(SEEDS, st.booleans())
def test_log_loss_equals_sklearn_also_for_sure_predictions(seed: int, sure: bool) -> None:
    rng, n = draw(seed)
    truth, p = np.r_[0, 1, rng.integers(0, 2, n)], rng.choice([0.0, 1e-17, 0.3, 1.0], n + 2)
    assert strict("log_loss", truth, p) == pytest.approx(sk.log_loss(truth, p), rel=EXACT)
    labels = np.r_[0, 1, 2, rng.integers(0, 3, n)]
    many = np.eye(3)[rng.integers(0, 3, n + 3)] if sure else rng.dirichlet([0.2, 1, 1], n + 3)
    assert strict("log_loss", np.eye(3)[labels], many) == pytest.approx(sk.log_loss(labels, many), rel=EXACT)


# What MLE-bench's graders gave: the function `grade` of the competition named, of commit 783b15a with scikit-learn
# 1.9.1, numpy 2.3.5 and pandas 2.3.3, called with the truth below and each prediction as two frames under the
# competition's column names and equal ids. None: it raised, so the submission is invalid there.
ONE_HOT = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
REST = [[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]
BINARY = [[0], [1], [1], [0]]
LEVELS = [[0], [1], [2], [4], [4], [0]]
CLASSES = [[3], [1], [2], [1]]
TWO = [[0.1, 3.0], [0.2, 1.0], [0.0, 2.0]]
PAWS = [[30], [60], [90]]
GOLDEN: list[tuple[str, str, Rows, Rows, float | None]] = [
    ("spooky-author-identification", "log_loss", ONE_HOT, [[0.7, 0.2, 0.1], *REST], 0.4243218919376292),
    ("spooky-author-identification", "log_loss", ONE_HOT, [[0.70001, 0.2, 0.1], *REST], 0.4243171300668805),
    ("spooky-author-identification", "log_loss", ONE_HOT, [[0.7000109, 0.2, 0.1], *REST], 0.4243167015018498),
    ("spooky-author-identification", "log_loss", ONE_HOT, [[0.6999891, 0.2, 0.1], *REST], 0.42432708245423156),
    ("spooky-author-identification", "log_loss", ONE_HOT, [[0.7000111, 0.2, 0.1], *REST], None),
    ("spooky-author-identification", "log_loss", ONE_HOT, [[0.6999889, 0.2, 0.1], *REST], None),
    ("spooky-author-identification", "log_loss", ONE_HOT, [[0.7, 0.2, 0.1002], *REST], None),
    ("spooky-author-identification", "log_loss", ONE_HOT, [[0.35, 0.1, 0.05], *REST], None),
    ("spooky-author-identification", "log_loss", ONE_HOT, [[0.0, 1.0, 0.0], *REST], 12.31998137366377),
    ("spooky-author-identification", "log_loss", ONE_HOT, [[1.0, 0.0, 0.0], *REST], 0.30543024395805174),
    ("spooky-author-identification", "log_loss", ONE_HOT, [[1.2, -0.1, -0.1], *REST], None),
    ("spooky-author-identification", "log_loss", ONE_HOT, [[0.0, 0.0, 0.0], *REST], None),
    ("dogs-vs-cats-redux-kernels-edition", "log_loss", BINARY, [[0.2], [0.9], [0.6], [0.4]], 0.3375388286260044),
    ("dogs-vs-cats-redux-kernels-edition", "log_loss", BINARY, [[1], [1], [1], [0]], 9.010913347279288),
    ("dogs-vs-cats-redux-kernels-edition", "log_loss", BINARY, [[0.0], [0.0], [1.0], [0.0]], 9.010913347279288),
    ("dogs-vs-cats-redux-kernels-edition", "log_loss", BINARY, [[1e-17], [0.9], [0.6], [0.4]], 0.281752940797452),
    ("dogs-vs-cats-redux-kernels-edition", "log_loss", BINARY, [[0.2], [1.0000001], [0.6], [0.4]], None),
    ("dogs-vs-cats-redux-kernels-edition", "log_loss", BINARY, [[-1e-9], [0.9], [0.6], [0.4]], None),
    ("aerial-cactus-identification", "auc", BINARY, [[0.2], [0.9], [0.4], [0.4]], 0.875),
    ("aerial-cactus-identification", "auc", BINARY, [[0.5], [0.5], [0.5], [0.5]], 0.5),
    ("aerial-cactus-identification", "auc", BINARY, [[0], [1], [1], [0]], 1.0),
    ("aerial-cactus-identification", "auc", BINARY, [[1], [4], [3], [2]], None),
    ("aerial-cactus-identification", "auc", BINARY, [[-0.5], [0.9], [0.6], [0.4]], None),
    ("aptos2019-blindness-detection", "quadratic_kappa", LEVELS, [[0], [2], [2], [4], [1], [0]], 0.7058823529411764),
    ("aptos2019-blindness-detection", "quadratic_kappa", LEVELS, [[0], [1], [2], [4], [4], [4]], 0.5263157894736843),
    ("aptos2019-blindness-detection", "quadratic_kappa", LEVELS, [[0], [7], [2], [4], [1], [0]], 0.4347826086956522),
    ("aptos2019-blindness-detection", "quadratic_kappa", LEVELS, [[-1], [1], [2], [4], [4], [0]], 0.9565217391304348),
    ("aptos2019-blindness-detection", "quadratic_kappa", LEVELS, [[0], [1.5], [2], [4], [1], [0]], None),
    ("herbarium-2020-fgvc7", "macro_f1", CLASSES, [[3], [1], [1], [1]], 0.6),
    ("herbarium-2020-fgvc7", "macro_f1", CLASSES, [[9], [1], [2], [1]], 0.5),
    ("tabular-playground-series-dec-2021", "accuracy", CLASSES, [[3], [1], [1], [1]], 0.75),
    ("tabular-playground-series-dec-2021", "accuracy", CLASSES, [[3.0], [1.0], [2.0], [1.0]], 1.0),
    ("tabular-playground-series-dec-2021", "accuracy", CLASSES, [[3.5], [1], [2], [1]], None),
    (
        "nomad2018-predict-transparent-conductors",
        "rmsle",
        TWO,
        [[0.1, 2.5], [0.25, 1], [0.05, 2]],
        0.056911368362749355,
    ),
    (
        "nomad2018-predict-transparent-conductors",
        "rmsle",
        TWO,
        [[-0.01, 2.5], [0.25, 1], [0.05, 2]],
        0.07407623439926593,
    ),
    ("nomad2018-predict-transparent-conductors", "rmsle", TWO, [[-1.0, 2.5], [0.25, 1], [0.05, 2]], None),
    ("new-york-city-taxi-fare-prediction", "rmse", [[8.5], [60], [3]], [[9], [55], [-3]], 4.51848057057532),
]


@pytest.mark.parametrize(("competition", "name", "truth", "prediction", "expected"), GOLDEN)
def test_scores_are_those_of_mlebench(
    competition: str, name: str, truth: Rows, prediction: Rows, expected: float | None
) -> None:
    if expected is None:
        with pytest.raises(MetricProblem) as refused:
            strict(name, truth, prediction)
        assert "\n" not in str(refused.value)
    else:
        assert strict(name, truth, prediction) == pytest.approx(expected, rel=EXACT), competition


RANGES: list[tuple[str, tuple[float, float], Rows, Rows, float | None]] = [
    # petfinder-pawpularity-score and plant-pathology-2020-fgvc7, likewise
    ("rmse", (1, 100), PAWS, [[32.5], [60], [70]], 11.636866703140784),
    ("rmse", (1, 100), PAWS, [[0.5], [60], [70]], None),
    ("rmse", (1, 100), PAWS, [[100.5], [60], [70]], None),
    ("auc", (-math.inf, math.inf), np.eye(4).tolist(), (np.eye(4) * 7 - 3).tolist(), 1.0),
]


@pytest.mark.parametrize(("name", "bounds", "truth", "prediction", "expected"), RANGES)
def test_a_declared_range_replaces_that_of_the_metric(
    name: str, bounds: tuple[float, float], truth: Rows, prediction: Rows, expected: float | None
) -> None:
    values = np.asarray(truth), np.asarray(prediction)
    if expected is None:
        with pytest.raises(MetricProblem, match="RMSE expects predictions from 1 to 100, but 1 are outside"):
            score(name, MetricRules.MLEBENCH, bounds, *values)
    else:
        assert score(name, MetricRules.MLEBENCH, bounds, *values) == pytest.approx(expected, rel=EXACT)


SAID = [
    ("auc", [0, 1], [3.0, 0.2], "area under the ROC curve expects predictions from 0 to 1, but 1 .* the first is 3"),
    (
        "log_loss",
        ONE_HOT,
        [[2, 1, 1], *REST],
        "log loss expects predictions from 0 to 1, .*; bring them into this range",
    ),
    (
        "log_loss",
        ONE_HOT,
        [[0.7, 0.2, 0.0999], *REST],
        r"\(within 1.1e-05\), but 1 rows do not, the first sums to 0.9999;",
    ),
    (
        "accuracy",
        [0, 1],
        [0.4, 0.9],
        "expects labels, here whole numbers, but a prediction is 0.4; submit labels, not prob",
    ),
    ("macro_f1", [0, 1], [0.4, 1.0], "macro F1 expects labels"),
    ("quadratic_kappa", [0, 1], [0.4, 1.0], "quadratic kappa expects labels"),
    ("rmsle", [0, 1], [-2.0, 1.0], "RMSLE expects predictions above -1, but one is -2; clip them at 0"),
]


@pytest.mark.parametrize(("name", "truth", "prediction", "expected"), SAID)
def test_a_refusal_says_what_to_do(name: str, truth: object, prediction: object, expected: str) -> None:
    with pytest.raises(MetricProblem, match=expected):
        strict(name, truth, prediction)


@pytest.mark.parametrize(
    ("name", "truth"),
    [("auc", [1, 1]), ("auc", [1, 2]), ("log_loss", [0, 3]), ("rmsle", [-2.0, 1.0]), ("accuracy", [0.5, 1])],
)
def test_answers_that_break_the_metric_are_not_blamed_on_the_prediction(name: str, truth: list[float]) -> None:
    with pytest.raises(ValueError, match="answers") as caught:
        strict(name, truth, [0.5, 0.5])
    assert not isinstance(caught.value, MetricProblem)


def test_where_nothing_differs_the_plain_function_scores() -> None:
    assert set(METRICS) - set(STRICT) == {"rmse", "mae"}
    plain = score("log_loss", MetricRules.PLAIN, None, np.array(ONE_HOT), np.array([[0.35, 0.1, 0.05], *REST]))
    assert plain == pytest.approx(strict("log_loss", ONE_HOT, [[0.7, 0.2, 0.1], *REST]))
    assert strict("log_loss", [1, 1], [1.0, 0.0]) == pytest.approx(-math.log(CLIP) / 2, rel=1e-9)


def test_a_task_declares_its_rules(tmp_path: Path) -> None:
    low = write_submission(tmp_path / "s.csv", predictions(-12.5))
    for name, rules, problem in (("a", None, "not negative"), ("b", "mlebench", "above -1, but one is")):
        root = make_task(tmp_path / name, metric="rmsle", metric_rules=rules)
        assert problem in score_validation(folder.load(root), low).problem
    one = make_task(tmp_path / "c", metric="rmsle", metric_rules="mlebench", prediction_range=[0, None])
    task = folder.load(one)
    assert (task.metric_rules, task.prediction_range) == (MetricRules.MLEBENCH, (0.0, math.inf))
    assert "RMSLE expects predictions of at least 0, but" in grade_test(task, low).problem
    plain = [folder.load(make_task(tmp_path / n, metric="rmsle")).version for n in ("d", "e")]
    assert len({*plain, task.version}) == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"metric_rules": "mlebnech"}, "metric_rules is 'mlebnech'; allowed: plain, mlebench; did you mean 'mlebench'"),
        (
            {"prediction_range": [1]},
            r"prediction_range is \[1\]; expected two numbers, such as \[0, 1\] or \[0, null\]",
        ),
        ({"prediction_range": [0, "1"]}, "expected two numbers"),
        ({"prediction_range": [True, 2]}, "expected two numbers"),
        ({"prediction_range": [1, 0]}, "expected the lowest prediction before the highest"),
        ({"positional": "yes"}, "positional is 'yes'; expected bool"),
    ],
)
def test_rules_that_are_none(tmp_path: Path, given: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        folder.load(make_task(tmp_path, **given))


def test_rules_of_named_metrics_are_refused_beside_a_grader(tmp_path: Path) -> None:
    (make_task(tmp_path, metric="own", metric_rules="mlebench") / "grade.py").write_text("def grade(s, a): return 1.0")
    with pytest.raises(ConfigError, match=r"metric_rules is of named metrics, and grade\.py scores here; leave it out"):
        folder.load(tmp_path)


def test_rows_of_a_positional_task_stand_in_the_order_of_the_sample(tmp_path: Path) -> None:
    task = folder.load(make_task(tmp_path / "task", positional=True))
    right = write_submission(tmp_path / "s.csv", predictions())
    assert score_validation(task, right).score == pytest.approx(0.0, abs=1e-12)
    assert grade_test(task, write_submission(tmp_path / "t.csv", predictions(only=("test",)))).score == 0.0
    turned = write_submission(tmp_path / "u.csv", dict(reversed(predictions().items())))
    problem = score_validation(task, turned).problem
    assert problem.startswith(
        "the rows must stand in the order of sample_submission.csv, but id 18 comes too late: the"
    )
    assert grade_test(task, turned).problem == problem


def test_the_contract_of_a_positional_task_asks_for_the_order_and_no_other_contract_does(tmp_path: Path) -> None:
    plain = folder.load(make_task(tmp_path / "plain"))
    task = folder.load(make_task(tmp_path / "task", positional=True))
    order = "\nOrder: the rows of `submission.csv` must stand in the order of `input/sample_submission.csv`"
    assert contract(task).startswith(contract(plain) + order)
    assert "Order:" not in contract(plain)
