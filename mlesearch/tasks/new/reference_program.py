"""One reference pipeline, as a program: it reads a task's `input/`, learns, and writes `submission.csv`.

It is no part of the package that runs: its text, with a call of `main` below it, is the program that a sandbox
executes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor


def read(name: str, texts: list[str]) -> pd.DataFrame:
    """A table of the task; cells of free text are texts."""
    return pd.read_csv(f"input/{name}.csv", keep_default_na=False, na_values=[""], dtype=dict.fromkeys(texts, str))


def with_dates_as_numbers(frame: pd.DataFrame, dates: dict[str, str]) -> pd.DataFrame:
    """Dates as days, and as their place in the week and in the year."""
    made: dict[str, Any] = {}
    for name, form in dates.items():
        times = pd.to_datetime(frame[name], format=form, errors="coerce", utc=True)
        made[f"{name} days"] = (times - pd.Timestamp("2000-01-01", tz="UTC")) / pd.Timedelta(days=1)
        made[f"{name} weekday"] = times.dt.day_of_week
        made[f"{name} day of year"] = times.dt.day_of_year
    return pd.concat([frame.drop(columns=list(dates)), pd.DataFrame(made, index=frame.index)], axis=1)


def features(s: dict[str, Any], numbers: list[str]) -> ColumnTransformer:
    """Columns to a matrix: medians and scales, one column a frequent category, weighted words."""
    parts: list[Any] = [("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers)] if numbers else []
    if s["categories"]:
        encode = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=s["levels"], sparse_output=False)
        parts.append(("categories", encode, s["categories"]))
    for name in s["texts"]:
        words = TfidfVectorizer(max_features=s["words"], ngram_range=(1, s["ngrams"]), analyzer=s["analyzer"])
        parts.append((f"text {name}", words, name))
    return ColumnTransformer(parts, sparse_threshold=0.0)


def estimator(s: dict[str, Any], classes: bool) -> Any:
    """The learner of a pipeline."""
    seed, p = s["seed"], s["params"]
    made: dict[str, Any] = {
        "linear": lambda: LogisticRegression(C=p["C"], max_iter=300) if classes else Ridge(alpha=1 / p["C"]),
        "neighbours": lambda: (KNeighborsClassifier if classes else KNeighborsRegressor)(n_neighbors=p["neighbours"]),
        "tree": lambda: (DecisionTreeClassifier if classes else DecisionTreeRegressor)(
            max_depth=p["depth"], random_state=seed
        ),
        "forest": lambda: (RandomForestClassifier if classes else RandomForestRegressor)(
            n_estimators=p["trees"], min_samples_leaf=p["leaf"], max_features=p["share"], random_state=seed
        ),
        "extra_trees": lambda: (ExtraTreesClassifier if classes else ExtraTreesRegressor)(
            n_estimators=p["trees"], min_samples_leaf=p["leaf"], max_features=p["share"], random_state=seed
        ),
        "boosting": lambda: (HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor)(
            learning_rate=p["rate"], max_iter=p["rounds"], max_leaf_nodes=p["leaves"], random_state=seed
        ),
    }
    return made[s["model"]]()


def predicted(s: dict[str, Any], x: Any, y: pd.DataFrame, asked: Any) -> pd.DataFrame:
    """Predictions in the form that the metric asks for."""
    columns = list(y)
    if s["form"] == "labels":
        model = estimator(s, True).fit(x, y[columns[0]])
        return pd.DataFrame({columns[0]: model.predict(asked)})
    if s["form"] == "probabilities" and s["exclusive"]:
        codes = y.to_numpy().argmax(axis=1)
        model = estimator(s, True).fit(x, codes)
        shares = np.zeros((asked.shape[0], len(columns)))
        shares[:, model.classes_] = model.predict_proba(asked)
        shares = np.clip(shares, 1e-6, None)
        return pd.DataFrame(shares / shares.sum(axis=1, keepdims=True), columns=columns)
    if s["form"] == "probabilities":
        said = {}
        for name in columns:
            model = estimator(s, True).fit(x, y[name])
            shares = model.predict_proba(asked)
            said[name] = (
                np.clip(shares[:, list(model.classes_).index(1)], 1e-6, 1 - 1e-6) if 1 in model.classes_ else 0.0
            )
        return pd.DataFrame(said)
    said = {}
    for name in columns:
        low, high = y[name].min(), y[name].max()
        truth = np.log1p(y[name]) if s["log"] else y[name]
        values = estimator(s, False).fit(x, truth).predict(asked)
        values = np.clip(np.expm1(values) if s["log"] else values, low, high)
        said[name] = np.rint(values).astype(int) if s["form"] == "levels" else values
    return pd.DataFrame(said)


def main(s: dict[str, Any]) -> None:
    """Run the pipeline that the settings describe."""
    texts = [*s["texts"], *s["categories"]]
    train, sample = read("train", texts), pd.read_csv("input/sample_submission.csv", dtype=str, keep_default_na=False)
    rest = pd.concat([read(name, texts) for name in s["asked"]], ignore_index=True)
    y = train[s["targets"]]
    both = with_dates_as_numbers(pd.concat([train, rest], ignore_index=True), s["dates"])
    both[texts] = both[texts].fillna("")
    numbers = [*s["numbers"], *(str(name) for name in both if name not in train and name not in rest)]
    x, asked = both.iloc[: len(train)], both.iloc[len(train) :]
    columns = features(s, [name for name in numbers if x[name].notna().any()]).fit(x)
    made = predicted(s, columns.transform(x), y, columns.transform(asked))
    made.insert(0, s["id"], sample[s["id"]].to_numpy())
    made.to_csv("submission.csv", index=False)
