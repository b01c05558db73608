"""Where a study's money is kept, with and without a limit: what was spent before counts wherever it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.budgets.allotted import AllottedBudget
from mlesearch.budgets.shared import SharedBudget, SharedBudgetSpent
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.settings import Settings


@pytest.fixture
def resources() -> Iterator[ProcessResources]:
    with ProcessResources() as made:
        yield made


def paid_settings(
    folder: Path, study_usd: float | None, *, network: bool = False, partition: int | None = None
) -> Settings:
    s = Settings()
    budget, limits = replace(s.budget, study_usd=study_usd), replace(s.limits, partition=partition, network=network)
    return replace(s, study=replace(s.study, dir=str(folder)), budget=budget, limits=limits)


def spend(resources: ProcessResources, s: Settings, usd_: float) -> None:
    made = resources.shared_budget(s)
    assert made is not None
    made.settle(made.reserve("m/greedy/base", round(usd_ * 1e9), 1), round(usd_ * 1e9))


@pytest.mark.parametrize("network", [False, True])
def test_a_launch_without_a_limit_is_counted_where_an_earlier_one_had_one(tmp_path: Path, network: bool) -> None:
    def at(study_usd: float | None) -> Settings:
        return paid_settings(tmp_path / "s", study_usd, network=network)

    with ProcessResources() as resources:
        assert resources.shared_budget(at(None)) is None
        spend(resources, at(10), 9)
    with ProcessResources() as resources:
        assert isinstance(resources.shared_budget(at(None)), AllottedBudget if network else SharedBudget)
        spend(resources, at(None), 90)
    with ProcessResources() as resources:
        with pytest.raises(SharedBudgetSpent, match=r"\$99 of \$100 are spent"):
            spend(resources, at(100), 2)
        spend(resources, at(101), 2)


@pytest.mark.parametrize("how", [{"network": True}, {"partition": 3}])
def test_what_was_spent_in_a_database_counts_in_a_ledger(tmp_path: Path, how: dict[str, int]) -> None:
    folder = tmp_path / "s"
    with ProcessResources() as resources:
        spend(resources, paid_settings(folder, 100), 90)
    with ProcessResources() as resources:
        spend(resources, paid_settings(folder, 100, **how), 4)  # type: ignore[arg-type]
    with ProcessResources() as resources, pytest.raises(SharedBudgetSpent, match=r"\$94 of \$100 are spent"):
        spend(resources, paid_settings(folder, 100), 7)  # whoever comes next finds the ledger, whatever it says


def test_what_was_spent_in_fixed_parts_counts_in_a_ledger(resources: ProcessResources, tmp_path: Path) -> None:
    """Of a study of an earlier version: 10 dollars before the split in four, two parts used since."""
    place = tmp_path / "s/budgets"
    place.mkdir(parents=True)
    split = {"id": "1", "parts": 4, "before_nusd": {"m/greedy/base": 10 * 10**9}}
    (place / "split.json").write_text(json.dumps(split))
    (place / "part-1.json").write_text(json.dumps({"m/greedy/base": 20 * 10**9}))
    (place / "part-3.json").write_text(json.dumps({"m/greedy/base": 30 * 10**9}))
    s = paid_settings(tmp_path / "s", 60, partition=4)
    with pytest.raises(SharedBudgetSpent, match=r"\$55 of \$60 are spent"):
        spend(resources, s, 6)
    spend(resources, s, 5)
