"""Where a study's money is kept: before a split, in parts of machines, and without a limit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.budgets.partition import take_part
from mlesearch.budgets.shared import SharedBudgetSpent
from mlesearch.config.resources import ProcessResources
from mlesearch.config.settings import Settings
from mlesearch.types import ConfigError


def test_each_machine_claims_one_part_for_good(tmp_path: Path) -> None:
    assert take_part(tmp_path, 2, "m1") == take_part(tmp_path, 2, "m1")
    assert take_part(tmp_path, 2, "m2") != take_part(tmp_path, 2, "m1")
    with pytest.raises(ConfigError, match=r"all 2 parts of the budget are taken \(by m1, m2\)"):
        take_part(tmp_path, 2, "m3")
    (tmp_path / "budgets/part-1.machine").unlink()
    assert take_part(tmp_path, 2, "m3") == tmp_path / "budgets/part-1.json"
    assert sorted(p.name for p in (tmp_path / "budgets").iterdir()) == [
        *("part-1.machine", "part-2.machine", "split.json"),
    ]


def paid_settings(folder: Path, machine: str, monkeypatch: pytest.MonkeyPatch, **options: object) -> Settings:
    """Settings of a study at `folder`, as on a machine of this name with a disk of its own."""
    own = folder.parent / machine
    own.mkdir(exist_ok=True)
    monkeypatch.setattr("socket.gethostname", lambda: machine)
    monkeypatch.setattr("tempfile.tempdir", str(own))
    s = Settings()
    budget = replace(s.budget, study_usd=options.get("study_usd"))
    limits = replace(s.limits, partition=options.get("partition"), network=options.get("network", False))
    return replace(s, study=replace(s.study, dir=str(folder)), budget=budget, limits=limits)


@pytest.fixture
def resources() -> Iterator[ProcessResources]:
    with ProcessResources() as made:
        yield made


def spend(resources: ProcessResources, s: Settings, usd_: float) -> None:
    made = resources.shared_budget(s)
    assert made is not None
    made.settle(made.reserve("m/greedy/base", round(usd_ * 1e9), 1), round(usd_ * 1e9))


def test_a_launch_without_a_limit_is_counted_where_an_earlier_one_had_one(
    resources: ProcessResources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(study_usd: float | None) -> Settings:
        return paid_settings(tmp_path / "s", "m1", monkeypatch, study_usd=study_usd)

    assert resources.shared_budget(at(None)) is None
    spend(resources, at(10), 9)
    spend(resources, at(None), 90)
    with pytest.raises(SharedBudgetSpent, match=r"\$99 of \$100 are spent"):
        spend(resources, at(100), 2)
    spend(resources, at(101), 2)


def test_what_was_spent_before_a_split_counts_in_its_parts(
    resources: ProcessResources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(machine: str, parts: int | None, study_usd: float | None = 100) -> Settings:
        return paid_settings(tmp_path / "s", machine, monkeypatch, study_usd=study_usd, partition=parts)

    spend(resources, at("m1", None), 90)
    for machine in ("m1", "m2"):
        spend(resources, at(machine, 2), 4)
        with pytest.raises(SharedBudgetSpent, match=r"\$49 of \$50 are spent"):
            spend(resources, at(machine, 2), 2)
    for parts in (4, None):
        with pytest.raises(ConfigError, match=r"are split into 2 parts, so set it to 2"):
            resources.shared_budget(at("m1", parts))
    spend(resources, at("m1", 2, None), 5)  # no limit, and yet counted
    with pytest.raises(SharedBudgetSpent, match=r"\$54 of \$55 are spent"):
        spend(resources, at("m1", 2, 110), 2)
    shutil.rmtree(tmp_path / "s/budgets")
    with pytest.raises(
        SharedBudgetSpent, match=r"\$22.5 of \$25 are spent"
    ):  # what the study's own budget knows, split anew
        spend(resources, at("m1", 4), 3)
    (tmp_path / "s/budgets/part-1.machine").unlink()
    with pytest.raises(SharedBudgetSpent, match=r"\$22.5 of \$25 are spent"):
        spend(resources, at("m9", 4), 3)  # takes the part over
