"""Planned inequality: holes that the design means are no missing runs, and rates and tests allow unequal seeds."""

from dataclasses import replace

import numpy as np
import pytest

from mlesearch.analysis.data.claim import models_of
from mlesearch.analysis.data.planned import planned_part
from mlesearch.analysis.data.tables import of_runs, validate
from mlesearch.analysis.page.views import medals
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import analyse
from mlesearch.analysis.statistics.rates import e2_rates, parity
from mlesearch.analysis.terminal import medal_table
from mlesearch.analysis.words.wording import verdicts
from mlesearch.types import ConfigError
from tests.support.html_page import Page
from tests.support.synthetic_study import lost, synthetic, write

WHY = "more seeds for the strongest model alone"


@pytest.fixture(scope="module")
def study():
    made = synthetic(models=3, strategies=("greedy", "mcts", "gome"), tasks=6, seeds=3, steps=3, simulated=False)
    return replace(made, runs=made.runs.assign(status="ok"))


def left_out(tables, rows):
    """The tables with some runs left out by design."""
    return lost(tables, rows, "not_planned", WHY)


def of(tables, rows):
    """The tables of some runs alone."""
    return replace(of_runs(tables, set(tables.runs.loc[rows, "run_id"])), study={**tables.study, "grid": {}})


def later_seeds_of_others(tables):
    return (tables.runs["model"] != "lab/model-03") & (tables.runs["seed"] > 0)


def test_the_rows_fill_holes_and_are_gone_before_anything_is_counted(study):
    rows = later_seeds_of_others(study)
    with pytest.raises(ConfigError, match="the grid has a hole"):
        validate(replace(study, runs=study.runs[~rows]))
    tables = left_out(study, rows)
    validate(tables)
    kept, note = planned_part(tables)
    assert (note.runs, note.why, note.tasks) == (72, ((WHY, 72),), ())
    assert len(kept.runs) == 162 - 72
    results = analyse(tables)
    assert (results.policy.missing, results.policy.expected) == (0, 90)
    assert [c.lost for c in results.cells] == [0] * 9
    assert results.main.confirmatory
    assert results.main.bound is None
    assert all(gap.lost == 0 for gap in results.main.gaps)
    assert planned_part(study) == (study, note.__class__())


def test_rates_and_gaps_are_those_of_the_planned_runs(study):
    """The strongest model's are those of the whole study, the others' those of their first seed."""
    results, whole = analyse(left_out(study, later_seeds_of_others(study))), analyse(study)
    first = analyse(of(study, study.runs["seed"] == 0))
    for board, theirs, ones in zip(results.boards, whole.boards, first.boards, strict=True):
        np.testing.assert_array_equal(board.e2.low[2], theirs.e2.low[2])
        np.testing.assert_array_equal(board.e2.low[:2], ones.e2.low[:2])
        assert board.parity[2] == theirs.parity[2]
        assert board.parity[:2] == ones.parity[:2]
    assert results.main.gaps[2].gap == whole.main.gaps[2].gap
    assert [g.p for g in results.main.gaps[:2]] == [g.p for g in first.main.gaps[:2]]
    assert "1 to 3 seeds each" in verdicts(results)[0].sentence


def test_unequal_seeds_within_a_cell_are_cut_for_parity_and_said_so(study):
    """One task of one cell has one seed more than the others: the rate uses it, the parity line says what it is of."""
    cell = (study.runs["model"] == "lab/model-02") & (study.runs["strategy"] == "gome")
    results = analyse(left_out(study, cell & (study.runs["seed"] == 2) & (study.runs["task"] != "task-00")))
    counts = results.board.counts
    k = counts.counts[1, 2]
    assert k.tolist() == [3, 2, 2, 2, 2, 2]
    expected = e2_rates(counts.hits[1, 2], k)
    assert results.board.e2.rate[1, 2] == expected.rate == (counts.hits[1, 2] / k).mean()
    assert (results.board.e2.low[1, 2], results.board.e2.high[1, 2]) == (expected.low, expected.high)
    p = results.board.parity[1][2]
    hit = study.runs.loc[cell & (study.runs["seed"] < 2)].sort_values(["task", "seed"])
    hit = hit[["gold", "silver", "bronze"]].any(axis=1).to_numpy().reshape(6, 2)
    assert p == parity(hit.tolist())
    shown = {row[0].text + row[1].text: row[2] for row in medals(results).rows}["lab/model-02gome"]
    assert shown.text == f"{100 * expected.rate:.1f}"
    assert shown.sub.endswith(f"; parity of the first 2 seeds: {p.mean:.1f} ± {p.sem:.1f}")
    assert "cut to the smallest number of" in medals(results).caption
    assert "unequal numbers of seeds" in medal_table(results)
    assert "parity of" not in str(medals(analyse(study)))


def test_a_strategy_that_is_not_planned_with_a_model_costs_its_claim_nothing(study):
    """The trend and the family are those of the models that have both; no verdict is refused for the design."""
    rows = (study.runs["model"] == "lab/model-02") & (study.runs["strategy"] == "gome")
    results = analyse(left_out(study, rows))
    assert [g.refused for g in results.main.gaps] == ["", "gome: not run by design", ""]
    assert np.isnan(results.board.e2.rate[1, 2])
    assert np.isnan(results.main.by_task[1]).all()
    without = analyse(of(study, study.runs["model"] != "lab/model-02"))
    for mine, theirs in zip([results.main.gaps[i] for i in (0, 2)], without.main.gaps, strict=True):
        assert (mine.gap, mine.p, mine.p_adjusted) == (theirs.gap, theirs.p, theirs.p_adjusted)
    assert results.main.slope == without.main.slope
    assert results.others[0].gaps[1].refused == ""
    assert "not planned" in {cell.text for row in medals(results).rows for cell in row}
    text = verdicts(results)[0].sentence
    assert "lab/model-02 (gome: not run by design)" in text
    assert "over 2 tests" in text


def test_tasks_that_are_not_planned_everywhere_are_left_out_for_all_and_named(study):
    cell = (study.runs["model"] == "lab/model-02") & (study.runs["strategy"] == "gome")
    results = analyse(left_out(study, cell & study.runs["task"].isin(["task-01", "task-04"])))
    assert results.not_planned.tasks == ("task-01", "task-04")
    assert results.board.counts.tasks == ("task-00", "task-02", "task-03", "task-05")
    assert "left out for all, since not planned in every cell: task-01, task-04" in results.not_planned.words
    nothing = left_out(study, cell | ~cell)
    with pytest.raises(ConfigError, match="no run is planned"):
        analyse(nothing)


@pytest.mark.usefixtures("undrawn")
def test_a_group_that_was_stopped_leaves_a_page_that_says_so(study, tmp_path):
    """As after a sequential look: the middle model was never run, the weak one stopped after two seeds."""
    runs = study.runs
    rows = (runs["model"] == "lab/model-02") | ((runs["model"] == "lab/model-01") & (runs["seed"] == 2))
    tables = left_out(study, rows)
    assert models_of(planned_part(tables)[0]).names == ("lab/model-01", "lab/model-03")
    page = Page(write_report(write(tables, tmp_path)).read_text(encoding="utf-8"))
    assert f"72 runs not run by design ({WHY} × 72)" in page.text
    assert "no missing run among 90" in page.text
    assert "have no result" not in page.text
    one = left_out(study, (runs["model"] == "lab/model-02") & (runs["strategy"] == "gome"))
    page = Page(write_report(write(one, tmp_path / "one")).read_text(encoding="utf-8"))
    assert "gome: not run by design" in page.text
    assert "nan" not in page.text.lower().split()
