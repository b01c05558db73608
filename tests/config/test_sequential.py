"""Looks that are declared before the first run: the plan that study.json keeps, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlesearch.analysis.planning.looks import LookBounds
from mlesearch.config.loading.plain import cells
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import StudyPlan, plan
from mlesearch.config.settings import from_recorded, recordable
from mlesearch.storage.layout import open_study
from mlesearch.types import ConfigError

LAUNCH: dict[str, Any] = {
    "study": "s",
    "model": ["sim_01", "sim_02", "sim_05", "sim_09", "sim_10"],
    "strategy": ["greedy", "gome"],
    "tasks": ["rentals", "demand"],
    "seeds": [4, 0, 2],
    "clock": "virtual",
}
CLAIM: dict[str, Any] = {"treatment": "gome", "baseline": "greedy", "capability": True}
LOOKS: dict[str, Any] = {**CLAIM, "sequential": {"looks": [1, 3]}}

Planned = Callable[..., StudyPlan]


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planned:
    monkeypatch.chdir(tmp_path)

    def of(claim: dict[str, Any] = LOOKS, **changes: Any) -> StudyPlan:
        with ProcessResources() as resources:
            return plan(cells({**LAUNCH, "claim": claim, **changes}), resources)

    return of


def sequential(found: StudyPlan) -> Any:
    claim = found.header["claim"]
    assert claim is not None
    return claim["sequential"]


def test_the_plan_holds_all_that_a_look_needs(planned: Planned) -> None:
    got = sequential(planned())
    bounds = LookBounds.of((1, 3), 0.05, 0.1)
    assert got == {
        "looks": [1, 3],
        "alpha": 0.05,
        "futility": 0.1,
        "bounds": [round(b, 4) for b in bounds.upper],
        "gives_up_below": [round(b, 4) for b in bounds.futile],
        "low": {"sim_01": 0.1, "sim_02": 0.2},
        "high": {"sim_09": 0.9, "sim_10": 1.0},
        "tasks": ["rentals", "demand"],
        "seeds": [4, 0, 2],
    }
    json.dumps(got, allow_nan=False)
    patient = {**CLAIM, "sequential": {"looks": [1, 3], "futility": 0.0}}
    assert sequential(planned(patient))["gives_up_below"] == [None, round(bounds.upper[-1], 4)]


@pytest.mark.usefixtures("planned")
def test_groups_by_tier_have_ranks() -> None:
    claim = {**LOOKS, "capability": False, "tiers": ["efficiency", "standard", "frontier"]}
    with ProcessResources() as resources:
        made = cells({**LAUNCH, "claim": claim})
        tiers = ["efficiency", "efficiency", "standard", "frontier", "frontier"]
        for s, tier in zip(made, [t for t in tiers for _ in range(2)], strict=True):
            s.model.tier = tier
        got = sequential(plan(made, resources))
    assert (got["low"], got["high"]) == ({"sim_01": 0.0, "sim_02": 0.0}, {"sim_09": 2.0, "sim_10": 2.0})


def test_a_later_launch_of_some_runs_keeps_the_plan(planned: Planned) -> None:
    first = planned()
    open_study(first.folder, first.header)
    later = planned(model=["sim_09", "sim_10"], tasks=["demand"], seeds=[0])
    assert later.header == first.header
    with pytest.raises(ConfigError, match=r"holds another study: claim\.sequential"):
        planned({**CLAIM, "sequential": {"looks": [1, 2]}})
    with pytest.raises(ConfigError, match=r"holds another study: claim\.sequential"):
        planned(CLAIM)


def test_without_looks_nothing_is_written_of_them(planned: Planned) -> None:
    found = planned(CLAIM)
    assert "sequential" not in (found.header["claim"] or {})
    settings = found.runs[0].settings
    assert "sequential" not in recordable(settings)["claim"]
    assert from_recorded(recordable(settings)) == settings
    looked_at = planned().runs[0].settings
    assert from_recorded(recordable(looked_at)) == looked_at


@pytest.mark.parametrize(
    ("claim", "changes", "said"),
    [
        (
            {"sequential": {"looks": [2, 1]}},
            {},
            "claim.sequential.looks: [2, 1]; numbers of seeds are needed that rise",
        ),
        ({"sequential": {"looks": [0, 1]}}, {}, "numbers of seeds are needed that rise from 1"),
        ({"sequential": {"looks": [1, 5]}}, {}, "the last look is after 5 seeds, and seeds has 3"),
        ({"sequential": {"looks": [1], "alpha": 0.0}}, {}, "claim.sequential.alpha: 0; above 0"),
        ({"sequential": {"looks": [1], "futility": 0.7}}, {}, "claim.sequential.futility: 0.7; 0 (never) to below 0.5"),
        ({"capability": False}, {}, "looks are at a crossover"),
        ({}, {"model": ["sim_01", "sim_09", "sim_10"]}, "launch at least four models of different capability together"),
        ({}, {"tasks": ["rentals"]}, "one task; errors are estimated over tasks"),
        ({}, {"strategy": "greedy"}, "this launch has no run sim_01/gome/base/rentals/seed-4"),
    ],
)
def test_what_is_refused(planned: Planned, claim: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        planned({**LOOKS, **claim}, **changes)
    assert said in str(refused.value)


@pytest.mark.usefixtures("planned")
def test_a_model_without_capability_is_named() -> None:
    made = cells({**LAUNCH, "claim": LOOKS})
    for s in made:
        s.model.capability = None if s.model.name == "sim_02" else s.model.capability
    with ProcessResources() as resources, pytest.raises(ConfigError, match="model sim_02 has no capability"):
        plan(made, resources)
