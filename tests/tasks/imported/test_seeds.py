"""Complete seeds: refused, dropped or padded, and said; the rates are those of MLE-bench's aggregation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.tasks.imported.results import ImportedResult
from mlesearch.tasks.imported.seeds import complete_seeds
from mlesearch.types import ConfigError


def result(task: str, seed: int, medal: str = "gold", model: str = "m") -> ImportedResult:
    return ImportedResult(model, "s", task, seed, 0.5, medal, True, True, True, "test", True, "f.json")


def results(lengths: Mapping[str, int]) -> list[ImportedResult]:
    return [result(task, k) for task, n in lengths.items() for k in range(1, n + 1)]


def test_what_is_incomplete_is_refused_with_what_may_be_done() -> None:
    with pytest.raises(ConfigError, match=r"m, s: 1 of 4 results are missing \(b, seed 2\); say what is to be done"):
        complete_seeds(results({"a": 2, "b": 1}), "refuse")
    found, notes = complete_seeds(results({"a": 2, "b": 2}), "refuse")
    assert (len(found), notes) == (4, [])


def test_tasks_that_every_seed_is_to_have() -> None:
    with pytest.raises(ConfigError, match=r"2 of 4 results are missing \(c, seed 1; c, seed 2\)"):
        complete_seeds(results({"a": 2}), "refuse", ["a", "c"])
    found, notes = complete_seeds(results({"a": 2, "b": 2}), "refuse", ["b"])
    assert {r.task for r in found} == {"b"}
    assert notes == ["m, s: 2 results on other tasks are left out"]
    with pytest.raises(ConfigError, match="every seed lacks a task"):
        complete_seeds(results({"a": 2}), "drop", ["a", "c"])
    with pytest.raises(ConfigError, match="no result on any of the tasks"):
        complete_seeds(results({"a": 2}), "pad", ["c"])


def test_each_model_has_its_own_seeds() -> None:
    found, _ = complete_seeds([*results({"a": 2}), result("b", 7, model="n")], "refuse")
    assert [(r.model, r.task, r.seed) for r in found] == [("m", "a", 1), ("m", "a", 2), ("n", "b", 7)]


def upstream(lengths: Mapping[str, int], pad: bool) -> Sequence[int]:
    """How many results each seed has that are no padding: the least number of reports, or the most when padded."""
    seeds = max(lengths.values()) if pad else min(lengths.values())
    return [sum(k < n for n in lengths.values()) for k in range(seeds)]


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 4), min_size=1))
def test_dropping_and_padding_are_those_of_mle_bench(lengths: dict[str, int]) -> None:
    for policy in ("drop", "pad"):
        found, notes = complete_seeds(results(lengths), policy)
        seeds = sorted({r.seed for r in found})
        assert [sum(r.submitted for r in found if r.seed == k) for k in seeds] == upstream(lengths, policy == "pad")
        assert all(len([r for r in found if r.seed == k]) == len(lengths) for k in seeds)
        assert all(r.medal == "none" and not r.valid for r in found if not r.submitted)
        assert bool(notes) == (len(set(lengths.values())) > 1)
