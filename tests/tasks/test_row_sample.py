"""The sample of a task's labelled rows that trial runs see: fixed, by classes and whole groups."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.tasks.folder import load
from mlesearch.tasks.row_sample import LEAST_OF_A_CLASS, SampleRule, check_sample, draw, labelled, write_sample
from mlesearch.types import ConfigError
from tests.support.task_maker import make_task, write_csv

RULES = st.builds(SampleRule, st.floats(0.01, 0.99), st.integers(1, 40))
LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=120).map(
    lambda found: np.unique(found, return_inverse=True)[1]
)


@given(LABELS, RULES, st.booleans())
def test_rows_are_drawn_by_class_and_no_more_than_needed(labels, rule, classes):
    n = len(labels)
    kept = draw(labels, None, rule, classes=classes)
    wanted = rule.size(n)
    assert wanted == min(n, max(rule.rows, int(np.ceil(rule.share * n - 1e-9))))
    if not classes:
        assert kept.sum() == wanted
        return
    sizes, taken = np.bincount(labels), np.bincount(labels[kept], minlength=labels.max() + 1)
    for size, count in zip(sizes, taken, strict=True):
        assert count == min(size, max(LEAST_OF_A_CLASS, -(-wanted * size // n)))


@given(LABELS, st.data(), RULES, st.booleans())
def test_groups_are_kept_whole_and_classes_all_the_same(labels, data, rule, classes):
    n = len(labels)
    numbers = data.draw(st.lists(st.integers(0, 15), min_size=n, max_size=n))
    groups = np.unique(numbers, return_inverse=True)[1]
    kept = draw(labels, groups, rule, classes=classes)
    for group in range(groups.max() + 1):
        assert len(set(kept[groups == group])) == 1
    assert kept.sum() >= rule.size(n)
    if classes:
        sizes, taken = np.bincount(labels), np.bincount(labels[kept], minlength=labels.max() + 1)
        assert all(
            t >= min(s, max(LEAST_OF_A_CLASS, -(-rule.size(n) * s // n))) for s, t in zip(sizes, taken, strict=True)
        )
    else:  # without the group that was taken last it would be too small
        largest = np.bincount(groups).max()
        assert kept.sum() - largest < rule.size(n)


def frame(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


@pytest.mark.parametrize("name", ["canvas", "rentals", "tickets"])
def test_the_folder_holds_some_training_rows_and_all_else(tmp_path, name):
    task, rule = load(name), SampleRule(0.1, 200)
    check_sample(task, rule)
    write_sample(task, rule, tmp_path / "a")
    assert [p.name for p in labelled(task)] == ["train.csv"]
    whole, sample = frame(task.public_dir / "train.csv"), frame(tmp_path / "a" / "train.csv")
    assert 200 <= len(sample) <= 210
    rows = whole[whole[task.id_column].isin(sample[task.id_column])].reset_index(drop=True)
    assert rows.equals(sample)  # every cell as it was, in the order of the file
    others = {p.name for p in task.public_dir.iterdir()} - {"train.csv"}
    assert others
    for other in others:
        assert (tmp_path / "a" / other).read_bytes() == (task.public_dir / other).read_bytes()
    if name != "rentals":
        share = [f[task.target_columns[0]].value_counts(normalize=True) for f in (whole, sample)]
        assert (share[0] - share[1]).abs().max() < 0.01


def test_the_sample_is_the_same_in_every_process(tmp_path):
    code = (
        "import sys; from pathlib import Path; from mlesearch.tasks.folder import load;"
        "from mlesearch.tasks.row_sample import SampleRule, write_sample;"
        "write_sample(load('tickets'), SampleRule(0.1, 200), Path(sys.argv[1]))"
    )
    found = set()
    for seed in ("0", "77"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], env=env, check=True)
        found.add((tmp_path / seed / "train.csv").read_bytes())
    assert len(found) == 1


def grouped(folder, **declared):
    """Two hundred rows in fifty groups of four, with a target that is no class, and a template of a submission."""
    make_task(folder, **declared)
    rows = [f"{i},{i % 50},{i * 2},{10 + i / 10}" for i in range(1000, 1200)]
    write_csv(folder / "public" / "train.csv", "id,site,x,y", rows)
    asked = frame(folder / "public" / "sample_submission.csv")["id"]
    write_csv(folder / "public" / "zeros.csv", "id,y", [f"{i},0" for i in asked])
    return load(folder)


def test_declared_groups_are_kept_whole_in_a_task(tmp_path):
    task, rule = grouped(tmp_path / "t", group_column="site"), SampleRule(0.1, 10)
    assert [p.name for p in labelled(task)] == ["train.csv"]  # not the template
    write_sample(task, rule, tmp_path / "s")
    sample = frame(tmp_path / "s" / "train.csv")
    assert 20 <= len(sample) < 24
    assert set(sample["site"].value_counts()) == {4}
    free = grouped(tmp_path / "free")
    write_sample(free, rule, tmp_path / "f")
    assert set(frame(tmp_path / "f" / "train.csv")["site"].value_counts()) != {4}


def test_labels_under_other_names_are_those_of_the_training_file(tmp_path):
    make_task(tmp_path / "t", validation="reported")
    write_csv(tmp_path / "t" / "public" / "train.csv", "id,x,kind", [f"{i},{i},a" for i in range(90)])
    write_csv(tmp_path / "t" / "public" / "extra.csv", "id,z", [f"{i},{i}" for i in range(90)])
    task = load(tmp_path / "t")
    write_sample(task, SampleRule(0.1, 5), tmp_path / "s")
    assert len(frame(tmp_path / "s" / "train.csv")) == 9
    assert len(frame(tmp_path / "s" / "extra.csv")) == 90


def test_what_no_sample_can_be_drawn_of_is_refused_in_one_line(tmp_path):
    task = grouped(tmp_path / "t", group_column="site")
    with pytest.raises(
        ConfigError, match=r"all of train\.csv \(200 rows in 50 groups\); lower run\.trial\.rows \(now 500\)"
    ):
        check_sample(task, SampleRule(0.1, 500))
    with pytest.raises(ConfigError, match=r"task\.yaml: group_column is 'place', which no CSV file of public/ has"):
        grouped(tmp_path / "wrong", group_column="place")
    write_csv(tmp_path / "t" / "public" / "sites.csv", "site,area", ["1,2"])
    (tmp_path / "t" / "public" / "train.csv").write_text("id,x,y\n1,2,3\n")
    with pytest.raises(ConfigError, match=r"declares group_column 'site', which is not in train\.csv"):
        check_sample(task, SampleRule(0.1, 1))
    (tmp_path / "t" / "public" / "train.csv").unlink()
    with pytest.raises(ConfigError, match=r"no CSV file of labelled rows .* set run\.trial\.share=0"):
        check_sample(task, SampleRule(0.1, 1))
    (tmp_path / "t" / "public" / "train.csv").write_bytes(b"id,site,x,y\n1,2,3,4\n" + b'"' + b"5," * 9 + b"\n")
    with pytest.raises(ConfigError, match=r"run\.trial: .*train\.csv can't be read as CSV"):
        check_sample(task, SampleRule(0.1, 1))
