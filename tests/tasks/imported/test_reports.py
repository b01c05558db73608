"""Grading reports and run groups of others: seeds as MLE-bench's own aggregation has them, and what is refused."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.tasks.imported.read import read_results
from mlesearch.tasks.imported.results import SourceHints
from mlesearch.types import ConfigError

NOTHING = SourceHints()
SPOOKY, LEAF = "spooky-author-identification", "leaf-classification"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def report(task: str = SPOOKY, medal: str = "none", **other: Any) -> dict[str, Any]:
    flags = {f"{name}_medal": medal == name for name in ("gold", "silver", "bronze")}
    return {
        **{"competition_id": task, "score": 0.5, **flags, "above_median": False, "is_lower_better": True},
        **{"submission_exists": True, "valid_submission": True, **other},
    }


def group(folder: Path, *reports: dict[str, Any], name: str = "2026-01-01T00-00-00-GMT_grading_report.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps({"total_runs": len(reports), "competition_reports": list(reports)}))
    return path


def test_the_kth_report_of_a_competition_in_the_order_of_groups_is_seed_k(tmp_path: Path) -> None:
    group(tmp_path / "a_group2", report(SPOOKY, "gold"), report(LEAF))
    group(tmp_path / "a_group10", report(LEAF, "bronze"))
    group(tmp_path / "a_group1", report(SPOOKY, "silver"))
    found = read_results([tmp_path], NOTHING)
    seeds = {(r.task, r.seed): r.medal for r in found}
    # By names group1 is before group10, and that before group2, as sorted() has it in MLE-bench's script.
    assert seeds == {(SPOOKY, 1): "silver", (SPOOKY, 2): "gold", (LEAF, 1): "bronze", (LEAF, 2): "none"}
    assert {r.of for r in found} == {("not recorded", "a")}
    assert {r.kind for r in found} == {"test"}


@given(st.randoms(use_true_random=False))
def test_the_order_in_which_files_are_named_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random
) -> None:
    place = tmp_path_factory.mktemp("groups")
    files = [group(place / f"g_group{k}", report(SPOOKY, score=k / 10)) for k in range(1, 5)]
    expected = read_results(files, NOTHING)
    chance.shuffle(files)
    assert read_results(files, NOTHING) == expected


def test_an_experiment_of_several_is_asked_for_and_names_the_strategy(tmp_path: Path) -> None:
    for name in ("x_group1", "y_group1", "y_group2"):
        group(tmp_path / name, report())
    table = "experiment_id,run_group\nfirst,x_group1\nsecond,y_group2\nsecond,y_group1\n"
    (tmp_path / "run_group_experiments.csv").write_text(table)
    with pytest.raises(ConfigError, match="has 2 experiments, say which: first, second"):
        read_results([tmp_path], NOTHING)
    with pytest.raises(ConfigError, match=r"none is called 'secnd' \(did you mean 'second'\?\)"):
        read_results([tmp_path], SourceHints(experiment="secnd"))
    found = read_results([tmp_path], SourceHints(experiment="second", model="m"))
    assert [(r.of, r.seed) for r in found] == [(("m", "second"), 1), (("m", "second"), 2)]
    with pytest.raises(ConfigError, match=r"--experiment: .* has no run_group_experiments\.csv"):
        read_results([tmp_path / "x_group1"], SourceHints(experiment="first"))
    (tmp_path / "run_group_experiments.csv").write_text(f"{table}third,z_group1\n")
    with pytest.raises(ConfigError, match="no folder of third's run group z_group1"):
        read_results([tmp_path], SourceHints(experiment="third"))


def test_pointers_are_named(tmp_path: Path) -> None:
    for k in range(1, 7):
        group(tmp_path / f"a_group{k}").write_text(POINTER)
    with pytest.raises(ConfigError, match=r"6 of 6 grading reports are Git-LFS pointers \(a_group1/.* and 2 more\)"):
        read_results([tmp_path], NOTHING)
    one = next(tmp_path.glob("a_group1/*"))
    with pytest.raises(ConfigError, match=r"a Git-LFS pointer, not the results; fetch them with `git lfs pull`"):
        read_results([one], NOTHING)
    (tmp_path / "run_group_experiments.csv").write_text(POINTER)
    with pytest.raises(ConfigError, match=r"run_group_experiments.csv: a Git-LFS pointer"):
        read_results([tmp_path], NOTHING)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"competition_reports": 3}', "are no list of reports"),
        ('{"competition_reports": [{}]}', "'competition_id' is absent"),
        (json.dumps({"competition_reports": [report(gold_medal=1)]}), "'gold_medal' is 1; true or false"),
        (json.dumps({"competition_reports": [report(score="high")]}), "'score' is 'high'; a number is expected"),
        (json.dumps({"competition_reports": [report(medal="gold", silver_medal=True)]}), "gold and silver"),
        ("[1]", "a JSON object was expected, this is a list"),
        ('{"a": ', "no JSON"),
        ('{"a": 1}', "no results that are known; expected a grading report"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_report_is_refused_in_one_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(ConfigError) as refused:
        read_results([path], NOTHING)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_one_report_of_one_submission_and_scores_that_are_not_finite(tmp_path: Path) -> None:
    path = tmp_path / "mine_group1" / "x.json"
    path.parent.mkdir()
    path.write_text(json.dumps(report(score=float("nan"))))
    (found,) = read_results([path], NOTHING)
    assert found.score != found.score
    assert found.valid


def test_a_group_has_one_report(tmp_path: Path) -> None:
    group(tmp_path / "a_group1", report(), name="1_grading_report.json")
    group(tmp_path / "a_group1", report(), name="2_grading_report.json")
    with pytest.raises(ConfigError, match="2 grading reports; a run group has one"):
        read_results([tmp_path], NOTHING)


def test_reports_of_unlike_groups_want_a_name(tmp_path: Path) -> None:
    files = [group(tmp_path / "one", report()), group(tmp_path / "two", report())]
    with pytest.raises(ConfigError, match="--strategy: it can't be told from"):
        read_results(files, NOTHING)
    assert {r.strategy for r in read_results(files, SourceHints(strategy="mine"))} == {"mine"}


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.json: No such file"):
        read_results([tmp_path / "absent.json"], NOTHING)
    with pytest.raises(ConfigError, match="no results in it; expected a grading report"):
        read_results([tmp_path], NOTHING)
