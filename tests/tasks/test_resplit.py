"""Fresh validation splits of real task folders."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest
import yaml

from mlesearch.tasks.folder import load
from mlesearch.tasks.grading import score_frame, score_validation
from mlesearch.tasks.resplit import check_resplit, resplit
from mlesearch.types import (
    ConfigError,
)
from tests.support.task_maker import make_task, write_csv


def frame(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


@pytest.mark.parametrize("name", ["rentals", "canvas", "tickets"])
def test_a_fresh_split_holds_the_same_rows_divided_anew(tmp_path, name):
    task = load(name)
    check_resplit(task)
    made = []
    for i, seed in enumerate((1, 1, 2)):
        (tmp_path / str(i)).mkdir()
        made.append(resplit(task, seed, tmp_path / str(i)))
    fresh = made[0]
    old = {n: frame(task.public_dir / f"{n}.csv") for n in ("train", "validation", "test", "sample_submission")}
    new = {n: frame(fresh.public_dir / f"{n}.csv") for n in old}
    key = task.id_column
    for n, before in old.items():
        assert list(new[n].columns) == list(before.columns)
        assert len(new[n]) == len(before)
    assert new["test"].equals(old["test"])
    moved = set(new["validation"][key]) - set(old["validation"][key])
    assert len(moved) > len(old["validation"]) / 3
    assert set(new["sample_submission"][key]) == set(new["validation"][key]) | set(old["test"][key])
    # no row and no label changed by a character
    truth = pd.concat([old["train"], old["validation"].merge(frame(task.private_dir / "validation.csv"), on=key)])
    again = pd.concat([new["train"], new["validation"].merge(frame(fresh.private_dir / "validation.csv"), on=key)])
    columns = list(old["train"].columns)
    by_id = lambda f: f[columns].sort_values(key).reset_index(drop=True)  # noqa: E731  # a function of the test
    assert by_id(again).equals(by_id(truth))
    # the labels of the fresh validation rows are not in what a program sees
    assert not set(task.target_columns) & set(new["validation"].columns)
    assert not set(new["validation"][key]) & set(new["train"][key])
    assert fresh.version != task.version
    files = lambda t: {p.name: p.read_bytes() for p in (*t.public_dir.iterdir(), *t.private_dir.iterdir())}  # noqa: E731
    assert files(made[0]) == files(made[1])
    assert files(made[0]) != files(made[2])
    # answers score perfectly, the old sample is refused
    perfect = pd.concat([frame(fresh.private_dir / "validation.csv"), frame(fresh.private_dir / "test.csv")])
    perfect.to_csv(tmp_path / "perfect.csv", index=False)
    validation = pd.read_csv(fresh.private_dir / "validation.csv")
    assert score_validation(fresh, tmp_path / "perfect.csv") == score_frame(fresh, validation, validation)
    assert "unknown" in score_validation(fresh, task.public_dir / "sample_submission.csv").problem


def test_other_files_of_a_task_are_kept(tmp_path):
    folder = make_task(tmp_path / "task")
    (folder / "public" / "images").mkdir()
    (folder / "public" / "images" / "1.txt").write_text("pixels")
    (folder / "public" / "images" / "train.csv").write_text("of another kind")
    (tmp_path / "split").mkdir()
    fresh = resplit(load(folder), 5, tmp_path / "split")
    assert (fresh.public_dir / "images" / "1.txt").read_text() == "pixels"
    assert (fresh.public_dir / "images" / "train.csv").read_text() == "of another kind"
    shutil.rmtree(tmp_path / "split")
    assert (folder / "public" / "images" / "1.txt").read_text() == "pixels"


def reported(folder):
    make_task(folder, validation="reported")


def no_train(folder):
    (make_task(folder) / "public" / "train.csv").unlink()


def other_columns(folder):
    path = make_task(folder) / "public" / "train.csv"
    path.write_text(path.read_text().replace("id,x,y", "id,z,y"))


def equal_ids(folder):
    write_csv(make_task(folder) / "public" / "train.csv", "id,x,y", ["7,1,2", "1,1,2"])


@pytest.mark.parametrize("broken", [reported, no_train, other_columns, equal_ids])
def test_a_task_that_can_not_be_split_is_refused(tmp_path, broken):
    broken(tmp_path / "task")
    with pytest.raises(ConfigError, match=r"^run\.selection: revalidate .*choose best_validation$") as e:
        check_resplit(load(tmp_path / "task"))
    assert "\n" not in str(e.value)


def by_column(root, key, values):
    """The task of the maker with one more column in its tables, by which it is split, as task.yaml declares."""
    make_task(root)
    for name in ("train", "validation", "test"):
        path = root / "public" / f"{name}.csv"
        table = frame(path)
        table["by"] = [values(name, i) for i in range(len(table))]
        table.to_csv(path, index=False)
    declared = yaml.safe_load((root / "task.yaml").read_text())
    (root / "task.yaml").write_text(yaml.safe_dump({**declared, key: "by"}))
    return load(root)


def made_of(task, tmp_path, seeds):
    for seed in seeds:
        (tmp_path / f"split-{seed}").mkdir()
        yield resplit(task, seed, tmp_path / f"split-{seed}")


def test_fresh_splits_of_groups_keep_each_group_on_one_side(tmp_path):
    task = by_column(tmp_path / "task", "group_column", lambda name, i: f"{name[0]}{i // 2}")
    check_resplit(task)
    seen = set()
    for fresh in made_of(task, tmp_path, range(6)):
        train, validation = (frame(fresh.public_dir / f"{name}.csv") for name in ("train", "validation"))
        assert not set(train["by"]) & set(validation["by"])
        assert len(train) + len(validation) == sum(
            len(frame(task.public_dir / f"{name}.csv")) for name in ("train", "validation")
        )
        seen.add(tuple(sorted(set(validation["by"]))))
        sample = frame(fresh.public_dir / "sample_submission.csv")
        test = frame(task.private_dir / "test.csv")
        assert sorted(sample["id"]) == sorted([*validation["id"], *test["id"]])
        answers = [frame(fresh.private_dir / f"{name}.csv") for name in ("validation", "test")]
        pd.concat(answers).to_csv(tmp_path / "perfect.csv", index=False)
        assert score_validation(fresh, tmp_path / "perfect.csv").score is not None
    assert len(seen) > 1


def by_day(root, rows_a_day=3):
    """A task of sixty labelled rows in the order of days, the last twelve of them for validation."""
    for name in ("public", "private"):
        (root / name).mkdir(parents=True)
    rows = pd.DataFrame(
        {"id": range(70), "day": [f"2026-01-{1 + i // rows_a_day:02}" for i in range(70)], "y": range(70)}
    )
    parts = {"train": rows[:48], "validation": rows[48:60], "test": rows[60:]}
    for name, part in parts.items():
        part.drop(columns=[] if name == "train" else ["y"]).to_csv(root / "public" / f"{name}.csv", index=False)
        if name != "train":
            part[["id", "y"]].to_csv(root / "private" / f"{name}.csv", index=False)
    rows[48:].assign(y=30)[["id", "y"]].to_csv(root / "public/sample_submission.csv", index=False)
    (root / "description.md").write_text("Predict y.")
    declared = {"id": "days", "metric": "mae", "direction": "minimize", "validation": "harness", "time_column": "day"}
    (root / "task.yaml").write_text(yaml.safe_dump(declared))
    return load(root)


def test_fresh_splits_by_time_validate_on_what_comes_after_the_training_rows(tmp_path):
    task = by_day(tmp_path / "task")
    check_resplit(task)
    ends = set()
    for fresh in made_of(task, tmp_path, range(8)):
        train, validation = (frame(fresh.public_dir / f"{name}.csv") for name in ("train", "validation"))
        assert max(train["day"]) < min(validation["day"])
        assert max(validation["day"]) < "2026-01-21"
        assert 9 <= len(validation) <= 15
        assert len(train) >= 20
        ends.add(max(validation["day"]))
        sample = frame(fresh.public_dir / "sample_submission.csv")
        assert list(sample["id"]) == [*validation["id"], *map(str, range(60, 70))]
        answers = [frame(fresh.private_dir / f"{name}.csv") for name in ("validation", "test")]
        pd.concat(answers).to_csv(tmp_path / "perfect.csv", index=False)
        assert score_validation(fresh, tmp_path / "perfect.csv").score == 0.0
    assert len(ends) > 2


def test_a_split_that_can_not_be_followed_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="at least 4 different values of 'day'"):
        check_resplit(by_day(tmp_path / "task", rows_a_day=24))
    path = tmp_path / "task/public/validation.csv"
    for other in (path, path.with_name("train.csv")):
        frame(other).rename(columns={"day": "when"}).to_csv(other, index=False)
    with pytest.raises(ConfigError, match="follows the time_column of 'days', and train"):
        check_resplit(load(tmp_path / "task"))
