"""Pipelines for transfers: habits of accounts, risk of payees, few positives, a ranking of the rows."""

from __future__ import annotations

from collections.abc import Mapping

from mlesearch.models.simulated.mini.families import PENALTY, WIDTH, FamilyLevels, PredictedKind, model
from mlesearch.models.simulated.programs import assemble
from mlesearch.models.simulated.spaces import Choice, Option, Space
from mlesearch.types import Component, Direction

CHOICES = (
    Choice(
        "amounts",
        Component.DATA,
        "A few large amounts stretch the scale.",
        (
            Option("raw", "trees do not care about scales"),
            Option("log", "logarithms make factors out of differences"),
        ),
    ),
    Choice(
        "habits",
        Component.FEATURES,
        "What is odd for one account is usual for another.",
        (
            Option("none", "a transfer is judged by itself"),
            Option("means", "the account's mean amount and hour let the model compare"),
            Option("deviations", "the distance from the account's habit, in its own spread, is the oddness itself"),
        ),
    ),
    Choice(
        "payees",
        Component.FEATURES,
        "Who is paid is a name, and most names are rare.",
        (
            Option("dropped", "forty names on few frauds are mostly noise"),
            Option("onehot", "a column a payee lets the model find the risky ones"),
            Option("risk", "the smoothed share of frauds, out of fold, puts all payees into one number"),
        ),
    ),
    Choice(
        "model",
        Component.MODEL,
        "The classifier may not fit the shape of the frauds.",
        (
            Option("forest", "a random forest works without tuning"),
            Option("linear", "a linear classifier is hard to overfit"),
            Option("boosting", "gradient boosting fits several behaviours at once"),
            Option("kernel", "a smooth kernel finds what lies far from all habits"),
        ),
    ),
    WIDTH,
    PENALTY,
)

_FEATURES = '''
def features(frame):
    """Numbers of each transfer{said}."""
    table = frame[NUMBERS].astype(float)
{body}    return table
'''
_LOG = """    for name in ("amount", "balance", "minutes_since_last"):
        table[name] = np.log1p(table[name])
"""
_SHARE = '    table["share"] = frame["amount"] / (frame["balance"] + 1)\n'
_TOGETHER = """table_train, table_rows = features(train), features(rows)
both = pd.concat([table_train, table_rows], ignore_index=True)
account = pd.concat([train["account"], rows["account"]], ignore_index=True)
for name in ("amount", "hour"):
"""
_HABITS = {
    "means": _TOGETHER + '    both[f"{name}_usual"] = both[name].groupby(account).transform("mean")\n',
    "deviations": _TOGETHER
    + """    by_account = both[name].groupby(account)
    both[f"{name}_odd"] = (both[name] - by_account.transform("median")) / (by_account.transform("std") + 1e-6)
""",
}
_RISK = """encoder = TargetEncoder(target_type="binary", smooth=20.0)
risk_rows = encoder.fit(train[["payee"]], y_train).transform(rows[["payee"]])
risk_train = np.zeros((len(train), 1))
for known, held in StratifiedKFold(5, shuffle=True, random_state=0).split(train, y_train):
    encoder.fit(train[["payee"]].iloc[known], y_train[known])
    risk_train[held] = encoder.transform(train[["payee"]].iloc[held])
"""
_ONEHOT = """encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit(train[["payee"]])
risk_train, risk_rows = encoder.transform(train[["payee"]]), encoder.transform(rows[["payee"]])
"""
_LEVELS = {
    "forest": FamilyLevels(((0.1,), (0.25,), (0.6,)), ((60,), (25,), (8,))),
    "linear": FamilyLevels(((0.4,), (0.7,), (1.0,)), ((0.003,), (0.05,), (2.0,))),
    "boosting": FamilyLevels(((2,), (3,), (5,)), ((0.03, 25), (0.05, 40), (0.07, 55))),
    "kernel": FamilyLevels(((0.5,), (2.0,), (8.0,)), ((5.0,), (100.0,), (3000.0,))),
}


def _program(settings: Mapping[str, str]) -> str:
    imports: list[str] = []
    log = settings["amounts"] == "log"
    preparation = "y_train = LABELS\n"
    if settings["habits"] == "none":
        preparation += "X_train, X_rows = features(train).to_numpy(), features(rows).to_numpy()\n"
    else:
        preparation += _HABITS[settings["habits"]]
        preparation += "X_train, X_rows = both.to_numpy()[: len(train)], both.to_numpy()[len(train) :]\n"
    if settings["payees"] != "dropped":
        onehot = settings["payees"] == "onehot"
        imports.append(f"from sklearn.preprocessing import {'OneHotEncoder' if onehot else 'TargetEncoder'}")
        imports += ["from sklearn.model_selection import StratifiedKFold"] * (not onehot)
        preparation += _ONEHOT if onehot else _RISK
        preparation += "X_train, X_rows = np.hstack([X_train, risk_train]), np.hstack([X_rows, risk_rows])\n"
    needed, code = model(settings["model"], PredictedKind.CLASSES, _LEVELS[settings["model"]])
    return assemble(
        title="How likely a transfer is a fraud.",
        settings=settings,
        target="fraud",
        imports=[*imports, *needed],
        constants='NUMBERS = ["amount", "balance", "hour", "minutes_since_last", "new_device", "abroad"]\n',
        functions=[_FEATURES.format(said=", amounts and times as logarithms" * log, body=_LOG * log + _SHARE)],
        preparation=preparation.replace("LABELS", 'train["fraud"].to_numpy()'),
        model=code,
        probabilities=True,
        after="predictions = predictions[:, 1]\n",
    )


SPACE = Space(
    task="transfers",
    direction=Direction.MAXIMIZE,
    target="fraud",
    choices=CHOICES,
    baseline=("raw", "none", "dropped", "forest", "middle", "middle"),
    program=_program,
)
