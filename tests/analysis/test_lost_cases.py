"""The claim's verdict under four treatments of the runs without a result, and whether it hangs on them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlesearch.analysis.page.lost_cases_view import view
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import analyse
from mlesearch.analysis.words.wording import verdicts
from tests.support.html_page import Page
from tests.support.synthetic_study import FLAGS, lost, synthetic, write


@pytest.fixture(scope="module")
def study():
    made = synthetic(models=1, strategies=("greedy", "gome"), tasks=8, seeds=2, simulated=False, steps=3)
    return replace(made, runs=made.runs.assign(status="ok"))


def with_medals(tables, rows):
    """Exactly these runs have a medal."""
    runs = tables.runs.copy()
    runs[FLAGS] = False
    runs.loc[rows, ["valid", "gold", "above_median"]] = True
    return replace(tables, runs=runs)


def by_name(results):
    return {case.name: case for case in results.lost_cases}


def box(results):
    return next(v.sentence for v in verdicts(results) if v.title == "The runs")


def test_without_lost_runs_there_are_no_cases(study):
    results = analyse(study)
    assert results.lost_cases == ()
    assert view(results.lost_cases, "a − b") is None
    third = synthetic(models=1, tasks=4, seeds=2, simulated=False)
    third = replace(third, runs=third.runs.assign(status="ok"))
    gone = lost(third, third.runs["strategy"] == "mcts")  # no side of the claim
    assert analyse(gone).lost_cases == ()


def test_a_verdict_that_holds_however_they_came_out(study):
    """The treatment won all, the baseline nothing, and half of the baseline's runs failed: it is never ahead."""
    tables = with_medals(study, study.runs["strategy"] == "gome")
    half = (study.runs["strategy"] == "greedy") & (study.runs["seed"] == 1)
    results = analyse(lost(tables, half))
    cases = by_name(results)
    assert {n: c.found.gaps[0].gap for n, c in cases.items()} == {
        "failed": 1.0, "left out": 1.0, "worst case": 0.5, "best case": 1.0,
    }  # fmt: skip
    assert {c.gaps for c in cases.values()} == {(1,)}
    assert "The verdict is the same with the runs without a result counted as failed, left out" in box(results)


def test_a_verdict_that_hangs_on_them_is_said_to(study):
    """The treatment won with one seed; the baseline's other seed failed: had it won, there would be no difference."""
    first = study.runs["seed"] == 0
    tables = with_medals(study, (study.runs["strategy"] == "gome") & first)
    results = analyse(lost(tables, (study.runs["strategy"] == "greedy") & ~first))
    cases = by_name(results)
    assert {n: c.gaps[0] for n, c in cases.items()} == {"failed": 1, "left out": 1, "worst case": 0, "best case": 1}
    said = box(results)
    assert "The verdict hangs on the runs without a result" in said
    assert "a gap with lab/model-01: ahead failed, left out and best case, none worst case" in said
    assert not results.main.gaps[0].rejects()


def test_each_case_is_the_analysis_that_it_names(study):
    rows = study.runs.index % 5 == 3
    tables = lost(study, pd.Series(rows, index=study.runs.index))
    cases, fail, dropped = by_name(analyse(tables)), analyse(tables, "fail"), analyse(tables, "drop_seed")
    for name, other in (("failed", fail), ("left out", dropped)):
        mine, theirs = cases[name].found.gaps[0], other.main.gaps[0]
        assert (mine.gap, mine.p, mine.low, mine.high) == (theirs.gap, theirs.p, theirs.low, theirs.high)
    gap = fail.main.gaps[0]
    assert (cases["worst case"].found.gaps[0].gap, cases["best case"].found.gaps[0].gap) == (gap.least, gap.most)
    assert len({id(case.found) for case in cases.values()}) == 4
    assert analyse(lost(study, pd.Series(rows, index=study.runs.index), "missing"), "fail").lost_cases == ()


def test_where_every_task_lost_a_side_left_out_has_no_task(study):
    per_task = study.runs["task"].str[-2:].astype(int) % 2
    gone = (per_task == 0) & (study.runs["strategy"] == "gome") | (per_task == 1) & (study.runs["strategy"] == "greedy")
    results = analyse(lost(study, gone))
    assert by_name(results)["left out"].found is None
    assert "Left out, no task is left that all have." in box(results)


@pytest.mark.usefixtures("undrawn")
def test_the_page_has_the_table_and_the_sentence(study, tmp_path):
    grid = synthetic(models=4, strategies=("greedy", "gome"), tasks=8, seeds=2, simulated=True, steps=3)
    grid = replace(grid, runs=grid.runs.assign(status="ok"))
    rows = pd.Series(grid.runs.index % 7 == 2, index=grid.runs.index)
    folder = write(lost(grid, rows), tmp_path)
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    assert "lost-cases" in "".join(page.ids)
    for name in ("failed", "left out", "worst case", "best case"):
        assert f" {name} " in page.text
    frame = pd.read_csv(folder / "report_tables/lost_cases.csv")
    assert frame["simulated"].all()
    assert frame.groupby("case").size().to_dict() == {"best case": 4, "failed": 4, "left out": 4, "worst case": 4}
    results = analyse(lost(grid, rows))
    np.testing.assert_array_equal(frame.loc[frame["case"] == "worst case", "gap"], [g.least for g in results.main.gaps])
    shown = view(results.lost_cases, "gome − greedy")
    assert [row[0].text for row in shown.rows] == ["failed", "left out", "worst case", "best case"]
    assert {len(row) for row in shown.rows} == {len(shown.heads)}
