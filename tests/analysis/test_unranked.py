"""Tasks without a leaderboard: their scores are told, and no rate of medals counts them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlesearch.analysis.data.tables import Tables
from mlesearch.analysis.page import scores
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import analyse
from mlesearch.analysis.terminal import medal_table
from tests.support.synthetic_study import synthetic, write


def unranked(tasks: int) -> Tables:
    """A study of two tasks, so many of which have no leaderboard, as `collect` writes them."""
    tables = synthetic(name="unranked")
    chosen = sorted(set(tables.runs["task"]))[:tasks]
    is_one = tables.runs["task"].isin(chosen)
    off = {name: tables.runs[name] & ~is_one for name in ("gold", "silver", "bronze", "above_median")}
    runs = tables.runs.assign(no_board=is_one, **off)
    ids = set(runs.loc[is_one, "run_id"])
    medal = tables.nodes["medal"].where(~tables.nodes["run_id"].isin(ids), None)
    return replace(tables, runs=runs, nodes=tables.nodes.assign(medal=medal), study={**tables.study, "claim": None})


def test_where_no_task_has_one_scores_are_the_result(tmp_path: Path) -> None:
    tables = unranked(2)
    results = analyse(tables)
    assert [board.outcome for board in results.boards] == ["valid"]
    assert results.outcome == "valid"
    assert np.isnan(results.cost["medals"].to_numpy(dtype=float)).all()
    page = write_report(write(tables, tmp_path)).read_text()
    assert "No task has a leaderboard" in page
    assert 'id="scores"' in page
    assert (tmp_path / "report_tables" / "scores.csv").is_file()
    table = medal_table(analyse(tables))
    assert "valid submission, %" in table
    assert "No task has a leaderboard" in table


@pytest.mark.usefixtures("undrawn")
def test_where_some_have_none_medals_are_over_the_others(tmp_path: Path) -> None:
    tables = unranked(1)
    with_one = sorted(set(tables.runs["task"]))[1:]
    results = analyse(tables)
    for board in results.boards:
        expected = with_one if board.outcome != "valid" else sorted(set(tables.runs["task"]))
        assert list(board.counts.tasks) == expected
    only = analyse(
        replace(
            tables,
            runs=(kept := tables.runs[tables.runs["task"].isin(with_one)].reset_index(drop=True)),
            nodes=tables.nodes[tables.nodes["run_id"].isin(kept["run_id"])].reset_index(drop=True),
            calls=tables.calls[tables.calls["run_id"].isin(kept["run_id"])].reset_index(drop=True),
        )
    )
    np.testing.assert_allclose(results.boards[0].e2.rate, only.boards[0].e2.rate)
    assert "These tasks have no leaderboard" in write_report(write(tables, tmp_path)).read_text()


@pytest.mark.usefixtures("undrawn")
def test_ungraded_tasks_are_named_and_no_test_score_is_told(tmp_path: Path) -> None:
    """A task without answers has no board either, and its valid runs have no score."""
    tables = unranked(1)
    task = min(tables.runs["task"])
    is_one = tables.runs["task"] == task
    scores_of = ("score", "test_selected", "test_oracle", "percentile")
    blank = {name: tables.runs[name].where(~is_one) for name in scores_of if name in tables.runs.columns}
    without_answers = replace(tables, runs=tables.runs.assign(ungraded=is_one, **blank))
    said = f"Ungraded, without test answers: {task}; no test score of them is known."
    page = write_report(write(without_answers, tmp_path)).read_text()
    assert said in page
    assert said in medal_table(analyse(without_answers))
    assert "Ungraded" not in medal_table(analyse(tables))
    for board in analyse(without_answers).boards:
        assert (task in board.counts.tasks) is (board.outcome == "valid")


def test_scores_by_hand() -> None:
    tables = unranked(1)
    frame = scores.frames(analyse(tables))["scores"]
    row = frame.iloc[0]
    part = tables.runs.query("task == @row.task and model == @row.model and strategy == @row.strategy and valid")
    assert (row["runs"], row["scored"]) == (2, len(part))
    assert row["mean"] == pytest.approx(part["score"].mean())
    assert scores.frames(analyse(synthetic(name="ranked"))) == {}
