"""Words: studies of odd kinds say what they must and nothing else (`tests.support.edge_kinds` is the table)."""

import re

import pytest

from mlesearch.analysis.figures import dynamics
from mlesearch.analysis.recheck import recheck
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import analyse
from mlesearch.types import ConfigError
from tests.support.claim_box import check_quotable
from tests.support.edge_kinds import STUDIES
from tests.support.edge_studies import MODELS, gone, study, without_board, words
from tests.support.html_page import Page
from tests.support.synthetic_study import write

BAD = re.compile(r"\b(nan|None|inf)\b(?! established)|Traceback|Ellipsis|numpy")

OF_MEDALS = re.compile(r"any-medal|log odds|logit|Wilson|E1|rate (than|between)|% of its runs")
"""What the box of a claim about a measure has no place for."""


def test_there_are_enough_kinds():
    assert len(STUDIES) >= 60
    assert all(edge.refused or edge.says for edge in STUDIES.values())


@pytest.mark.parametrize("name", STUDIES)
def test_what_a_report_says_and_does_not(name):
    edge = STUDIES[name]
    if edge.refused:
        with pytest.raises(ConfigError) as caught:
            words(edge.made(), edge.policy)
        assert re.search(edge.refused, str(caught.value))
        assert "\n" not in str(caught.value)
        return
    tables = edge.made()
    found = words(tables, edge.policy)
    said, box = found.all, found.box
    for pattern in edge.says:
        assert re.search(pattern, said), f"lacks {pattern!r}:\n{said}"
    for pattern in edge.never:
        assert not re.search(pattern, said), f"says {pattern!r}:\n{re.search(pattern, said)}\n{said}"
    assert not BAD.search(box), box
    if found.results.claimed is not None:
        assert not OF_MEDALS.search(box), box
    check_quotable(found.results)
    assert not box or tables.simulated == ("imulat" in box)


@pytest.mark.parametrize(
    "name",
    ["hostile names", "names that are not Latin", "nothing began", "a strategy that is not planned with a model"],
)
def test_whole_pages(name, tmp_path):
    """Escaped, self-contained, the same twice, and equal to their tables."""
    folder = write(STUDIES[name].made(), tmp_path)
    path = write_report(folder)
    page = Page(path.read_text(encoding="utf-8"))
    assert page.links == []
    assert "<script>alert" not in path.read_text(encoding="utf-8")
    for pattern in STUDIES[name].says:
        assert re.search(pattern, page.text)
    assert len(page.ids) == len(set(page.ids))
    assert recheck(path).differs == ""
    if name == "hostile names":  # every strategy stands in a legend, and no name is read as a formula
        labels = re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8"))
        assert {"_hidden", "$\\frac{$"} <= {label.strip() for label in labels}
    assert write_report(folder, tmp_path / "two").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["no leaderboard", "ungraded tasks"])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_curves_of_medals_are_absent_where_no_run_can_have_one(name):
    results = analyse(STUDIES[name].made())
    curves = dynamics.all_curves(results)
    assert {line.value for line in curves} == {"standing"}
    assert dynamics.frame(curves)["mean"].notna().all()
    assert "nan" not in dynamics.draw(results, curves).svg


def test_the_legend_of_curves_has_each_strategy_wherever_it_was_run():
    """The first column's medals lack one strategy: with that model it was run on tasks without a leaderboard alone."""
    tables = without_board(study(tasks=6), lambda runs: runs["task"] < "task-003")

    def failed(runs):
        return (runs["model"] == MODELS[0]) & (runs["strategy"] == "gome") & ~runs["no_board"]

    results = analyse(gone(tables, failed))
    curves = dynamics.all_curves(results)
    assert not any(line.value == "medal" and (line.models, line.arm) == (MODELS[0], "gome") for line in curves)
    assert re.findall(r"<text[^>]*>(greedy|gome)</text>", dynamics.draw(results, curves).svg) == ["greedy", "gome"]
