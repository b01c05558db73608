"""Columns as arrays: the same figures as text by text in pandas, to the last bit, whatever the order of rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.analysis.data.claim import arms_of, models_of
from mlesearch.analysis.data.codes import RowGroups, run_rows, with_codes
from mlesearch.analysis.data.columns import (
    alphabetical,
    categories,
    coded,
    distinct,
    distinct_pairs,
    numbers,
    one_of,
    pair_places,
    places_of,
)
from mlesearch.analysis.data.outcomes import outcomes, succeeded
from mlesearch.analysis.data.tables import Tables, read
from mlesearch.analysis.measures.accounts import cost_by_operator
from mlesearch.analysis.measures.boards import board
from mlesearch.analysis.measures.curves import best_so_far
from mlesearch.analysis.statistics.rates import parity
from tests.support import plain_pandas
from tests.support.large_study import Shape, large
from tests.support.synthetic_study import synthetic, write

SMALL = Shape(models=3, tasks=4, seeds=3, steps=5)
WORDS = st.lists(st.sampled_from(["a", "b", "", "ß", None]), max_size=30)


@settings(deadline=None)
@given(WORDS, st.booleans())
def test_places_and_words_are_those_of_the_texts(values: list[str | None], category: bool) -> None:
    """Objects and categories alike; empty ones are none of the texts."""
    column = pd.Series(values, dtype=object)
    column = column.astype("category") if category else column
    codes, texts = coded(column)
    assert [texts[c] if c >= 0 else None for c in codes] == values
    assert places_of(column, ["b", "a"]).tolist() == [{"b": 0, "a": 1}.get(v or "-", -1) for v in values]
    assert one_of(column, "a", "").tolist() == [v in ("a", "") for v in values]
    assert distinct(column) == sorted({v for v in values if v is not None})
    places, known = alphabetical(column)
    assert known.tolist() == distinct(column)
    assert [known[p] if p >= 0 else None for p in places] == values
    again = pd.Series(categories(codes, texts))
    assert [None if pd.isna(v) else v for v in again] == values


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy")), max_size=20))
def test_pairs_are_those_of_the_texts(pairs: list[tuple[str, str]]) -> None:
    first, second = (pd.Series([pair[i] for pair in pairs], dtype=object) for i in (0, 1))
    found = distinct_pairs(first, second)
    assert found == sorted(set(pairs))
    assert [found[p] for p in pair_places(first, second, found)] == pairs
    for pair in found:
        with pytest.raises(KeyError):
            pair_places(first, second, [other for other in found if other != pair])


def test_rows_belong_to_runs_whatever_the_order_of_either() -> None:
    tables = large(SMALL)
    nodes, runs = tables.nodes, tables.runs
    expected = nodes["run_id"].map({run: i for i, run in enumerate(runs["run_id"])})
    assert run_rows(nodes, runs).tolist() == expected.tolist()
    fewer = runs.iloc[::-2]
    place = {run: i for i, run in enumerate(fewer["run_id"])}
    assert run_rows(nodes.astype({"run_id": "category"}), fewer).tolist() == [
        place.get(run, -1) for run in nodes["run_id"]
    ]


def test_names_are_coded_in_the_order_of_the_rows() -> None:
    runs = large(SMALL).runs.sample(frac=1.0, random_state=1)
    codes = with_codes(runs)
    pd.testing.assert_frame_equal(codes.astype(dict.fromkeys(runs, object)), runs.astype(object))
    assert codes["task"].cat.categories.tolist() == runs["task"].unique().tolist()


@given(st.lists(st.integers(-1, 3), max_size=40), st.randoms(use_true_random=False))
def test_groups_hold_their_rows_in_order_and_their_sums(codes: list[int], random) -> None:
    values = np.array([random.uniform(-1, 1) for _ in codes])
    groups = RowGroups.of(np.array(codes, dtype=np.int64), 4)
    own = [[i for i, c in enumerate(codes) if c == g] for g in range(4)]
    assert [groups[g].tolist() for g in range(4)] == own
    assert groups.sums(values).tolist() == [float(values[rows].sum()) for rows in own]
    assert groups.whole_sums(np.arange(len(codes))).tolist() == [sum(rows) for rows in own]
    assert groups.each(values > 0).tolist() == [all(values[rows] > 0) for rows in own]


def test_numbers_are_floats_and_empty_ones_are_nan() -> None:
    whole = pd.Series([1, None, 3], dtype="Int64")
    assert np.array_equal(numbers(whole), [1.0, np.nan, 3.0], equal_nan=True)
    assert np.array_equal(numbers(pd.Series([1.5, None], dtype=object)), [1.5, np.nan], equal_nan=True)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_best_programs_are_those_of_plain_pandas_to_the_last_bit(seed: int, shuffled: bool) -> None:
    tables = large(SMALL, seed)
    nodes = tables.nodes.astype({"val_score": float, "test_score": float, "t_charged_s": float, "valid": bool})
    drawn = np.random.default_rng(seed)
    nodes.loc[drawn.random(len(nodes)) < 0.2, "verdict"] = "void"
    nodes["test_score"] = nodes["test_score"].round(1)  # so that there are ties
    if shuffled:
        nodes = nodes.iloc[drawn.permutation(len(nodes))].reset_index(drop=True)
    runs = tables.runs.sort_values("run_id").reset_index(drop=True)
    found, expected = best_so_far(nodes, runs), plain_pandas.best_so_far(nodes, runs)
    for name in expected.columns:
        if name in ("run_id", "task"):
            assert found[name].tolist() == expected[name].tolist()
        else:
            assert np.array_equal(found[name], expected[name].astype(float), equal_nan=True), name


def test_costs_by_operator_are_those_of_plain_pandas_to_the_last_bit() -> None:
    tables = synthetic(models=3, tasks=3, seeds=3)
    found = cost_by_operator(tables.runs, tables.calls, arms_of(tables)).set_index(["strategy", "operator"])
    expected = plain_pandas.cost_by_operator(tables.runs, tables.calls).set_index(["strategy", "operator"])
    assert set(found.index) == set(expected.index)
    for name in expected.columns:
        assert found[name].loc[expected.index].tolist() == expected[name].tolist()


@pytest.mark.parametrize("dropped", [0, 7])
def test_parity_is_that_of_lists_of_reports_in_table_order(dropped: int) -> None:
    """Also where cells have unequal numbers of seeds."""
    tables = synthetic(models=2, tasks=3, seeds=4)
    runs = tables.runs.drop(index=tables.runs.index[5::11][:dropped]).reset_index(drop=True)
    models, arms = models_of(tables), arms_of(tables)
    found = board(runs, models, arms, "any_medal").parity
    hit = succeeded(runs, "any_medal")
    for m, model in enumerate(models.names):
        for a, arm in enumerate(arms):
            cell = (runs["model"] == model) & (runs["strategy"] == arm.strategy)
            lists = [hit[cell & (runs["task"] == task)].tolist() for task in sorted(set(runs["task"]))]
            assert found[m][a] == parity(lists)
    counts = outcomes(runs, models, arms, "any_medal")
    assert counts.counts.sum() == len(runs)


def test_a_table_is_read_with_its_texts_coded_once(tmp_path: Path) -> None:
    """Nodes and calls hold categories, runs texts; nothing else changes by being written and read."""
    made = large(SMALL)
    found = read(write(made, tmp_path))
    assert isinstance(found.nodes["run_id"].dtype, pd.CategoricalDtype)
    assert found.runs["model"].dtype == object
    for name in ("runs", "nodes", "calls"):
        before, after = getattr(made, name), getattr(found, name)
        for column in before.columns:
            old, new = (frame[column].astype(object).where(frame[column].notna(), None) for frame in (before, after))
            assert old.tolist() == new.tolist(), (name, column)


def test_rows_of_strangers_have_no_run() -> None:
    tables: Tables = replace(synthetic(models=1, tasks=1, seeds=1))
    nodes = tables.nodes.assign(run_id=["nobody", *tables.nodes["run_id"][1:]])
    assert run_rows(nodes, tables.runs)[0] == -1


def test_the_same_seed_makes_the_same_large_study() -> None:
    first, again, other = large(SMALL), large(SMALL), large(SMALL, seed=1)
    pd.testing.assert_frame_equal(first.nodes, again.nodes)
    assert not first.nodes.equals(other.nodes)
