"""Summaries of FML-bench and journals of AIDE, in the forms that their public code writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlesearch.tasks.imported.read import read_results
from mlesearch.tasks.imported.recheck import rechecked
from mlesearch.tasks.imported.results import SourceHints
from mlesearch.types import ConfigError

CONFIG = """
data_dir: !!python/object/apply:pathlib.PosixPath
- /
- home
- spooky-author-identification
exp_name: 0-brave-owl
agent: {steps: 20, code: {model: gpt-4o, temp: 0.5}}
"""


def fml(**other: Any) -> dict[str, Any]:
    test = {"success": True, "results": {}, "primary_metric": 0.592, "error": None}
    return {
        **{"benchmark": "Privacy_opacus", "agent": "aide", "model": "gpt-5.4", "provider": "OpenAI", "val_steps": []},
        **{"task_config": {"metric": "test_acc_mean", "metric_direction": "higher"}, "baseline_primary_metric": 0.5},
        **{"best_val_metric": 0.61, "test_result": test, **other},
    }


def aide(*nodes: tuple[float | None, bool], maximize: bool = False) -> dict[str, Any]:
    made = [
        {"code": "", "step": k, "metric": {"value": v, "maximize": maximize}, "is_buggy": buggy}
        for k, (v, buggy) in enumerate(nodes)
    ]
    return {"nodes": made, "node2parent": {}, "__version": "2"}


def write(path: Path, content: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_a_summary_of_fml_bench_is_a_test_score_without_a_medal(tmp_path: Path) -> None:
    for k, metric in enumerate((0.592, 0.6)):
        test = {"success": True, "primary_metric": metric}
        write(tmp_path / f"Privacy_opacus/2026010{k}/summary.json", fml(test_result=test))
    first, second = read_results([tmp_path], SourceHints())
    assert (first.of, first.task, first.seed, first.score) == (("gpt-5.4", "aide"), "Privacy_opacus", 1, 0.592)
    assert (second.seed, second.score) == (2, 0.6)
    assert (first.medal, first.above_median, first.kind, first.lower_is_better) == (None, None, "test", False)
    assert rechecked([first]) == ([first], [])


@pytest.mark.parametrize("test", [None, {"success": False, "primary_metric": None, "error": "x"}])
def test_a_final_test_that_failed_is_no_score(tmp_path: Path, test: object) -> None:
    (found,) = read_results([write(tmp_path / "summary.json", fml(test_result=test))], SourceHints())
    assert (found.score, found.valid, found.submitted) == (None, False, False)


def test_a_journal_of_aide_is_the_best_score_of_its_own_validation(tmp_path: Path) -> None:
    nodes = aide((0.5, False), (0.1, True), (None, True), (0.4, False), (float("nan"), False))
    path = write(tmp_path / "logs/0-brave-owl/journal.json", nodes)
    path.with_name("config.yaml").write_text(CONFIG)
    (found,) = read_results([tmp_path / "logs"], SourceHints())
    assert (found.of, found.task) == (("gpt-4o", "aide"), "spooky-author-identification")
    assert (found.score, found.kind, found.medal, found.lower_is_better) == (0.4, "validation", None, True)
    (same,), mismatches = rechecked([found])
    assert (same, mismatches) == (found, []), "a validation score wins no medal"
    write(path, aide((0.5, False), (0.4, False), maximize=True))
    (found,) = read_results([path], SourceHints(model="mine"))
    assert (found.score, found.model) == (0.5, "mine")


def test_a_journal_without_a_good_node_and_without_settings(tmp_path: Path) -> None:
    path = write(tmp_path / "1-old-fox/journal.json", aide((None, True)))
    (found,) = read_results([path], SourceHints())
    assert (found.score, found.valid, found.model, found.task) == (None, False, "not recorded", "1-old-fox")


def test_nodes_that_disagree_on_what_is_better_are_refused(tmp_path: Path) -> None:
    mixed = aide((0.5, False))
    mixed["nodes"] += aide((0.5, False), maximize=True)["nodes"]
    with pytest.raises(ConfigError, match="no best one can be told"):
        read_results([write(tmp_path / "journal.json", mixed)], SourceHints())


def test_settings_make_no_object(tmp_path: Path) -> None:
    path = write(tmp_path / "0-x/journal.json", aide((1.0, False)))
    evil = f"data_dir: !!python/object/apply:os.system ['touch {tmp_path}/made']\n"
    path.with_name("config.yaml").write_text(evil)
    read_results([path], SourceHints())
    assert not (tmp_path / "made").exists()


def test_a_journal_of_another_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither a summary of FML-bench nor a journal of AIDE"):
        read_results([write(tmp_path / "a/journal.json", {"nodes": [{"id": 1}]}).parents[1]], SourceHints())
