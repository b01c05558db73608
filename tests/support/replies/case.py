"""What a case of the corpus is, and the programs that its replies hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlesearch.types import Op


@dataclass(frozen=True)
class Ask:
    """Nobody could know what is meant: the model is asked again, in words that name one of these things."""

    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A reply.

    Attributes:
        name: of the case.
        text: the reply.
        want: a program, `Ask`, or fields of a judgement with their values.
        op: the operator that it answers.
        finish: why the model ended.
        plan: a text that the plan must hold.
        asked: whether it is asked again all the same, though a person would have read it.
    """

    name: str
    text: str
    want: str | Ask | Mapping[str, Any]
    op: Op = Op.DRAFT
    finish: str = "stop"
    plan: str = ""
    asked: bool = False


def py(code: str, info: str = "python") -> str:
    """A fenced block."""
    return f"```{info}\n{code}```"


FOREST = """import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score

train = pd.read_csv("input/train.csv")
test = pd.read_csv("input/test.csv")
columns = [c for c in train.columns if c not in ("id", "target")]
X, y = train[columns].fillna(-1), train["target"]

model = RandomForestClassifier(n_estimators=400, n_jobs=4, random_state=0)
folds = StratifiedKFold(5, shuffle=True, random_state=0)
scores = cross_val_score(model, X, y, cv=folds, scoring="roc_auc")
print("validation_score:", scores.mean())

model.fit(X, y)
sub = pd.DataFrame({"id": test["id"], "target": model.predict_proba(test[columns].fillna(-1))[:, 1]})
sub.to_csv("submission.csv", index=False)
"""

SHORT = """import pandas as pd

sample = pd.read_csv("input/sample_submission.csv")
sample["target"] = 0.5
sample.to_csv("submission.csv", index=False)
"""

RIDGE = """import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge


def features(frame):
    out = frame.drop(columns=["id"]).select_dtypes("number")
    out["ratio"] = out["width"] / out["length"].clip(lower=1e-6)
    return out.fillna(0.0)


def main():
    train = pd.read_csv("input/train.csv")
    test = pd.read_csv("input/test.csv")
    model = Ridge(alpha=1.0).fit(features(train.drop(columns=["price"])), np.log1p(train["price"]))
    prediction = np.expm1(model.predict(features(test)))
    pd.DataFrame({"id": test["id"], "price": prediction}).to_csv("submission.csv", index=False)


if __name__ == "__main__":
    main()
"""

DRAFT = """import pandas as pd
import numpy as np
from sklearn.linear_model import LogisticRegression

train = pd.read_csv("input/train.csv")
test = pd.read_csv("input/test.csv")
X = train.drop(columns=["id", "target"])
for c in X.columns:
    if X[c].dtype == object:
        X[c] = X[c].astype("category").cat.codes
X = X.fillna(0)
mean, std = X.mean(), X.std() + 1e-9
X = (X - mean) / std
model = LogisticRegression(max_iter=1000)
model.fit(X, train["target"])
# hmm, the test set needs the same codes
T = test.drop(columns=["id"]).select_dtypes("number").fillna(0)
T = T.reindex(columns=X.columns, fill_value=0)
p = model.predict_proba(T)[:, 1]
pd.DataFrame({"id": test["id"], "target": p}).to_csv("submission.csv", index=False)
"""

HELPERS = """import numpy as np
import pandas as pd


def load():
    return pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")


def prepare(frame):
    out = frame.select_dtypes("number").copy()
    out["log_size"] = np.log1p(out["size"])
    return out.fillna(0)
"""

MAIN = """from sklearn.ensemble import HistGradientBoostingRegressor

train, test = load()
X = prepare(train.drop(columns=["rent"]))
model = HistGradientBoostingRegressor(random_state=0).fit(X, train["rent"])
test["rent"] = model.predict(prepare(test))
test[["id", "rent"]].to_csv("submission.csv", index=False)
"""


def joined(*parts: str) -> str:
    """Blocks as one program."""
    return "\n\n".join(p.strip("\n") for p in parts) + "\n"
