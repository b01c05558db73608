"""Pipelines for friedman: bring settings to one scale, choose and expand them, regress."""

from __future__ import annotations

from collections.abc import Mapping

from mlesearch.models.simulated.mini.families import PENALTY, WIDTH
from mlesearch.models.simulated.programs import assemble
from mlesearch.models.simulated.spaces import Choice, Option, Space
from mlesearch.types import Component, Direction

CHOICES = (
    Choice(
        "scaling",
        Component.DATA,
        "Settings in large units outweigh all others.",
        (
            Option("none", "trees do not care about units"),
            Option("standard", "with mean zero and deviation one every setting counts alike"),
            Option("ranks", "ranks bring long tails in and make every setting uniform"),
        ),
    ),
    Choice(
        "selection",
        Component.FEATURES,
        "Idle settings add noise to every distance and every split.",
        (
            Option("all", "the model can find out by itself what matters"),
            Option("correlated", "settings without correlation to the target are noise"),
            Option("important", "a quick forest sees also what acts without any correlation"),
        ),
    ),
    Choice(
        "features",
        Component.FEATURES,
        "Bends and joint effects are not in the columns as they are.",
        (
            Option("plain", "the settings as they are say everything"),
            Option("products", "squares and products let simple models see joint effects"),
            Option("splines", "splines let each setting act along a curve of its own"),
        ),
    ),
    Choice(
        "model",
        Component.MODEL,
        "The regressor may not fit the shape of the function.",
        (
            Option("forest", "a random forest works without tuning"),
            Option("linear", "a penalised linear model is hard to overfit"),
            Option("boosting", "gradient boosting fits bends and interactions"),
            Option("svm", "a kernel machine suits smooth functions"),
        ),
    ),
    WIDTH,
    PENALTY,
)

_SCALING = {
    "none": "",
    "standard": "scaler = StandardScaler().fit(X_train)\n",
    "ranks": 'scaler = QuantileTransformer(n_quantiles=200, output_distribution="uniform").fit(X_train)\n',
}

_SELECTION = {
    "all": "",
    "correlated": "strength = np.abs(np.corrcoef(X_train.T, y_train)[-1, :-1])\n",
    "important": (
        "forest = ExtraTreesRegressor(40, min_samples_leaf=5, random_state=0, n_jobs=1).fit(X_train, y_train)\n"
        "strength = forest.feature_importances_\n"
    ),
}

_FEATURES = {
    "plain": "",
    "products": "expansion = PolynomialFeatures(2, include_bias=False).fit(X_train)\n",
    "splines": "expansion = SplineTransformer(n_knots=5, include_bias=False).fit(X_train)\n",
}

_MODELS = {
    "forest": (
        ("from sklearn.ensemble import RandomForestRegressor",),
        """share = {"narrow": (0.2,), "middle": (0.4,), "wide": (0.9,)}[PIPELINE["width"]]
leaf = {"strong": (12,), "middle": (5,), "weak": (2,)}[PIPELINE["penalty"]]
model = RandomForestRegressor(40, max_features=share[0], min_samples_leaf=leaf[0], random_state=0, n_jobs=1)""",
    ),
    "linear": (
        ("from sklearn.linear_model import ElasticNet", "from sklearn.pipeline import make_pipeline"),
        """ratio = {"narrow": (0.95,), "middle": (0.5,), "wide": (0.05,)}[PIPELINE["width"]]
strength = {"strong": (0.3,), "middle": (0.03,), "weak": (0.003,)}[PIPELINE["penalty"]]
model = make_pipeline(StandardScaler(), ElasticNet(alpha=strength[0], l1_ratio=ratio[0], max_iter=5000, tol=0.001))""",
    ),
    "boosting": (
        ("from sklearn.ensemble import HistGradientBoostingRegressor",),
        """leaves = {"narrow": (4,), "middle": (8,), "wide": (20,)}[PIPELINE["width"]]
rate, rounds = {"strong": (0.03, 80), "middle": (0.1, 100), "weak": (0.2, 150)}[PIPELINE["penalty"]]
model = HistGradientBoostingRegressor(
    learning_rate=rate, max_iter=rounds, max_leaf_nodes=leaves[0], min_samples_leaf=8, random_state=0
)""",
    ),
    "svm": (
        ("from sklearn.svm import SVR",),
        """width = {"narrow": (0.1,), "middle": (0.5,), "wide": (2.0,)}[PIPELINE["width"]]
strength = {"strong": (1.0,), "middle": (10.0,), "weak": (100.0,)}[PIPELINE["penalty"]]
model = SVR(C=strength[0], gamma=width[0] / (X_train.shape[1] * X_train.var()), epsilon=0.3)""",
    ),
}


def _program(settings: Mapping[str, str]) -> str:
    imports: list[str] = []
    needed, model = _MODELS[settings["model"]]
    preparation = "X_train, X_rows = train[INPUTS].to_numpy(), rows[INPUTS].to_numpy()\ny_train = LABELS\n"
    if settings["selection"] != "all":
        preparation += _SELECTION[settings["selection"]]
        preparation += "kept = np.argsort(strength)[-5:]\nX_train, X_rows = X_train[:, kept], X_rows[:, kept]\n"
        if settings["selection"] == "important":
            imports.append("from sklearn.ensemble import ExtraTreesRegressor")
    if settings["scaling"] != "none":
        preparation += _SCALING[settings["scaling"]]
        preparation += "X_train, X_rows = (scaler.transform(X) for X in (X_train, X_rows))\n"
        name = {"standard": "StandardScaler", "ranks": "QuantileTransformer"}[settings["scaling"]]
        imports.append(f"from sklearn.preprocessing import {name}")
    if settings["features"] != "plain":
        preparation += _FEATURES[settings["features"]]
        preparation += "X_train, X_rows = (expansion.transform(X) for X in (X_train, X_rows))\n"
        name = {"products": "PolynomialFeatures", "splines": "SplineTransformer"}[settings["features"]]
        imports.append(f"from sklearn.preprocessing import {name}")
    if settings["model"] == "linear":
        imports.append("from sklearn.preprocessing import StandardScaler")
    return assemble(
        title="The yield of a process from its settings.",
        settings=settings,
        target="yield",
        imports=[*imports, *needed],
        constants='INPUTS = [f"s{i}" for i in range(10)]\n',
        functions=[],
        preparation=preparation.replace("LABELS", 'train["yield"].to_numpy()'),
        model=model,
    )


SPACE = Space(
    task="friedman",
    direction=Direction.MINIMIZE,
    target="yield",
    choices=CHOICES,
    baseline=("none", "all", "plain", "forest", "middle", "middle"),
    program=_program,
)
