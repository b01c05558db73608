"""Which strategy leads where: made-up studies whose leaders are known, and the page that shows them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlesearch.analysis.comparisons.leaders import GRADIENT, TREE, _lead
from mlesearch.analysis.data.tables import read
from mlesearch.analysis.figures.leaders_figure import draw
from mlesearch.analysis.page import leaders_view
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import analyse
from mlesearch.optimizers.base import STRATEGIES
from mlesearch.optimizers.describe import FAMILIES, described
from tests.support.html_page import Page
from tests.support.leader_study import first, study
from tests.support.synthetic_study import write

TASKS = 30
CAPABILITY = {"dull": 0.1, "able": 0.9}
SETTINGS = {
    "few": {"engineer": {"evidence_share": 0.0}, "budget_steps": 6},
    "much": {"engineer": {"evidence_share": 0.8}, "budget_steps": 6},
}
WON = {
    ("dull", "few"): {"greedy": 20, "mcts": 5, "gome": 4, "random": 2},
    ("dull", "much"): {"greedy": 10, "mcts": 10, "gome": 9, "random": 8},
    ("able", "few"): {"greedy": 12, "mcts": 10, "gome": 13, "random": 3},
    ("able", "much"): {"greedy": 8, "mcts": 6, "gome": 28, "random": 3},
}


def known(**changed):
    cells = {(m, s, v): first(n, TASKS) for (m, v), own in WON.items() for s, n in own.items()}
    return study(cells, SETTINGS, CAPABILITY, **changed)


def cells_of(tables):
    results = analyse(tables)
    levels = results.leaders.axes[0].levels
    return {(results.models.names[c.model], levels[c.setting[0]]): c for c in results.leaders.cells}


def test_the_leaders_are_those_that_were_made():
    cells = cells_of(known())
    assert [axis.name for axis in analyse(known()).leaders.axes] == ["evidence_share"]
    assert list(cells) == [("dull", "0"), ("dull", "0.8"), ("able", "0"), ("able", "0.8")]
    clear = cells["dull", "0"]
    assert (clear.leaders, clear.next_best, clear.established) == (("greedy",), "mcts", True)
    assert clear.lead.gap == pytest.approx(15 / 30)
    assert clear.rates["greedy"] == pytest.approx(20 / 30)
    assert not clear.gradient_ahead
    narrow = cells["able", "0"]
    assert (narrow.leaders, narrow.established) == (("gome",), False)
    assert narrow.lead.gap == pytest.approx(1 / 30)
    region = cells["able", "0.8"]
    assert region.established
    assert region.gradient_ahead
    assert region.best_tree == ("greedy",)
    assert 20 / 30 <= region.against_trees.gap < 21 / 30  # on some halves mcts is as good, and is chosen
    assert (region.tasks, region.runs, region.lost) == (TASKS, 4 * TASKS, 0)


def test_a_tie_has_all_its_leaders_and_establishes_nothing():
    tie = cells_of(known())["dull", "0.8"]
    assert tie.leaders == ("greedy", "mcts")
    assert tie.lead.gap == 0
    assert not tie.established
    assert tie.best_tree == ("greedy", "mcts")


def test_p_is_the_largest_over_the_others_and_adjusted_over_the_cells():
    cells = cells_of(known())
    raw = np.array([c.lead.p for c in cells.values()])
    by_hand = np.minimum.accumulate((np.sort(raw) * 4 / np.arange(1, 5))[::-1])[::-1]
    np.testing.assert_allclose(np.sort([c.lead.p_adjusted for c in cells.values()]), np.minimum(by_hand, 1))
    # mcts is next by its rate, and yet random, which wins other tasks, is harder to tell from greedy
    other = {("dull", "greedy", "few"): first(14, TASKS), ("dull", "mcts", "few"): first(6, TASKS)}
    other["dull", "random", "few"] = first(5, TASKS)[::-1].copy()
    rest = {(m, s, v): first(3, TASKS) for m in CAPABILITY for s in ("greedy", "mcts", "random") for v in SETTINGS}
    cell = cells_of(study(rest | other, SETTINGS, CAPABILITY))["dull", "0"]
    assert cell.next_best == "mcts"
    assert cell.lead.gap == pytest.approx(8 / 30)
    assert cell.lead.p > 2 * 0.5**8


def test_a_run_without_a_result_establishes_nothing_in_its_cell_alone():
    cells = cells_of(known(lost=[("dull", "random", "few")]))
    assert cells["dull", "0"].lost == 1
    assert not cells["dull", "0"].established
    assert cells["able", "0.8"].established


def test_one_task_establishes_nothing():
    cells = {(m, s, v): first(s == "gome", 1) for m in CAPABILITY for s in ("greedy", "gome") for v in SETTINGS}
    for cell in cells_of(study(cells, SETTINGS, CAPABILITY)).values():
        assert cell.leaders == ("gome",)
        assert not cell.established
        assert not cell.gradient_ahead


def test_cells_may_be_absent_and_a_lone_strategy_leads_nothing():
    """An arm that ran in one setting only; without gradient strategies nothing is said about them."""
    cells = {(m, s, "few"): first(20 * (s == "greedy"), TASKS) for m in CAPABILITY for s in ("greedy", "random")}
    cells |= {(m, "greedy", "much"): first(9, TASKS) for m in CAPABILITY}
    tables = study(cells, SETTINGS, CAPABILITY)
    found = cells_of(tables)
    assert found["dull", "0"].leaders == ("greedy",)
    assert found["dull", "0.8"].leaders == ()
    assert found["dull", "0.8"].lead is None
    assert all(cell.against_trees is None for cell in found.values())
    shown = leaders_view.section(analyse(tables))
    assert "of 4 cells greedy in 2 (2 established) and 2 could not be compared" in shown.text
    assert "tree search" not in shown.text
    assert "gradient strategy" not in shown.caption
    assert shown.figure().svg.count(">compared<") == 2


def test_two_variants_of_a_strategy_in_one_setting_give_no_map():
    twin = {"twin": SETTINGS["few"]} | SETTINGS
    cells = {("dull", s, v): first(3, TASKS) for s in ("greedy", "gome") for v in twin}
    assert analyse(study(cells, twin, CAPABILITY)).leaders is None


def test_equal_strategies_are_seldom_said_to_lead():
    """500 cells in which four strategies are equal: a lead is established in at most 5 %, whichever leads."""
    rng = np.random.default_rng(4)
    ones = np.ones((4, TASKS), dtype=np.int64)
    false = 0
    for _ in range(500):
        task = 1 / (1 + np.exp(1.0 - 1.5 * rng.normal(size=TASKS)))
        hits = (rng.random((4, TASKS)) < task).astype(np.int64)
        first_, second = np.argsort(-hits.sum(axis=1), kind="stable")[:2]
        false += _lead(hits, ones, int(first_), int(second)).rejects()
    assert false / 500 <= 0.05


def test_kinds_of_search_are_declared_by_the_strategies_themselves():
    assert {GRADIENT, TREE} <= set(FAMILIES)
    declared = {kind: {d.family for d in described(STRATEGIES.load(kind))} for kind in STRATEGIES.builtin}
    assert all(kinds <= set(FAMILIES) and len(kinds) == 1 for kinds in declared.values())
    assert declared["gome"] == {GRADIENT}
    assert declared["greedy"] == declared["mcts"] == {TREE}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(known(), tmp_path_factory.mktemp("map"))


@pytest.fixture(scope="module")
def page(folder):
    return Page(write_report(folder).read_text(encoding="utf-8"))


def test_the_page_shows_the_map_in_words_a_figure_and_a_table(page):
    assert "leaders" in page.ids
    assert "Exploratory, in simulation: leading by any-medal rate, of 4 cells gome in 2 (1 established)" in page.text
    assert "In 1 of 4 it is established that gome is ahead of the best tree search of greedy and mcts" in page.text
    assert "and nothing about language models" in page.text
    svg = next(svg for svg in page.svgs if svg["aria-label"].startswith("Simulated: Heat maps"))
    assert svg["data-simulated"] == "true"
    assert "gome in 2 (1 established)" in svg["aria-label"]
    assert "A gradient strategy is ahead of the best tree search in 1." in svg["aria-label"]
    assert len(page.ids) == len(set(page.ids))


def test_the_csv_has_a_row_a_cell_and_every_figure(folder, page):
    rows = pd.read_csv(folder / "report_tables" / "leaders.csv")
    assert len(rows) == 4
    assert rows["simulated"].all()
    row = rows[(rows["model"] == "able") & (rows["evidence_share"] == 0.8)].iloc[0]
    assert (row["leader"], row["next_best"], row["best_tree"]) == ("gome", "greedy", "greedy")
    assert row["rate"] == pytest.approx(28 / 30)
    assert 20 / 30 <= row["gradient_minus_tree"] < 21 / 30
    assert row["gradient_ahead_established"]
    assert (row["tasks"], row["runs"], row["lost"]) == (30, 120, 0)
    tie = rows[(rows["model"] == "dull") & (rows["evidence_share"] == 0.8)].iloc[0]
    assert tie["leader"] == "greedy, mcts"


def test_the_same_map_gives_the_same_figure(folder, page):
    results = analyse(read(folder))
    one, two = (draw(results.leaders, results.models, simulated=True).svg for _ in range(2))
    assert one == two
    assert one in (folder / "report.html").read_text(encoding="utf-8"), "which `page` has written"


def test_a_study_that_varies_no_setting_has_no_such_section():
    one = {key: won for key, won in known_cells().items() if key[2] == "few"}
    results = analyse(study(one, SETTINGS, CAPABILITY))
    assert leaders_view.section(results) is None
    assert leaders_view.frames(results) == {}


def known_cells():
    return {(m, s, v): first(n, TASKS) for (m, v), own in WON.items() for s, n in own.items()}


def test_tables_without_kinds_of_search_still_say_who_leads(folder):
    tables = read(folder)
    bare = replace(tables, runs=tables.runs.drop(columns=["family"]))
    cells = cells_of(bare)
    assert cells["dull", "0"].leaders == ("greedy",)
    assert cells["dull", "0"].best_tree == ()
    assert cells["able", "0.8"].against_trees is None
