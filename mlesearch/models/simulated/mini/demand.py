"""Pipelines for demand: calendar, history of each series, scale of the target, regression."""

from __future__ import annotations

from collections.abc import Mapping

from mlesearch.models.simulated.mini.families import PENALTY, WIDTH, FamilyLevels, PredictedKind, model
from mlesearch.models.simulated.programs import assemble
from mlesearch.models.simulated.spaces import Choice, Option, Space
from mlesearch.types import Component, Direction

CHOICES = (
    Choice(
        "calendar",
        Component.FEATURES,
        "The week and its holidays act unlike a number.",
        (
            Option("numbers", "weekday as a number is enough to split on"),
            Option("events", "weekdays with the day before and after a holiday, when people shop ahead"),
        ),
    ),
    Choice(
        "history",
        Component.FEATURES,
        "The level of each series is unknown to the model.",
        (
            Option("none", "shop and product say which series it is"),
            Option("weekday", "the series' mean on the same weekday knows its week, too"),
        ),
    ),
    Choice(
        "target",
        Component.DATA,
        "Large series dominate the fit, and all effects are factors.",
        (
            Option("raw", "the metric is in pieces, so pieces are fitted"),
            Option("log", "logarithms turn factors into sums"),
            Option("ratio", "the ratio to the series' level is comparable across series"),
        ),
    ),
    Choice(
        "series",
        Component.FEATURES,
        "Shop and product are names.",
        (
            Option("codes", "numbers for names are enough for trees"),
            Option("onehot", "a column a name lets linear models give each its level"),
        ),
    ),
    Choice(
        "model",
        Component.MODEL,
        "The regressor may not fit the shape of demand.",
        (
            Option("forest", "a random forest works without tuning"),
            Option("linear", "a linear model carries trends on and is hard to overfit"),
            Option("boosting", "gradient boosting fits interactions of promotion, weather and weekday"),
        ),
    ),
    WIDTH,
    PENALTY,
)

_TABLE = '''
def table(frame):
    """Features of each row that are known beforehand{said}."""
    columns = frame[["day", "promotion", "discount", "warmth", "holiday"]].astype(float)
{body}    return columns
'''
_CALENDAR = {
    "numbers": ("", '    columns["weekday"] = frame["weekday"]\n'),
    "events": (
        ", a column a weekday, and the days around holidays",
        """    for k in range(7):
        columns[f"weekday_{k}"] = (frame["weekday"] == k).astype(float)
    for shift in (-1, 1):
        columns[f"holiday_{shift}"] = (frame["day"] - shift).isin(HOLIDAYS).astype(float)
""",
    ),
}
_SERIES = {
    "codes": """for name in ("shop", "product"):
    X_train[name], X_rows[name] = (frame[name].str[1:].astype(int) for frame in (train, rows))
""",
    "onehot": """for name in ("shop", "product"):
    for value in sorted(train[name].unique()):
        X_train[f"{name}_{value}"], X_rows[f"{name}_{value}"] = (
            (frame[name] == value).astype(float) for frame in (train, rows)
        )
""",
}
_HISTORY = '''
def history(known, frame):
    """Mean of each row's series on its weekday over the last eight known weeks."""
    keys = [*SERIES, "weekday"]
    means = known[known["day"] > known["day"].max() - 56].groupby(keys)["sold"].mean().rename("level")
    return frame[keys].join(means, on=keys)["level"].to_numpy()
'''
_PAST = """blocks = pd.cut(train["day"], [-1, 34, 48, 62, 76, 90], labels=False)
level_train = np.full(len(train), np.nan)
for block in range(1, 5):  # each block of days is described by the days before it
    at = blocks == block
    level_train[at] = history(train[blocks < block], train[at])
level_rows = history(train, rows)
X_train["level"], X_rows["level"] = level_train, level_rows
kept = (blocks > 0).to_numpy()
"""
_KEPT_ROWS = "X_train, y_train = X_train[kept], y_train[kept]\n"
_LEVEL = """level = COUNTED.groupby(SERIES)["sold"].mean().rename("size")
size_train, size_rows = (frame[SERIES].join(level, on=SERIES)["size"].to_numpy() for frame in (train, rows))
"""
_TARGET = {
    "raw": ("y_train = KNOWN\n", "predictions = np.maximum(predictions, 0.0)\n"),
    "log": ("y_train = np.log1p(KNOWN)\n", "predictions = np.maximum(np.expm1(predictions), 0.0)\n"),
    "ratio": (
        _LEVEL + "y_train = KNOWN / size_train\n",
        "predictions = np.maximum(predictions * size_rows, 0.0)\n",
    ),
}
_LEVELS = {
    "forest": FamilyLevels(((0.15,), (0.35,), (0.7,)), ((40,), (12,), (3,))),
    "linear": FamilyLevels(((0.3,), (0.7,), (1.0,)), ((3000,), (300,), (10,))),
    "boosting": FamilyLevels(((4,), (8,), (20,)), ((0.05, 50), (0.1, 80), (0.15, 120))),
}


def _program(settings: Mapping[str, str]) -> str:
    said, body = _CALENDAR[settings["calendar"]]
    past = settings["history"] != "none"
    before, after = _TARGET[settings["target"]]
    needed, code = model(settings["model"], PredictedKind.NUMBERS, _LEVELS[settings["model"]])
    constants = 'SERIES = ["shop", "product"]\n'
    preparation = "X_train, X_rows = table(train), table(rows)\n"
    if settings["calendar"] == "events":
        preparation = (
            'days = pd.concat([train, rows])\nHOLIDAYS = days["day"][days["holiday"] == 1].unique()\n' + preparation
        )
    preparation += _SERIES[settings["series"]] + _PAST * past
    preparation += before.replace("KNOWN", 'train["sold"].to_numpy()').replace(
        "COUNTED", "train[kept]" if past else "train"
    )
    preparation += "X_train, X_rows = X_train.to_numpy(), X_rows.to_numpy()\n" + _KEPT_ROWS * past
    return assemble(
        title="How many pieces a shop sells on a day.",
        settings=settings,
        target="sold",
        imports=needed,
        constants=constants,
        functions=[_TABLE.format(said=said, body=body), _HISTORY * past],
        preparation=preparation,
        model=code,
        after=after,
    )


SPACE = Space(
    task="demand",
    direction=Direction.MINIMIZE,
    target="sold",
    choices=CHOICES,
    baseline=("numbers", "none", "raw", "codes", "forest", "middle", "middle"),
    program=_program,
)
