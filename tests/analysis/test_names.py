"""Names in figures are told apart, strategies look different, and a page says what it leaves out and why it chose."""

import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.analysis.data.claim import arms_of, claim_of
from mlesearch.analysis.figures import dynamics, findings
from mlesearch.analysis.figures.names import short_names
from mlesearch.analysis.figures.series import colour, dash, hatch, legend_columns, marker
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import analyse
from mlesearch.analysis.words.wording import declaration
from mlesearch.types import ConfigError
from tests.support.html_page import Page
from tests.support.synthetic_study import lost, synthetic, write


def renamed(tables, models):
    """The tables with other names of models, in order."""
    old = sorted(set(tables.runs["model"]))
    names = dict(zip(old, models, strict=True))
    return replace(
        tables,
        runs=tables.runs.assign(model=tables.runs["model"].map(names)),
        study={**tables.study, "grid": {"strategies": tables.study["grid"]["strategies"]}},
    )


def test_a_provider_is_left_out_where_it_tells_nothing_apart():
    assert short_names(["openai/gpt-5", "google/gemini-3"]) == ("gpt-5", "gemini-3")
    assert short_names(["azure/gpt-5", "openai/gpt-5", "lab/x"]) == ("azure/gpt-5", "openai/gpt-5", "x")
    assert short_names(["a/b/m", "c/b/m", "m"]) == ("a/b/m", "c/b/m", "m")
    assert short_names(["gpt-5", "openai/gpt-5"]) == ("gpt-5", "openai/gpt-5")
    assert short_names([]) == ()


def test_long_names_keep_both_ends_and_what_differs():
    thinking = ["claude-sonnet-4-5-20250929-thinking-low", "claude-sonnet-4-5-20250929-thinking-high"]
    low, high = short_names(thinking)
    assert low != high
    assert (low[:8], low[-3:], "…" in low) == ("claude-s", "low", True)
    middle = [f"{'x' * 30}{c}{'y' * 30}" for c in "ab"]
    assert len(set(short_names(middle))) == 2
    assert max(map(len, short_names(["z" * 90, "short"]))) == 22


@given(st.sets(st.text(st.sampled_from("ab/-5"), min_size=1, max_size=40), min_size=1, max_size=12))
def test_different_names_stay_different(names):
    found = short_names(sorted(names), 8)
    assert len(set(found)) == len(names)


def test_models_alike_after_the_slash_are_apart_everywhere(tmp_path):
    tables = renamed(synthetic(models=2, tasks=3, simulated=False), ["azure/gpt-5", "openai/gpt-5"])
    folder = write(tables, tmp_path)
    page = write_report(folder).read_text(encoding="utf-8")
    drawn = re.findall(r"<text[^>]*>([^<]*gpt-5[^<]*)</text>", page)
    assert {text.strip() for text in drawn} == {"azure/gpt-5", "openai/gpt-5"}
    curves = pd.read_csv(folder / "report_tables/dynamics.csv")
    assert set(curves["models"]) == {"azure/gpt-5", "openai/gpt-5"}
    assert not curves.duplicated(["models", "strategy", "axis", "value", "x"]).any()
    assert len({line.models for line in dynamics.all_curves(analyse(tables))}) == 2


def test_sixty_four_strategies_look_different():
    for look in (dash, marker, hatch):
        assert len({(colour(i), str(look(i))) for i in range(64)}) == 64
    for i, j in combinations(range(8), 2):
        assert colour(i) != colour(j)
        assert dash(i) != dash(j)
    assert [hatch(i) for i in range(8)] == [None] * 8
    assert legend_columns(["a", "b"]) == 2
    assert legend_columns(["x" * 40] * 12) == 2
    assert legend_columns([]) == 1


def many(count, **shape):
    names = [f"s{i:02d}" for i in range(count - 1)]
    given_shape = {"models": 2, "tasks": 4, "seeds": 1, "steps": 2, "claim": False, "simulated": False} | shape
    made = synthetic(strategies=("greedy", *names), **given_shape)
    return replace(made, runs=made.runs.assign(status="ok"))


def test_a_figure_says_how_many_of_how_many_comparisons_it_shows(tmp_path):
    tables = many(12)
    assert len(findings.drawn_gaps(analyse(tables))) == 6
    page = Page(write_report(write(tables, tmp_path)).read_text(encoding="utf-8"))
    assert "Drawn are 6 of 11 comparisons, in the order of the strategies; all are in the tables." in page.text
    gaps = pd.read_csv(tmp_path / "report_tables/gaps.csv")
    assert gaps["treatment"].nunique() == 11
    few = Page(write_report(write(many(4), tmp_path / "few")).read_text(encoding="utf-8"))
    assert "Drawn are" not in few.text


def test_the_pair_to_explore_is_not_the_last_by_name_and_the_page_says_why():
    results = analyse(many(5))
    assert (results.claim.treatment.label, results.claim.baseline.label) == ("s00", "greedy")
    said = declaration(results)
    assert "S00 against greedy is shown first since s00 comes first in study.json; its results have no say" in said
    undeclared = many(5)
    undeclared = replace(undeclared, study={**undeclared.study, "grid": {}})
    assert "comes first by name" in declaration(analyse(undeclared))
    tables = many(4)
    gone = lost(tables, np.isin(tables.runs["strategy"], ["s00", "s01"]) & (tables.runs["task"] == "task-01"))
    results = analyse(gone)
    assert results.claim.treatment.label == "s02"
    assert "since s02 has the most runs with a result" in declaration(results)
    assert claim_of(many(2)).why == ""
    assert "is shown first" not in declaration(analyse(synthetic(models=2, tasks=3)))


def test_two_arms_of_one_label_are_refused_in_words():
    tables = synthetic(models=1, strategies=("mcts", "mcts/wide", "gome"), variants=("base",), tasks=2, claim=False)
    runs = tables.runs.copy()
    runs.loc[runs["strategy"] == "gome", ["strategy", "variant"]] = ["mcts", "wide"]
    clash = replace(tables, runs=runs, study={**tables.study, "grid": {}})
    with pytest.raises(ConfigError, match=r"'mcts/wide' would name both strategy .* give one of them another name$"):
        arms_of(clash)
