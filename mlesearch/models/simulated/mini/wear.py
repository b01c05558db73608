"""Pipelines for wear: dead sensors, levels of machines, ratios, and grades out of a classifier or a regressor."""

from __future__ import annotations

from collections.abc import Mapping

from mlesearch.models.simulated.mini.families import PENALTY, WIDTH, FamilyLevels, PredictedKind, model
from mlesearch.models.simulated.programs import assemble
from mlesearch.models.simulated.spaces import Choice, Option, Space
from mlesearch.types import Component, Direction

CHOICES = (
    Choice(
        "readings",
        Component.DATA,
        "Dead sensors write -999, and what acts by factors is spread over many sizes.",
        (
            Option("typed", "trees can split odd values off and do not care about scales"),
            Option(
                "cleaned", "the median with a flag keeps the news that a sensor was dead, and ratios isolate the wear"
            ),
            Option("logs", "in logarithms of clean readings and ratios what acts by factors adds up"),
        ),
    ),
    Choice(
        "machines",
        Component.DATA,
        "Every machine has levels of its own.",
        (
            Option("ignored", "readings of one type of machine are comparable"),
            Option("onehot", "a column a machine lets the model learn its level"),
            Option("levelled", "readings relative to the machine's own median are comparable"),
        ),
    ),
    Choice(
        "grades",
        Component.MODEL,
        "The order of the grades is left unused, or extreme ones are given too rarely.",
        (
            Option("classes", "grades are five classes"),
            Option("nearest", "grades are ordered, so a number is fitted, and the nearest grade is the answer"),
            Option(
                "matched", "cuts that give each grade as often as in training undo a number's shrinkage to the middle"
            ),
        ),
    ),
    Choice(
        "model",
        Component.MODEL,
        "The model may not fit the shape of the relation.",
        (
            Option("forest", "a random forest works without tuning"),
            Option("linear", "a linear model is hard to overfit"),
            Option("boosting", "gradient boosting fits kinks and interactions"),
            Option("kernel", "a smooth kernel suits sensors that all say the same with noise"),
        ),
    ),
    WIDTH,
    PENALTY,
)

_COLUMNS = """SETTINGS = ["hours", "load", "speed", "ambient", "dust"]
NUMBERS = [*SETTINGS, "vibration", "peak", "heat", "oil", "current", "particles"]
"""

_READ = '''
def readings(frame):
    """Numeric columns{kind}."""
    table = frame[NUMBERS].astype(float)
{body}    return table
'''
_DEAD = "    table = table.replace(-999.0, np.nan)\n"
_RATIOS = """    table["vibration_by_speed"] = table["vibration"] / table["speed"]
    table["peak_by_vibration"] = table["peak"] / table["vibration"]
    table["heat_above"] = table["heat"] - table["ambient"] - 16 * table["load"]
    table["current_by_load"] = table["current"] / table["load"]
    table["strain"] = np.log1p(table["hours"]) * table["load"]
"""
_LOGS = """    for name in ("vibration", "peak", "current", "particles", "hours", "dust"):
        table[name] = np.log(np.maximum(table[name], 0.0) + 0.1)
    table["heat_above"] = table["heat"] - table["ambient"] - 16 * table["load"]
    table["vibration_by_speed"] = table["vibration"] - np.log(table["speed"])
    table["peak_by_vibration"] = table["peak"] - table["vibration"]
    table["current_by_load"] = table["current"] - np.log(table["load"])
    table["strain"] = table["hours"] * table["load"]
"""

_READINGS = {
    "typed": ("", ""),
    "cleaned": (", dead sensors as missing, with ratios of those that go together", _DEAD + _RATIOS),
    "logs": (" as logarithms, dead sensors as missing, with ratios of those that go together", _DEAD + _LOGS),
}

_LEVELLED = """both = pd.concat([table_train, table_rows], ignore_index=True)
machine = pd.concat([train["machine"], rows["machine"]], ignore_index=True)
own = [name for name in both if name not in SETTINGS]
both[own] = both[own] - both[own].groupby(machine).transform("median")
table_train, table_rows = both[: len(train)], both[len(train) :]
"""

_ONEHOT = """encoder = OneHotEncoder(sparse_output=False).fit(train[["machine"]])
X_train = np.hstack([X_train, encoder.transform(train[["machine"]])])
X_rows = np.hstack([X_rows, encoder.transform(rows[["machine"]])])
"""

_LEVELS = {
    ("forest", "Classifier"): FamilyLevels(((0.1,), (0.3,), (0.7,)), ((40,), (16,), (6,))),
    ("forest", "Regressor"): FamilyLevels(((0.1,), (0.25,), (0.5,)), ((60,), (30,), (16,))),
    ("linear", "Classifier"): FamilyLevels(((0.3,), (0.6,), (1.0,)), ((0.003,), (0.05,), (60.0,))),
    ("linear", "Regressor"): FamilyLevels(((0.3,), (0.6,), (1.0,)), ((2000,), (100,), (3,))),
    ("boosting", "Classifier"): FamilyLevels(((2,), (4,), (10,)), ((0.03, 15), (0.045, 22), (0.06, 28))),
    ("boosting", "Regressor"): FamilyLevels(((2,), (4,), (10,)), ((0.03, 25), (0.06, 40), (0.1, 50))),
    ("kernel", "Classifier"): FamilyLevels(((0.7,), (2.5,), (8.0,)), ((2.0,), (60.0,), (2000.0,))),
    ("kernel", "Regressor"): FamilyLevels(((0.35,), (1.5,), (6.0,)), ((1.0,), (0.05,), (0.001,))),
}

_NEAREST = "predictions = np.clip(np.rint(predictions), 0, 4).astype(int)\n"
_MATCHED = """shares = np.bincount(y_train, minlength=5).cumsum() / len(y_train)
predictions = np.searchsorted(np.quantile(predictions, shares[:-1]), predictions)
"""


def _program(settings: Mapping[str, str]) -> str:
    imports: list[str] = []
    said, more = _READINGS[settings["readings"]]
    preparation = "table_train, table_rows = readings(train), readings(rows)\n"
    if settings["machines"] == "levelled":
        preparation += _LEVELLED
    if settings["readings"] == "typed":
        preparation += "X_train, X_rows = table_train.to_numpy(), table_rows.to_numpy()\n"
    else:
        imports.append("from sklearn.impute import SimpleImputer")
        preparation += 'filler = SimpleImputer(strategy="median", add_indicator=True).fit(table_train)\n'
        preparation += "X_train, X_rows = filler.transform(table_train), filler.transform(table_rows)\n"
    if settings["machines"] == "onehot":
        imports.append("from sklearn.preprocessing import OneHotEncoder")
        preparation += _ONEHOT
    kind = PredictedKind.CLASSES if settings["grades"] == "classes" else PredictedKind.NUMBERS
    needed, code = model(settings["model"], kind, _LEVELS[settings["model"], kind.value])
    return assemble(
        title="The grade of wear of a machine from its sensors.",
        settings=settings,
        target="grade",
        imports=[*imports, *needed],
        constants=_COLUMNS,
        functions=[_READ.format(kind=said, body=more)],
        preparation=preparation,
        labels='train["grade"].to_numpy()',
        model=code,
        after={"classes": "", "nearest": _NEAREST, "matched": _MATCHED}[settings["grades"]],
    )


SPACE = Space(
    task="wear",
    direction=Direction.MAXIMIZE,
    target="grade",
    choices=CHOICES,
    baseline=("typed", "ignored", "classes", "forest", "middle", "middle"),
    program=_program,
)
