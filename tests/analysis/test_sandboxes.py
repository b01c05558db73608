"""Two sides that were not run in the same sandbox: found, said in the claim box, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.analysis.comparisons.sandboxes import ASPECTS
from mlesearch.analysis.data.tables import Tables
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import analyse
from mlesearch.analysis.words.wording import sandbox_sentence
from tests.support.html_page import Page
from tests.support.synthetic_study import synthetic, write

Chosen = Callable[[pd.Series], bool]


def changed(where: Chosen, **values: str) -> Tables:
    """A study of two models, two tasks and two seeds in which some runs have another sandbox."""
    tables = synthetic(models=2, tasks=2, seeds=2)
    runs = tables.runs.copy()
    runs.loc[runs.apply(where, axis=1), list(values)] = list(values.values())
    return replace(tables, runs=runs)


def text(tables: Tables, folder: Path) -> str:
    return Page(write_report(write(tables, folder)).read_text(encoding="utf-8")).text


@pytest.mark.usefixtures("undrawn")
def test_one_sandbox_for_all_is_no_finding(tmp_path: Path) -> None:
    tables = synthetic(models=2, tasks=2)
    results = analyse(tables)
    assert results.main is not None
    assert [c.sandboxes for c in (results.main, *results.others)] == [(), (), ()]
    page = text(tables, tmp_path)
    assert "did not share one sandbox" not in page
    assert "Not all runs share" not in page


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rung": "docker"}, "rung docker against local"),
        (
            {"promises": "net_off,memory_hard"},
            "promises in force: memory_hard with gome only; data_read_only with greedy only",
        ),
        ({"promises": "net_off"}, "promises in force: data_read_only with greedy only"),
        ({"environment": "77" * 32}, "environment 777777777777 against 3f3f3f3f3f3f"),
        ({"rung": "docker", "environment": "77" * 32}, "rung docker against local; environment 777777777777 against"),
    ],
)
@pytest.mark.usefixtures("undrawn")
def test_a_difference_between_the_sides_of_the_claim_is_a_finding(
    values: dict[str, str], said: str, tmp_path: Path
) -> None:
    page = text(changed(lambda run: run["strategy"] == "gome", **values), tmp_path)
    assert "The sandbox" in page
    assert "Not the same on both sides" in page
    assert said in page
    assert "A gap between them may come from that." in page
    for aspect in values:
        assert f"Not all runs share the same {ASPECTS[aspect]}" in page


def test_a_difference_with_one_model_names_it() -> None:
    tables = changed(lambda run: run["strategy"] == "gome" and run["model"].endswith("02"), rung="docker")
    main = analyse(tables).main
    assert main is not None
    assert [(d.aspect, d.models) for d in main.sandboxes] == [("rung", ("sim/model-02",))]
    assert "(with sim/model-02): rung docker against local" in sandbox_sentence(main)


@pytest.mark.usefixtures("undrawn")
def test_another_arm_that_differs_is_a_check_and_not_part_of_the_claim(tmp_path: Path) -> None:
    tables = changed(lambda run: run["strategy"] == "mcts", rung="bubblewrap")
    results = analyse(tables)
    assert results.main is not None
    assert results.main.sandboxes == ()
    assert [c.treatment.label for c in results.others if c.sandboxes] == ["mcts"]
    page = text(tables, tmp_path)
    assert "The runs of mcts and greedy did not share one sandbox" in page
    assert "Not the same on both sides" not in page


def test_seeds_that_differ_alike_on_both_sides_are_no_difference_between_them() -> None:
    results = analyse(changed(lambda run: run["seed"] == 1, rung="docker"))
    assert results.main is not None
    assert not results.main.sandboxes


def test_missing_runs_and_old_tables_say_nothing() -> None:
    tables = synthetic(models=2, tasks=2)
    runs = tables.runs.copy()
    gone = (runs["strategy"] == "gome") & (runs["seed"] == 0)
    runs.loc[gone, ["rung", "promises", "environment"]] = None
    main = analyse(replace(tables, runs=runs)).main
    assert main is not None
    assert not main.sandboxes
    old = tables.runs.drop(columns=["rung", "environment", "program_s", "program_cpu_s"])
    main = analyse(replace(tables, runs=old)).main
    assert main is not None
    assert not main.sandboxes


@pytest.mark.usefixtures("undrawn")
def test_tables_without_the_columns_still_give_a_report(tmp_path: Path) -> None:
    tables = synthetic(models=2, tasks=2)
    old = tables.runs.drop(columns=["rung", "environment", "program_s", "program_cpu_s"])
    assert "not recorded" in text(replace(tables, runs=old), tmp_path)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.booleans(), min_size=8, max_size=8))
def test_found_exactly_where_a_cell_s_two_sides_differ(docker: list[bool]) -> None:
    """For every choice of which of the two sides' runs on one model and task ran in docker."""
    tables = synthetic(models=1, tasks=2, seeds=2, strategies=("greedy", "gome"))
    runs = tables.runs.assign(rung=["docker" if d else "local" for d in docker])
    cells = runs.groupby(["task", "strategy"])["rung"].agg(lambda rungs: frozenset(rungs)).unstack()
    main = analyse(replace(tables, runs=runs)).main
    assert main is not None
    assert bool(main.sandboxes) == bool((cells["gome"] != cells["greedy"]).any())
