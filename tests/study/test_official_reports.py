"""What MLE-bench's reports say of nodes, in the lines of `show` and in the row of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlesearch.cli.show import node, tree
from mlesearch.storage.blobs import Blobs
from mlesearch.storage.documents import read_run
from mlesearch.study.runs.fold import FoldedRun, fold
from mlesearch.study.runs.official_reports import board_of, node_line, official_facts, official_lines
from mlesearch.study.runs.summary import summarise
from tests.support.run_story import Story


def line(submission: str, score: float | str, board: str = "table", **other: Any) -> dict[str, Any]:
    return {"submission": submission, "report": {"score": score}, "reason": "", "board": board, **other}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four valid nodes: one as usual, one of NaN, and two whose rows are in another order."""
    story = Story(tmp_path)
    for id in range(4):
        story.step(id, "draft", 0.5 + id / 10)
        story.grades[id]["submission"] = f"sha{id}"
    story.grades[1]["score"] = None
    story.grades[2]["medal"] = "none"
    story.ended(2).write()
    lines = [
        line("sha0", 0.5),
        line("sha1", "nan"),
        line("sha2", 0.7, aligned_score=0.1, aligned_medal="gold"),
        line("sha3", 0.8, aligned_score="inf", aligned_medal="none", ends_batch="UnicodeDecodeError: x"),
    ]
    (tmp_path / "official.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    return tmp_path


def test_show_says_boards_odd_scores_and_what_hangs_on_the_order(folder: Path) -> None:
    f = fold(folder)
    assert board_of(f) == "table"
    assert list(official_lines(f)) == [
        "graded by MLE-bench's own package; medals by mlesearch's table of thresholds (MLE-bench's board is a pointer)",
        "scores that are not finite, which MLE-bench counts as valid: node 1 (nan)",
        "2 submissions score otherwise with rows and columns in the sample's order (node 2, node 3); medals that hang "
        "on the order: 1",
    ]
    said = tree(folder)
    assert all(text in said for text in official_lines(f))
    assert node_line(f, 2).endswith("in the sample's order it scores 0.1, medal gold")
    assert "the score is nan" in node_line(f, 1)
    assert "MLE-bench's own command would have ended with UnicodeDecodeError: x" in node_line(f, 3)


def test_the_row_of_a_run_has_it_of_the_selected_node(folder: Path) -> None:
    row = summarise(read_run(folder), fold(folder))
    found = {name: row[name] for name in ("official_board", "odd_score", "aligned_score", "aligned_medal")}  # type: ignore[literal-required]
    assert found == {"official_board": "table", "odd_score": None, "aligned_score": 0.1, "aligned_medal": "gold"}
    facts = official_facts(fold(folder), 3)
    assert facts is not None
    assert (facts.aligned_score, facts.finite_aligned_score) == (float("inf"), None), "tables hold finite scores alone"
    assert not facts.medal_hangs_on_order


def test_grades_of_an_earlier_version_name_no_report(folder: Path) -> None:
    grades = [json.loads(text) for text in (folder / "grades.jsonl").read_text().splitlines()]
    for grade in grades:
        del grade["submission"]
    (folder / "grades.jsonl").write_text("".join(json.dumps(g) + "\n" for g in grades))
    f: FoldedRun = fold(folder)
    assert official_facts(f, 2) is None
    assert node_line(f, 2) == ""
    (boards,) = official_lines(f)
    assert "medals by mlesearch's table" in boards


def test_a_run_that_mle_bench_did_not_grade_says_nothing(tmp_path: Path) -> None:
    story = Story(tmp_path).step(0, "draft", 0.5).executed(0).ended(0).write()
    f = story.fold()
    assert list(official_lines(f)) == []
    row = summarise(read_run(tmp_path), f)
    assert [row["official_board"], row["odd_score"], row["aligned_score"], row["aligned_medal"]] == [None] * 4
    assert "official" not in tree(tmp_path)


def test_show_of_a_node_has_the_line(folder: Path) -> None:
    events = (folder / "journal.jsonl").read_text()
    event = {"type": "executed", "id": 2, "t": 9, "program": Blobs(folder / "blobs").put("pass")}
    result = {"status": "ok", "wall_us": 1, "cpu_us": 1, "peak_bytes": 0}
    (folder / "journal.jsonl").write_text(events + json.dumps({**event, "result": result}) + "\n")
    assert "official: medals by" in node(folder, 2)
