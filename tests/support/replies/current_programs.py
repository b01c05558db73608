"""Programs that the replies in the styles of current models hold."""

from __future__ import annotations

GBM = """import time

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

START = time.time()
SEED = 42


def add_features(df: pd.DataFrame) -> pd.DataFrame:
    df = df.copy()
    df["income_per_head"] = df["income"] / (df["household"] + 1)
    df["age_missing"] = df["age"].isna().astype(int)
    return df


train = add_features(pd.read_csv("input/train.csv"))
test = add_features(pd.read_csv("input/test.csv"))
features = [c for c in train.columns if c not in {"id", "default"}]
for c in train[features].select_dtypes("object"):
    cats = pd.Categorical(train[c]).categories
    train[c] = pd.Categorical(train[c], categories=cats)
    test[c] = pd.Categorical(test[c], categories=cats)

oof = np.zeros(len(train))
pred = np.zeros(len(test))
cv = StratifiedKFold(n_splits=5, shuffle=True, random_state=0)
for fold, (tr, va) in enumerate(cv.split(train, train["default"])):
    model = lgb.LGBMClassifier(n_estimators=600, learning_rate=0.03, random_state=SEED, verbose=-1)
    model.fit(train.iloc[tr][features], train["default"].iloc[tr])
    oof[va] = model.predict_proba(train.iloc[va][features])[:, 1]
    pred += model.predict_proba(test[features])[:, 1] / 5
    print(f"fold {fold}: {roc_auc_score(train['default'].iloc[va], oof[va]):.4f} ({time.time() - START:.0f} s)")

pd.DataFrame({"id": test["id"], "default": pred}).to_csv("submission.csv", index=False)
print("validation_score:", roc_auc_score(train["default"], oof))
"""

LOGIT = """import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

train = pd.read_csv("input/train.csv")
test = pd.read_csv("input/test.csv")
y = train.pop("default")
numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
words = OneHotEncoder(handle_unknown="ignore", min_frequency=10)
columns = make_column_transformer(
    (numbers, make_column_selector(dtype_include="number")),
    (words, make_column_selector(dtype_include=object)),
)
pipe = make_pipeline(columns, LogisticRegression(C=0.5, max_iter=2000))
score = cross_val_score(pipe, train.drop(columns="id"), y, cv=5, scoring="roc_auc").mean()
pipe.fit(train.drop(columns="id"), y)
test["default"] = pipe.predict_proba(test.drop(columns="id"))[:, 1]
test[["id", "default"]].to_csv("submission.csv", index=False)
print(f"validation_score: {score:.5f}")
"""

TYPED = '''from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol, overload

import numpy as np
import pandas as pd

Loss = Callable[..., float]


class Scaler(Protocol):
    def fit(self, x: np.ndarray) -> Scaler: ...

    def transform(self, x: np.ndarray) -> np.ndarray: ...


class Base(ABC):
    @abstractmethod
    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predictions, one for each row."""
        ...


class Mean(Base):
    def __init__(self, y: np.ndarray) -> None:
        self.mean = float(y.mean())

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.full(x[..., 0].shape, self.mean)


@overload
def first(x: np.ndarray) -> float: ...
@overload
def first(x: list[float]) -> float: ...
def first(x):
    return float(x[0])


train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
model = Mean(train["y"].to_numpy())
z = test.select_dtypes("number").to_numpy()[:, np.newaxis, ...]
test["y"] = model.predict(z[..., 0, :])
test[["id", "y"]].to_csv("submission.csv", index=False)
'''

NET = '''import numpy as np
import pandas as pd
import torch
from torch import nn

torch.manual_seed(0)
train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
cols = [c for c in train.columns if c not in ("id", "y")]
mu, sd = train[cols].mean(), train[cols].std().replace(0, 1)


class Net(nn.Module):
    """A small perceptron.

    Example:

    ```python
    net = Net(10)
    net(torch.zeros(2, 10))
    ```
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)[..., 0]


def tensor(frame: pd.DataFrame) -> torch.Tensor:
    return torch.tensor(((frame[cols] - mu) / sd).fillna(0).to_numpy(dtype=np.float32))


net, x = Net(len(cols)), tensor(train)
y = torch.tensor(train["y"].to_numpy(dtype=np.float32))
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
for epoch in range(30):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 4))
with torch.no_grad():
    test["y"] = net(tensor(test)).numpy()
test[["id", "y"]].to_csv("submission.csv", index=False)
'''

TEMPLATE = '''import re

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

CLEAN = re.compile(r"<think>.*?</think>|```[a-z]*|<[^>]+>", re.S)
SYSTEM = """Answer in this form:
```json
{"label": "...", "why": "..."}
```
# ... rest of the answer unchanged
"""


def clean(text: str) -> str:
    return CLEAN.sub(" ", text.replace(SYSTEM, "")).strip()


train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
tfidf = TfidfVectorizer(preprocessor=clean, ngram_range=(1, 2), min_df=2)
model = Ridge(alpha=3.0).fit(tfidf.fit_transform(train["text"]), train["grade"])
test["grade"] = model.predict(tfidf.transform(test["text"])).clip(1, 6)
test[["id", "grade"]].to_csv("submission.csv", index=False)
'''

MAINED = """import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import KFold

INPUT = Path("input")


def load() -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.read_csv(INPUT / "train.csv"), pd.read_csv(INPUT / "test.csv")


def build(frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.select_dtypes("number").drop(columns=["id"])
    # log of the skewed columns
    for c in ("area", "distance"):
        out[f"log_{c}"] = np.log1p(out[c].clip(lower=0))
    return out.fillna(out.median())


def main() -> None:
    train, test = load()
    y = np.log1p(train.pop("rent"))
    x, z = build(train), build(test)
    errors = []
    for tr, va in KFold(5, shuffle=True, random_state=0).split(x):
        m = ExtraTreesRegressor(300, n_jobs=-1, random_state=0).fit(x.iloc[tr], y.iloc[tr])
        errors.append(float(np.sqrt(np.mean((m.predict(x.iloc[va]) - y.iloc[va]) ** 2))))
    print("folds", [round(e, 4) for e in errors])
    m = ExtraTreesRegressor(300, n_jobs=-1, random_state=0).fit(x, y)
    pd.DataFrame({"id": test["id"], "rent": np.expm1(m.predict(z))}).to_csv("submission.csv", index=False)
    Path("metrics.json").write_text(json.dumps({"validation_score": float(np.mean(errors))}))


if __name__ == "__main__":
    main()
"""

ARIMA = """import pandas as pd

train = pd.read_csv("input/train.csv", parse_dates=["day"])
test = pd.read_csv("input/test.csv", parse_dates=["day"])
# Features: same as before, the mean of the last four equal weekdays
train["weekday"] = train["day"].dt.dayofweek
last = train.sort_values("day").groupby(["shop", "weekday"])["sales"].apply(lambda s: s.tail(4).mean())
# ... and the global mean where a shop has no history
fallback = train["sales"].mean()
keys = list(zip(test["shop"], test["day"].dt.dayofweek))
test["sales"] = [last.get(k, fallback) for k in keys]
# ---------- submission (unchanged) ----------
test[["id", "sales"]].to_csv("submission.csv", index=False)
print("rows", len(test))
"""
