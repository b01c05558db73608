"""Designs side by side: what each detects, what it takes, and what a gap or a crossover of a given size needs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mlesearch.analysis.planning.looks import LookBounds
from mlesearch.analysis.planning.power import (
    ALPHA,
    POWER,
    Spread,
    crossover_power,
    detectable_in_errors,
    power_of,
    seeds_needed,
    standard_error,
    tasks_needed,
)

SEEDS = (1, 2, 3, 5, 10)
"""Numbers of seeds that are always shown."""

LOOKS = (1, 2, 3, 4, 5)
FUTILITY = 0.1
MOST_SEEDS = 64
PRACTICAL_SEEDS = 100
"""More of them are no design: where a gap needs more, it is said that it needs tasks."""
STRATEGIES = 2
"""Treatment and baseline."""


@dataclass(frozen=True, slots=True)
class RunCost:
    """What one run takes, mean over both strategies and all tasks.

    Attributes:
        usd: mean over all models; None: not known.
        usd_ends: mean over the models of both end groups.
        gpu_h: GPU hours, mean over all models; None: not known.
        gpu_h_ends: likewise.
        source: where these are from, in words.
    """

    usd: float | None
    usd_ends: float | None
    gpu_h: float | None
    gpu_h_ends: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Design:
    """What is planned.

    Attributes:
        models: how many: the family of tests.
        low: models of the low end group; 0: there are no groups.
        high: likewise.
        tasks: how many.
        seeds: how many.
        spread: the variances.
        cost: of a run.
    """

    models: int
    low: int
    high: int
    tasks: int
    seeds: int
    spread: Spread
    cost: RunCost

    def taken(self, seeds: float, ends_only: bool = False) -> Taken:
        """What so many seeds take: of all models, or of those of the end groups."""
        runs = seeds * STRATEGIES * self.tasks * (self.low + self.high if ends_only else self.models)
        usd, gpu_h = self.cost.usd, self.cost.gpu_h
        if ends_only:
            usd, gpu_h = self.cost.usd_ends, self.cost.gpu_h_ends
        return Taken(runs, None if usd is None else runs * usd, None if gpu_h is None else runs * gpu_h)


@dataclass(frozen=True, slots=True)
class Taken:
    """Runs, US dollars and GPU hours; None: not known."""

    runs: float
    usd: float | None
    gpu_h: float | None


@dataclass(frozen=True, slots=True)
class DesignRow:
    """What one number of seeds detects in 80 %, as fractions.

    Attributes:
        seeds: infinite: any number, what the tasks alone leave.
        error: standard error of a gap on tasks like these (E2).
        alone: smallest gap found, one test at two-sided 5 %.
        family: likewise of a family of all models, by Holm's first step.
        benchmark: of the same family on these tasks alone (E1).
        power: to find the asked-for gap as one of the family; NaN where none was asked for.
        taken: of all models; None for any number of seeds.
    """

    seeds: float
    error: float
    alone: float
    family: float
    benchmark: float
    power: float
    taken: Taken | None


@dataclass(frozen=True, slots=True)
class GapNeeds:
    """What it takes to find a gap in 80 %, as one of the family.

    Attributes:
        gap: a fraction.
        seeds: on the design's tasks; None: no number of seeds can.
        taken: with so many seeds; None likewise.
        tasks: with the design's seeds; None: more than a million.
        left: the smallest gap that any number of seeds would find.
    """

    gap: float
    seeds: int | None
    taken: Taken | None
    tasks: int | None
    left: float


@dataclass(frozen=True, slots=True)
class CrossoverNeeds:
    """What a crossover of a given shape takes.

    Attributes:
        gaps: of the low and the high group.
        power: with the design's seeds, one look.
        taken: runs of the end models for that.
        sequential: power with looks after 1 to 5 seeds.
        sequential_taken: on average.
        most: with any number of seeds.
        seeds: for 80 % with one look; None: no number of seeds can.
        tasks: for 80 % with the design's seeds; None: not within twenty times as many.
    """

    gaps: tuple[float, float]
    power: float
    taken: Taken
    sequential: float
    sequential_taken: Taken
    most: float
    seeds: int | None
    tasks: int | None


def design_rows(design: Design, seeds: Iterable[int] = SEEDS, gap: float | None = None) -> tuple[DesignRow, ...]:
    """One row a number of seeds, the design's own among them, and one for any number.

    Args:
        design: as planned.
        seeds: shown besides.
        gap: of which the power is shown; a fraction.
    """
    s, tasks = design.spread, design.tasks
    one, family = detectable_in_errors(tasks), detectable_in_errors(tasks, design.models)
    rows = []
    for k in (*sorted({*seeds, design.seeds}), math.inf):
        error = standard_error(s.own, s.noise, tasks, k)
        power = math.nan if gap is None else power_of(gap, error, tasks, design.models)
        fixed = standard_error(0.0, s.noise, tasks, k)
        taken = None if math.isinf(k) else design.taken(k)
        rows.append(DesignRow(k, error, one * error, family * error, family * fixed, power, taken))
    return tuple(rows)


def gap_needs(design: Design, gap: float) -> GapNeeds:
    """What it takes to find a gap, a fraction, in 80 % of studies as one of the design's family."""
    s, tests = design.spread, design.models
    seeds = seeds_needed(s.own, s.noise, design.tasks, gap, tests)
    left = detectable_in_errors(design.tasks, tests) * standard_error(s.own, s.noise, design.tasks, math.inf)
    taken = None if seeds is None else design.taken(seeds)
    return GapNeeds(gap, seeds, taken, tasks_needed(s.own, s.noise, design.seeds, gap, tests), left)


def crossover_needs(design: Design, gaps: tuple[float, float]) -> CrossoverNeeds:
    """What a crossover takes whose ends are as given, the low group's gap first; fractions."""
    s, tasks = design.spread, design.tasks

    def fixed(seeds: int, tasks: int = tasks, spread: Spread = s) -> float:
        return crossover_power(gaps, spread, tasks, LookBounds.of((seeds,), ALPHA, 0.0), 2000).power

    found = crossover_power(gaps, s, tasks, LookBounds.of(LOOKS, ALPHA, FUTILITY))
    by_group = found.seeds_low * design.low + found.seeds_high * design.high
    sequential_taken = design.taken(by_group / (design.low + design.high), ends_only=True)
    most = fixed(1, spread=replace(s, ends_noise=(1e-12, 1e-12)))
    seeds = next((k for k in _rising(1, MOST_SEEDS) if fixed(k) >= POWER), None) if most >= POWER else None
    more = next((t for t in _rising(tasks, 20 * tasks) if fixed(design.seeds, t) >= POWER), None)
    return CrossoverNeeds(
        gaps=gaps,
        power=fixed(design.seeds),
        taken=design.taken(design.seeds, ends_only=True),
        sequential=found.power,
        sequential_taken=sequential_taken,
        most=most,
        seeds=seeds,
        tasks=more,
    )


def _rising(start: int, stop: int) -> Iterable[int]:
    """Whole numbers from one to another, each some tenth above the one before."""
    n = start
    while n <= stop:
        yield n
        n += max(1, n // 10)
