"""A task's folder from a table that makes none, or by a wrong request: refused in one line, and nothing is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlesearch.tasks.new import make
from mlesearch.tasks.new.request import NewTaskRequest
from mlesearch.tasks.new.write import write_task
from mlesearch.types import ConfigError
from tests.support.tables import ROWS, cases, made_task, table

CASES = cases()
pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.refusal])
def test_what_makes_no_good_task_is_refused_and_nothing_is_written(name, tmp_path):
    case = CASES[name]
    with pytest.raises(ConfigError) as refused:
        made_task(case, tmp_path)
    assert case.refusal in str(refused.value)
    assert case.mended[0] in str(refused.value), "it says what to do"
    assert "\n" not in str(refused.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{name}.csv"]


REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "a typo in the target": ({"targets": ("chruned",)}, "did you mean 'churned'?"),
    "another case": ({"targets": ("Churned",)}, "did you mean 'churned'?"),
    "a typo in the metric": ({"metric": "acu"}, "did you mean 'auc'?"),
    "texts for a metric of numbers": (
        {"metric": "rmse"},
        "rmse needs numbers, and 'churned' holds others ('no', 'yes')",
    ),
    "many classes under auc": ({"targets": ("colour",)}, "needs two classes in each target column, and 'colour' has 3"),
    "two targets under accuracy": ({"targets": ("churned,colour",), "metric": "accuracy"}, "takes one target column"),
    "numbers for classes": (
        {"targets": ("income",), "metric": "macro_f1"},
        "is for classes, and 'income' has",
    ),
    "negative numbers under rmsle": ({"targets": ("income",), "metric": "rmsle"}, "never negative"),
    "kappa of fractions": ({"targets": ("income",), "metric": "quadratic_kappa"}, "a few whole numbers"),
    "gaps in the target": ({"targets": ("age",), "metric": "mae"}, "rows have no 'age', the first in line"),
    "a name of the suite": ({"folder": Path("canvas")}, "the suite has a task called 'canvas'"),
    "a share that is none": ({"test_share": 1.5}, "--test-share: 1.5 is no share"),
    "target and group at once": ({"group": "churned"}, "--target and --group: both name 'churned'"),
    "a group in each row": ({"group": "key"}, "another value in each row, so it groups nothing"),
    "a time that is none": ({"time": "colour"}, "can't be read as a number or a date, such as 'red'"),
    "days or months first": ({"time": "when"}, "DD/MM/YYYY and as MM/DD/YYYY"),
    "an id that repeats": ({"id": "colour"}, "has values that occur more than once"),
    "a copy of the target": ({"drop": ()}, "column 'copy' predicts the target 'churned' by itself"),
    "a number made of the target": ({"drop": ("copy",)}, "column 'later' predicts the target"),
    "one class": ({"targets": ("same",)}, "'same' is one class only: all 400 rows have 'x'"),
    "a constant": ({"targets": ("same",), "metric": "rmse"}, "'same' is constant"),
    "an empty target": ({"targets": ("nothing",)}, "'nothing' is empty in every row"),
    "infinite answers": ({"targets": ("endless",), "metric": "mae"}, "'endless' is infinite in 200 rows"),
    "a column that is called as a class will be": (
        {"targets": ("colour",), "metric": "log_loss"},
        "one would be called 'colour_red', as another column is",
    ),
    "nothing to predict from": (
        {"drop": ("copy", "later", "age", "income", "colour", "key", "when", "endless", "colour_red")},
        "no column is left that could tell it",
    ),
    "an unknown label": ({"positive": "maybe"}, "it has: no, yes"),
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> NewTaskRequest:
    """A request that would do, on a table with columns of all sorts."""
    place = tmp_path_factory.mktemp("odd")
    frame = pd.read_csv(CASES["plain"].write(place), keep_default_na=False)
    yes = frame["churned"] == "yes"
    rng = np.random.default_rng(0)
    columns = {str(name): frame[name].tolist() for name in frame} | {
        "key": [f"k{i}" for i in range(ROWS)],
        "when": [f"{1 + i % 12:02d}/{1 + i % 11:02d}/2021" for i in range(ROWS)],
        "copy": ["left" if y else "stayed" for y in yes],
        "later": [round(x, 3) for x in (yes * 10 + rng.normal(size=ROWS)).tolist()],
        "same": ["x"] * ROWS,
        "nothing": [""] * ROWS,
        "endless": ["inf", "1"] * (ROWS // 2),
        "colour_red": rng.normal(size=ROWS).tolist(),
    }
    path = place / "odd.csv"
    path.write_text(table(columns), encoding="utf-8")
    return NewTaskRequest(path, ("churned",), "auc", folder=place / "task", drop=("copy", "later"))


@pytest.mark.parametrize("what", REFUSED)
def test_a_wrong_request_is_refused_in_one_line(odd, what):
    changes, words = REFUSED[what]
    with pytest.raises(ConfigError) as refused:
        make.plan(replace(odd, **changes))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not odd.place.exists()


def test_a_column_that_tells_the_target_stays_where_it_is_asked_to(odd):
    planned = make.plan(replace(odd, drop=("copy",), keep=("later",)))
    assert "later" in planned.rows.features
    assert any("`later` by itself" in note for note in planned.notes)
    assert any("`later` by itself" in issue for issue in planned.rows.issues)


def test_a_folder_that_is_there_is_never_written_to(odd, tmp_path):
    (tmp_path / "task").mkdir()
    with pytest.raises(ConfigError, match="is there already"):
        make.plan(replace(odd, folder=tmp_path / "task"))


def test_what_fails_half_way_leaves_nothing(odd, tmp_path):
    def interrupted() -> None:
        with make.staged(tmp_path / "task") as place:
            write_task(make.plan(odd), place)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_too_few_rows_are_refused(tmp_path):
    path = tmp_path / "few.csv"
    path.write_text(table({"a": list(range(20)), "b": [0, 1] * 10}), encoding="utf-8")
    with pytest.raises(ConfigError, match="has 20 usable rows; at least 50"):
        make.plan(NewTaskRequest(path, ("b",), "auc", folder=tmp_path / "task"))


def test_classes_that_are_shown_too_rarely_for_a_part_are_named(tmp_path):
    """Of groups that are of one class each, one class has a single group: no split serves."""
    columns = {"g": [i // 20 for i in range(200)], "x": list(range(200)), "y": [int(i < 20) for i in range(200)]}
    (tmp_path / "g.csv").write_text(table(columns), encoding="utf-8")
    with pytest.raises(ConfigError, match="no way was found to deal the 10 groups"):
        make.plan(NewTaskRequest(tmp_path / "g.csv", ("y",), "auc", group="g", folder=tmp_path / "t", keep=("x",)))
