"""What a study varies besides model and strategy: parameters of the simulated engineer, and budgets.

A study says so by variants, whose names may be anything: what they stand for is read from the columns of the table of
runs. A *setting* is one level of each axis.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlesearch.analysis.data.claim import Arm

BUDGET = "budget"
"""Name of the axis of budgets; all others are named as parameters of the simulated engineer are."""

UNITS: Mapping[str, str] = {
    "budget_steps": "steps",
    "budget_time_s": "s",
    "budget_usd": "USD",
    "budget_tokens": "tokens",
}
"""Columns of declared budgets, with the unit of each, in the order in which levels are sorted."""

NAMES: Mapping[str, str] = {"evidence_share": "share of evidence f", "bug_rate": "bug rate"}
"""What some parameters are called; others by their own name. These come first, in this order."""

AxisLevel = float | str | bool | tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class SettingAxis:
    """One thing that a study varies within a model.

    Attributes:
        name: of the parameter, or `BUDGET`.
        levels: in words, in their order.
    """

    name: str
    levels: tuple[str, ...]

    @property
    def words(self) -> str:
        """What it is called."""
        return NAMES.get(self.name, self.name.replace("_", " "))


@dataclass(frozen=True, slots=True)
class SettingGrid:
    """The settings of a study.

    Attributes:
        axes: of them, parameters first, budgets last; at least one.
        of: the setting of each model (its place) and arm (its place): the place of its level on each axis.
    """

    axes: tuple[SettingAxis, ...]
    of: Mapping[tuple[int, int], tuple[int, ...]]


def settings_of(runs: pd.DataFrame, models: Sequence[str], arms: Sequence[Arm]) -> SettingGrid | None:
    """The settings of a study; None where it varies none of these within a model, or the tables do not know them.

    What differs between models alone, as capability does, belongs to the models and is no axis.

    Args:
        runs: the table of runs; an earlier version's knows no parameters, or no budgets.
        models: in display order.
        arms: in display order.
    """
    columns = [name for name in ("engineer", *UNITS) if name in runs.columns]
    if not columns:
        return None
    known = runs.groupby(["model", "strategy", "variant"], sort=False)[columns].first()
    places = {(arm.strategy, arm.variant): a for a, arm in enumerate(arms)}
    whose = {model: m for m, model in enumerate(models)}
    levels: dict[tuple[int, int], dict[str, AxisLevel]] = {}
    for key, row in zip(known.index, known.to_dict("records"), strict=True):
        model, strategy, variant = key
        levels[whose[model], places[strategy, variant]] = _levels(row)
    axes = [name for name in _names(levels.values()) if _varies(name, levels)]
    if not axes:
        return None
    complete = {key: own for key, own in levels.items() if all(name in own for name in axes)}
    order = {name: sorted({own[name] for own in complete.values()}, key=_rank) for name in axes}
    return SettingGrid(
        tuple(SettingAxis(name, tuple(_words(level) for level in order[name])) for name in axes),
        {key: tuple(order[name].index(own[name]) for name in axes) for key, own in complete.items()},
    )


def _levels(row: Mapping[Any, Any]) -> dict[str, AxisLevel]:
    """What a cell's row says of its levels; what it does not know is left out."""
    text = row.get("engineer")
    engineer = json.loads(text) if isinstance(text, str) and text else {}
    found: dict[str, AxisLevel] = {str(name): value for name, value in engineer.items()}
    budget = tuple(None if pd.isna(row.get(column)) else float(row[column]) for column in UNITS)
    return found | ({BUDGET: budget} if any(value is not None for value in budget) else {})


def _names(levels: Any) -> list[str]:
    """Names of all that is known, in the order of the axes."""
    found = {name for own in levels for name in own} - {BUDGET}
    first = [name for name in NAMES if name in found]
    return [*first, *sorted(found - set(first)), BUDGET]


def _varies(name: str, levels: Mapping[tuple[int, int], Mapping[str, AxisLevel]]) -> bool:
    """Whether some model has two levels of it."""
    seen: dict[int, AxisLevel] = {}
    return any(name in own and seen.setdefault(model, own[name]) != own[name] for (model, _), own in levels.items())


def _rank(level: AxisLevel) -> tuple[Any, ...]:
    """By which levels are sorted: numbers by size, budgets by kind and size."""
    if isinstance(level, tuple):
        return tuple(math.inf if value is None else value for value in level)
    return (0, level, "") if isinstance(level, int | float) else (1, 0.0, level)


def _words(level: AxisLevel) -> str:
    """A level as people write it."""
    if isinstance(level, tuple):
        limits = zip(level, UNITS.values(), strict=True)
        return ", ".join(f"{value:,g} {unit}" for value, unit in limits if value is not None)
    return f"{level:g}" if isinstance(level, float) else str(level)
