"""Model families that several spaces share, each with two hyper-parameters: how flexible, and how much held back.

Every family has levels of its own, so what suits one family need not suit the next: who changes the model has to tune
again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mlesearch.models.simulated.spaces import Choice, Option
from mlesearch.types import Component

WIDTH = Choice(
    "width",
    Component.WORKFLOW,
    "The flexibility of the model is a first guess.",
    (
        Option("narrow", "a stiff model has little variance"),
        Option("middle", "a middle course is a safe start"),
        Option("wide", "a flexible model has little bias"),
    ),
)

PENALTY = Choice(
    "penalty",
    Component.WORKFLOW,
    "The regularisation of the model is a first guess.",
    (
        Option("strong", "much regularisation keeps noise out"),
        Option("middle", "a middle course is a safe start"),
        Option("weak", "little regularisation lets the data speak"),
    ),
)


class PredictedKind(StrEnum):
    """What is predicted."""

    NUMBERS = "Regressor"
    CLASSES = "Classifier"


@dataclass(frozen=True)
class FamilyLevels:
    """The numbers of a family's two hyper-parameters.

    Attributes:
        width: for narrow, middle and wide; each entry may be one number or several that go together.
        penalty: for strong, middle and weak; likewise.
    """

    width: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
    penalty: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]


_PIPELINE = ("from sklearn.pipeline import make_pipeline", "from sklearn.preprocessing import StandardScaler")


def lookup(names: str, choice: Choice, values: tuple[tuple[float, ...], ...]) -> str:
    """The line of a program that reads the numbers of a level."""
    shown = ", ".join(f'"{option.name}": {value!r}' for option, value in zip(choice.options, values, strict=True))
    first = "[0]" if len(values[0]) == 1 else ""
    return f'{names} = {{{shown}}}[PIPELINE["{choice.name}"]]{first}\n'


_NAMES: Mapping[str, tuple[str, str]] = {
    "forest": ("share", "leaf"),
    "linear": ("kept", "strength"),
    "boosting": ("leaves", "rate, rounds"),
    "kernel": ("width", "strength"),
    "neighbours": ("share", "near"),
}


_FOREST = """model = {name}(
    n_estimators=40, max_features=share, min_samples_leaf=leaf{weight}, random_state=0, n_jobs=1
)"""
_BOOSTING = """model = {name}(
    learning_rate=rate, max_iter=rounds, max_leaf_nodes=leaves{weight}, random_state=0
)"""
_NEIGHBOURS = """components = PCA(share, svd_solver="full")
model = make_pipeline(StandardScaler(), components, {name}(near, weights="distance"))"""
_RIDGE = """chosen = SelectPercentile(f_regression, percentile=100 * kept)
model = make_pipeline(StandardScaler(), chosen, Ridge(alpha=strength))"""
_LOGISTIC = """{early}chosen = SelectPercentile(f_classif, percentile=100 * kept)
linear = LogisticRegression(C=strength{weight}, max_iter={rounds})
model = make_pipeline(VarianceThreshold(), StandardScaler(), chosen, linear)"""
_KERNEL_RIDGE = """kernel = KernelRidge(kernel="rbf", gamma=width / X_train.shape[1], alpha=strength)
model = TransformedTargetRegressor(make_pipeline(StandardScaler(), kernel), transformer=StandardScaler())"""
_KERNEL_LOGISTIC = """{early}kernel = Nystroem(gamma=width / X_train.shape[1], n_components=200, random_state=0)
linear = LogisticRegression(C=strength{weight}, max_iter={rounds})
model = make_pipeline(StandardScaler(), kernel, linear)"""
EARLY_STOP = (
    'warnings.filterwarnings("ignore", category=ConvergenceWarning)  # stopping early is meant: it regularises\n'
)
EARLY_STOP_IMPORTS = ("import warnings", "from sklearn.exceptions import ConvergenceWarning")
"""The line of a program that stops a fit before it converges, and what the line needs."""

ROUNDS, EARLY_ROUNDS = 1000, 100
"""Rounds of a logistic regression: more than it needs, and where it stops early."""

_LOGISTIC_IMPORT = "from sklearn.linear_model import LogisticRegression"


def _code(family: str, kind: PredictedKind, weights: str, early: bool) -> tuple[tuple[str, ...], str]:
    """Imports, and the lines that make `model` of the hyper-parameters."""
    early = early or family == "kernel"
    match family, kind:
        case "forest", _:
            name, code = f"RandomForest{kind}", _FOREST
            imports: tuple[str, ...] = (f"from sklearn.ensemble import {name}",)
        case "boosting", _:
            name, code = f"HistGradientBoosting{kind}", _BOOSTING
            imports = (f"from sklearn.ensemble import {name}",)
        case "neighbours", _:
            name, code = f"KNeighbors{kind}", _NEIGHBOURS
            imports = (*_PIPELINE, "from sklearn.decomposition import PCA", f"from sklearn.neighbors import {name}")
        case "linear", PredictedKind.NUMBERS:
            name, code = "", _RIDGE
            select = "from sklearn.feature_selection import SelectPercentile, f_regression"
            imports = (*_PIPELINE, select, "from sklearn.linear_model import Ridge")
        case "linear", PredictedKind.CLASSES:
            name, code = "", _LOGISTIC
            imports = (
                *_PIPELINE,
                "from sklearn.feature_selection import SelectPercentile, VarianceThreshold, f_classif",
                *(EARLY_STOP_IMPORTS if early else ()),
                _LOGISTIC_IMPORT,
            )
        case "kernel", PredictedKind.NUMBERS:
            name, code = "", _KERNEL_RIDGE
            compose = "from sklearn.compose import TransformedTargetRegressor"
            imports = (*_PIPELINE, compose, "from sklearn.kernel_ridge import KernelRidge")
        case "kernel", PredictedKind.CLASSES:
            name, code = "", _KERNEL_LOGISTIC
            imports = (
                *_PIPELINE,
                "from sklearn.kernel_approximation import Nystroem",
                *EARLY_STOP_IMPORTS,
                _LOGISTIC_IMPORT,
            )
        case _:
            raise KeyError(family)
    weight = f", class_weight={weights}" if weights and kind is PredictedKind.CLASSES else ""
    rounds, stop = (EARLY_ROUNDS, EARLY_STOP) if early else (ROUNDS, "")
    return imports, code.format(name=name, weight=weight, rounds=rounds, early=stop)


def model(
    family: str, kind: PredictedKind, levels: FamilyLevels, weights: str = "", *, early: bool = False
) -> tuple[tuple[str, ...], str]:
    """Imports and code of a model whose size and regularisation `PIPELINE` names.

    Args:
        family: forest, linear, boosting, kernel or neighbours.
        kind: what is predicted.
        levels: numbers of its hyper-parameters.
        weights: expression of `class_weight`, for classes; empty: none.
        early: whether a linear classifier, too, stops before it converges, as that of a kernel does.
    """
    width, penalty = _NAMES[family]
    imports, code = _code(family, kind, weights, early)
    return imports, lookup(width, WIDTH, levels.width) + lookup(penalty, PENALTY, levels.penalty) + code
