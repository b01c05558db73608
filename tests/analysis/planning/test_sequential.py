"""Looks at one study: a fold over its outcomes that no order of running and no second look can change."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.analysis.data.claim import Arm
from mlesearch.analysis.data.tables import Tables
from mlesearch.analysis.planning.conditions import EndGroups, statistics
from mlesearch.analysis.planning.looks import LookBounds
from mlesearch.analysis.planning.sequential import (
    ABSENT,
    bounds_of,
    check_recorded,
    follow,
    outcomes_made,
    plan_of,
    standing,
)
from mlesearch.storage.sequential import LookLine, SequentialJson
from mlesearch.types import ConfigError

TASKS = 30
PAIR = (Arm("gome", "base", "gome"), Arm("greedy", "base", "greedy"))
LOW, HIGH = {"m0": -1.5, "m1": -1.0}, {"m8": 1.0, "m9": 1.5}


@lru_cache
def a_plan(looks: tuple[int, ...] = (1, 2, 3, 4, 5), futility: float = 0.1) -> SequentialJson:
    bounds = LookBounds.of(looks, 0.05, futility)
    return {
        "looks": list(looks),
        "alpha": 0.05,
        "futility": futility,
        "bounds": list(bounds.upper),
        "gives_up_below": [None if np.isinf(b) else b for b in bounds.futile],
        "low": LOW,
        "high": HIGH,
        "tasks": [f"t{i:02d}" for i in range(TASKS)],
        "seeds": list(range(looks[-1])),
    }


def drawn(seed: int, low: float = -0.25, high: float = 0.25, seeds: int = 5) -> np.ndarray:
    """Outcomes of a study whose groups have these gaps."""
    rates = np.full((4, 2, TASKS, seeds), 0.45)
    rates[:2, 0] += low
    rates[2:, 0] += high
    return (np.random.default_rng(seed).random(rates.shape) < rates).astype(np.int64)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([(-0.25, 0.25), (0.0, 0.0), (-0.4, 0.1), (-0.1, 0.4)]))
def test_looks_are_a_fold_over_what_is_there(seed, gaps):
    made = drawn(seed, *gaps)
    whole = follow(made, a_plan(), PAIR)
    assert whole.decided
    assert not whole.to_run
    for seeds in range(6):
        some = made.copy()
        some[..., seeds:] = ABSENT
        part = follow(some, a_plan(), PAIR)
        assert part.looks == whole.looks[: len(part.looks)]
        assert part.decided == (whole.looks[-1].seeds <= seeds)
        if not part.decided:
            assert part.next_seeds == seeds + 1
            assert {key.seed for key in part.to_run} == {seeds}
            assert {key.task for key in part.to_run} == set(a_plan()["tasks"])
            groups = [set(g) for g, on in zip((LOW, HIGH), part.running, strict=True) if on]
            assert {key.model for key in part.to_run} == set().union(*groups)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_what_a_stopped_group_did_not_need_changes_nothing(seed):
    made = drawn(seed)
    whole = follow(made, a_plan(), PAIR)
    lean = made.copy()
    for key_group, seeds in zip((slice(0, 2), slice(2, 4)), whole.looks[-1].seeds_of, strict=True):
        lean[key_group, ..., seeds:] = ABSENT
    assert follow(lean, a_plan(), PAIR).looks == whole.looks
    left_out = sum(2 * 2 * TASKS * (5 - seeds) for seeds in whole.looks[-1].seeds_of)
    assert len(whole.stopped) == left_out
    assert all("after" in why for why in whole.stopped.values())


def test_a_look_by_hand():
    made = drawn(3, -0.1, 0.1)
    plan = a_plan((2, 5))
    look = follow(made, plan, PAIR).looks[0]
    d = made[..., :2].mean(axis=-1)
    d = d[:, 0] - d[:, 1]
    expected = statistics(d, EndGroups.of(tuple(LOW.values()), tuple(HIGH.values())))
    assert look.seeds == 2
    np.testing.assert_allclose(look.statistics, expected)
    assert look.gaps == pytest.approx((d[:2].mean(), d[2:].mean()))
    np.testing.assert_allclose(look.stage_rates[1], made[2:, :, :, :2].mean(axis=(0, 2, 3)))


def test_stages_are_the_seeds_of_one_look_alone():
    made = drawn(35)
    found = follow(made, a_plan(), PAIR)
    assert found.looks[-1].seeds_of == (3, 2)
    for place, look in enumerate(found.looks):
        for group, rows in ((0, slice(0, 2)), (1, slice(2, 4))):
            if look.seeds_of[group] == look.seeds:
                assert look.stage_rates[group] == pytest.approx(made[rows, ..., place].mean(axis=(0, 2)))
            else:
                assert look.stage_rates[group] is None


def test_a_group_that_crossed_stops_and_the_other_goes_on():
    made = drawn(2, -0.45, 0.2)
    made[..., 1:] = ABSENT
    found = follow(made, a_plan(), PAIR)
    assert "low" in found.looks[0].crossed
    assert found.running == (False, True)
    assert {key.model for key in found.to_run} == set(HIGH)
    assert {key.model for key in found.stopped} == set(LOW)
    assert set(found.stopped.values()) == {"low group stopped by its look after 1 seed, so its rates are biased"}


def test_a_claim_that_the_gap_falls_turns_all_signs():
    made = drawn(5, 0.25, -0.25)
    assert follow(made, a_plan(), PAIR, falls=True).shown
    assert not follow(made, a_plan(), PAIR).shown
    mirrored = follow(made[:, ::-1], a_plan(), PAIR)
    for one, two in zip(follow(made, a_plan(), PAIR, falls=True).looks, mirrored.looks, strict=True):
        assert one.statistics == pytest.approx(two.statistics)


def test_one_outcome_that_changed_is_found_if_it_was_looked_at():
    made = drawn(7)
    first = follow(made, a_plan(), PAIR)
    lines = [look.to_line() for look in first.looks]
    check_recorded(first.looks, lines)
    check_recorded(first.looks, json.loads(json.dumps(lines)))
    other_machine = [{**line, "statistics": {k: z + 1e-6 for k, z in line["statistics"].items()}} for line in lines]
    check_recorded(first.looks, other_machine)
    changed = made.copy()
    changed[0, 0, 4, 0] = 1 - changed[0, 0, 4, 0]
    with pytest.raises(ConfigError, match=r"after 1 seed \(line 1\) would come out otherwise now"):
        check_recorded(follow(changed, a_plan(), PAIR).looks, lines)
    gone = made.copy()
    gone[0, 0, 4, 0] = ABSENT
    with pytest.raises(ConfigError, match="is no more"):
        check_recorded(follow(gone, a_plan(), PAIR).looks, lines)


def study_tables(made: np.ndarray, plan: SequentialJson | None) -> Tables:
    models = [*LOW, "m5", *HIGH]
    rows = []
    for m, model in enumerate(models):
        for a, arm in enumerate(PAIR):
            for t in range(TASKS):
                for s in range(5):
                    success = 0 if model == "m5" else int(made[m - (m > 2), a, t, s])
                    status = "missing" if success == ABSENT else "ok"
                    row = {"model": model, "strategy": arm.strategy, "variant": arm.variant, "task": f"t{t:02d}"}
                    row |= {"seed": s, "status": status, "gold": success == 1, "silver": False, "bronze": False}
                    rows.append(row | {"valid": True})
    claim = {"treatment": "gome", "baseline": "greedy", "outcome": "any_medal"}
    if plan is not None:
        claim["sequential"] = plan
    empty = pd.DataFrame()
    return Tables(pd.DataFrame(rows), empty, empty, {"name": "s", "claim": claim})


def test_the_table_of_runs_is_read_by_name_whatever_its_order():
    made = drawn(9)
    made[3, 1, 2, 4] = ABSENT
    tables = study_tables(made, a_plan())
    shuffled = Tables(tables.runs.sample(frac=1, random_state=0), tables.nodes, tables.calls, tables.study)
    for each in (tables, shuffled):
        np.testing.assert_array_equal(outcomes_made(each, a_plan(), PAIR, "any_medal"), made)
    assert standing(shuffled).looks == follow(made, a_plan(), PAIR).looks


def test_without_declared_looks_there_is_none():
    with pytest.raises(ConfigError, match="declares no looks"):
        standing(study_tables(drawn(0), None))
    assert plan_of({"claim": None}) is None
    assert bounds_of(a_plan(futility=0.0)).futile[0] == -np.inf


def test_a_line_of_the_looks_is_plain():
    line: LookLine = follow(drawn(1), a_plan(), PAIR).looks[0].to_line()
    assert json.loads(json.dumps(line)) == line
    assert set(line) == {"seeds", "data", "statistics", "crossed", "given_up"}
