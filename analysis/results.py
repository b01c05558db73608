"""Everything that a report states, computed once: tables in, numbers out, no words and no ink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis import accounts, curves
from mlesearch.analysis.assumptions import Assumptions, Compared, assumptions_of, shared_level
from mlesearch.analysis.attrition import CellRuns, cells
from mlesearch.analysis.capability import Alternative, Slope, design_p, slope_test
from mlesearch.analysis.claim import Arm, Models, Outcomes, TestedClaim, arms_of, claim_of, models_of, outcomes
from mlesearch.analysis.claim import succeeded as _succeeded
from mlesearch.analysis.crossover import ALPHA, Crossover, crossover, groups_by_capability, groups_by_tier
from mlesearch.analysis.dependence import Categories, categories_of, category_rates
from mlesearch.analysis.dispersion import Dispersion, study_dispersion
from mlesearch.analysis.family import Family, family
from mlesearch.analysis.gaps import Gap, adjust, benjamini_hochberg, not_compared, paired_gap
from mlesearch.analysis.rates import Floats, Ints, Parity, Rates, e1_rates, e2_rates, parity
from mlesearch.analysis.sandboxes import Difference, differences
from mlesearch.analysis.spend import Spend, spends
from mlesearch.analysis.tables import Policy, PolicyNote, Tables, apply_policy, has_result, validate
from mlesearch.analysis.unranked import counted, outcomes_of
from mlesearch.storage.claim import Trend


@dataclass(frozen=True, slots=True)
class Board:
    """One outcome over all cells.

    Attributes:
        outcome: key of `OUTCOMES`.
        counts: successes and runs by model, arm and task.
        e2: shape (M, A); all NaN where no run has a result.
        e1: shape (M, A); likewise.
        parity: by model, then by arm; None where no run has a result.
        by_category: E2 clustered by category of task, shape (M, A); None where no categories are known and repeated.
    """

    outcome: str
    counts: Outcomes
    e2: Rates
    e1: Rates
    parity: tuple[tuple[Parity | None, ...], ...]
    by_category: Rates | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One treatment against the baseline, over all models.

    Attributes:
        treatment: arm.
        baseline: arm.
        confirmatory: whether it is the declared pair (Holm), else exploratory (BH over all such gaps).
        gaps: one per model.
        by_task: shape (M, T): the gap of each model on each task.
        slope: None where models have no order, there are fewer than two, or some model is not compared.
        crossover: None where the models have no order.
        sandboxes: in what the two sides were not run in the same sandbox.
        bound: the slope with every run without a result taken against it; None where all have one.
        family: of a confirmatory comparison, its parts adjusted over each other; None in exploration.
        assumptions: how far the verdicts depend on assumptions; None for all but the claim's comparison.
    """

    treatment: Arm
    baseline: Arm
    confirmatory: bool
    gaps: tuple[Gap, ...]
    by_task: Floats
    slope: Slope | None
    crossover: Crossover | None
    sandboxes: tuple[Difference, ...] = ()
    bound: Slope | None = None
    family: Family | None = None
    assumptions: Assumptions | None = None

    @property
    def slope_p(self) -> float:
        """The p of the slope's verdict before adjustment, runs without a result taken against it; 1 without a slope."""
        if self.slope is None:
            return 1.0
        against = self.bound is not None and self.bound.slope * self.slope.slope <= 0
        return 1.0 if against else max(s.p_both for s in (self.slope, self.bound) if s is not None)

    @property
    def lost(self) -> int:
        """Runs of the two, over all models, that have no result."""
        return sum(gap.lost for gap in self.gaps)


@dataclass(frozen=True, slots=True)
class Results:
    """All numbers of a report.

    Attributes:
        tables: after the missing-run policy.
        policy: what it did.
        arms: in display order.
        models: in display order.
        claim: None with a single arm.
        boards: one per outcome that some task can have, in the order of `OUTCOMES`.
        main: the claim's comparison; None with a single arm.
        others: the other arms against the same baseline, exploratory.
        cells: what became of the runs of each model and arm, before any policy.
        spends: what of their budgets the runs spent; empty where the tables do not know the budgets.
        dispersion: the spread between seeds in the claim's outcome; None with a single arm.
        categories: of the tasks that the claim's outcome is about; None where none are known and repeated.
    """

    tables: Tables
    policy: PolicyNote
    arms: tuple[Arm, ...]
    models: Models
    claim: TestedClaim | None
    boards: tuple[Board, ...]
    main: Comparison | None
    others: tuple[Comparison, ...]
    best: pd.DataFrame
    mechanism: pd.DataFrame
    cost: pd.DataFrame
    cost_by_operator: pd.DataFrame
    failures: pd.DataFrame
    cells: tuple[CellRuns, ...]
    spends: tuple[Spend, ...] = ()
    dispersion: Dispersion | None = None
    categories: Categories | None = None

    @property
    def outcome(self) -> str:
        """Key of the outcome that the claim is about."""
        return self.claim.outcome if self.claim else self.boards[0].outcome

    @property
    def board(self) -> Board:
        """The board of that outcome."""
        return next(board for board in self.boards if board.outcome == self.outcome)


def analyse(tables: Tables, policy: Policy = "fail") -> Results:
    """Validates the tables and computes everything.

    Raises:
        ConfigError: see `tables.validate`, `tables.apply_policy`, `claim.claim_of` and `claim.models_of`.
    """
    validate(tables)
    claim = claim_of(tables)
    planned = tables
    tables, note = apply_policy(tables, policy)
    runs = tables.runs
    arms, models = arms_of(tables), models_of(tables)
    became = cells(planned.runs, planned.nodes, models, arms)
    boards = tuple(board(runs, models, arms, name) for name in outcomes_of(runs))
    main: Comparison | None = None
    others: tuple[Comparison, ...] = ()
    categories, spread = None, None
    if claim is not None:
        counts = next(b.counts for b in boards if b.outcome == claim.outcome)
        grid = Grid(models, arms, counts, outcomes(planned.runs, models, arms, claim.outcome), became)
        trend = claim.trend if claim.capability else None
        main = compare(grid, claim.treatment, claim.baseline, claim.declared, trend)
        rest = [arm for arm in arms if arm not in (claim.treatment, claim.baseline)]
        others = tuple(compare(grid, arm, claim.baseline, False) for arm in rest)
        main, others = _adjusted(main, others, claim)
        main = _in_family(main, claim, models)
        categories = categories_of(runs, counts.tasks)
        main = replace(main, assumptions=_assumptions(grid, main, claim, categories))
        seen_runs = counted(runs[has_result(runs)], claim.outcome)
        labels = accounts.arm_labels(seen_runs, arms)
        spread = study_dispersion(seen_runs, _succeeded(seen_runs, claim.outcome), list(labels))
        seen = [differences(runs, models.names, arms, c.treatment, c.baseline) for c in (main, *others)]
        main, *rest_seen = (replace(c, sandboxes=found) for c, found in zip((main, *others), seen, strict=True))
        others = tuple(rest_seen)
    ended = runs[has_result(runs)]
    return Results(
        tables=tables,
        policy=note,
        arms=arms,
        models=models,
        claim=claim,
        boards=boards,
        main=main,
        others=others,
        best=curves.best_so_far(tables.nodes, runs),
        mechanism=accounts.mechanism(ended, models, arms),
        cost=accounts.cost(ended, tables.calls, arms),
        cost_by_operator=accounts.cost_by_operator(ended, tables.calls, arms),
        failures=accounts.failures(ended, tables.nodes, arms),
        cells=became,
        spends=spends(runs, tables.nodes, models.names, arms),
        dispersion=spread,
        categories=categories,
    )


def _assumptions(grid: Grid, c: Comparison, claim: TestedClaim, categories: Categories | None) -> Assumptions:
    """The assumptions of the claim's comparison."""
    pair = [grid.arms.index(c.treatment), grid.arms.index(c.baseline)]
    hits, counts = grid.counts.hits[:, pair, :], grid.counts.counts[:, pair, :]
    compared = Compared(
        grid.models, grid.counts.tasks, hits, counts, c.by_task, c.gaps, c.slope, c.crossover, c.confirmatory
    )
    return assumptions_of(compared, categories, shared_level(c.family, claim.order))


def board(runs: pd.DataFrame, models: Models, arms: Sequence[Arm], outcome: str) -> Board:
    """The rates of one outcome in every cell, over the tasks that can have it."""
    runs = counted(runs, outcome)
    counts = outcomes(runs, models, arms, outcome)
    lists = _reports(runs, models, arms, outcome)
    bare = counts.bare
    groups = categories_of(runs, counts.tasks)
    return Board(
        outcome=outcome,
        counts=counts,
        e2=_known(e2_rates(counts.hits, counts.counts), bare),
        e1=_known(e1_rates(counts.hits, counts.counts), bare),
        parity=tuple(
            tuple(None if bare[m, a] else parity(lists[model, arm.label]) for a, arm in enumerate(arms))
            for m, model in enumerate(models.names)
        ),
        by_category=_known(category_rates(counts.hits, counts.counts, groups), bare) if groups else None,
    )


def _known(rates: Rates, bare: npt.NDArray[np.bool_]) -> Rates:
    """The same rates, with none where no run has a result."""
    return Rates(*(np.where(bare, np.nan, getattr(rates, field.name)) for field in fields(rates)))


def _reports(
    runs: pd.DataFrame, models: Models, arms: Sequence[Arm], outcome: str
) -> dict[tuple[str, str], list[list[bool]]]:
    """By cell: one list of outcomes per task, in the order of the table."""
    hit = _succeeded(runs, outcome).to_numpy(dtype=bool)
    labels = accounts.arm_labels(runs, arms)
    tasks: dict[str, int] = {name: i for i, name in enumerate(sorted(set(runs["task"])))}
    cells: dict[tuple[str, str], list[list[bool]]] = {
        (model, arm.label): [[] for _ in tasks] for model in models.names for arm in arms
    }
    for model, label, task, value in zip(runs["model"], labels, runs["task"], hit, strict=True):
        cells[model, label][tasks[task]].append(bool(value))
    return cells


@dataclass(frozen=True, slots=True)
class Grid:
    """What is compared: one outcome over all models, arms and tasks.

    Attributes:
        models: in their order.
        arms: in their order.
        counts: after the missing-run policy.
        planned: before it, of all runs of the grid.
        cells: what became of these runs.
    """

    models: Models
    arms: tuple[Arm, ...]
    counts: Outcomes
    planned: Outcomes
    cells: tuple[CellRuns, ...]


def compare(grid: Grid, treatment: Arm, baseline: Arm, confirmatory: bool, trend: Trend | None = None) -> Comparison:
    """One treatment against the baseline; p-values adjusted over the models by Holm.

    The slope is tested one-sided in the declared direction (`trend`), two-sided in exploration. Runs without a result
    bound every verdict: one that would fall if they had all come out against it is not reached.
    """
    models, pair = grid.models, [grid.arms.index(treatment), grid.arms.index(baseline)]
    hits, runs = grid.counts.hits[:, pair, :], grid.counts.counts[:, pair, :]
    refused = [_refusal(grid.cells, model, (treatment, baseline)) for model in models.names]
    tasks = len(grid.counts.tasks)
    gaps = adjust(
        [
            not_compared(why, tasks) if why else paired_gap(h, k, mid_p=not confirmatory)
            for why, h, k in zip(refused, hits, runs, strict=True)
        ],
        "holm",
    )
    least, most = _bounds(grid.planned, pair)
    lost = grid.planned.lost[:, pair, :].sum(axis=(1, 2))
    gaps = _bounded(gaps, lost, least, most, mid_p=not confirmatory)
    rates = hits / runs
    by_task = np.asarray(rates[:, 0, :] - rates[:, 1, :], dtype=np.float64)
    by_task[[bool(why) for why in refused]] = np.nan
    slope = bound = None
    verdict: Crossover | None = None
    if models.capability is not None and any(refused):
        without = ", ".join(m for m, why in zip(models.names, refused, strict=True) if why)
        verdict = Crossover(f"{treatment.label} and {baseline.label} are not compared with {without}")
    elif models.capability is not None:
        weak, strong = groups(models)
        centred = models.capability - models.capability.mean()
        side: Alternative = "two-sided" if trend is None else "greater" if trend == "rises" else "less"
        goes: Trend = trend or "rises"
        if len(models.names) > 1 and np.ptp(models.capability) > 0:
            slope = slope_test(by_task, models.capability, side)
        verdict = crossover(models.names, by_task, models.capability, weak, strong, trend=goes, slope=slope)
        if slope is not None and lost.any():
            low, high = least[0] / least[1], most[0] / most[1]
            rising = np.where(centred[:, None] > 0, low[:, 0] - low[:, 1], high[:, 0] - high[:, 1])
            falling = np.where(centred[:, None] > 0, high[:, 0] - high[:, 1], low[:, 0] - low[:, 1])
            bound = slope_test(rising if slope.slope > 0 else falling, models.capability, side)
            against = rising if goes == "rises" else falling
            worst = crossover(models.names, against, models.capability, weak, strong, trend=goes)
            verdict = replace(
                verdict,
                p=max(verdict.p, worst.p),
                p_adjusted=max(verdict.p, worst.p),
                these_models=verdict.these_models and worst.these_models,
                like_models=verdict.like_models and worst.like_models,
            )
    return Comparison(treatment, baseline, confirmatory, gaps, by_task, slope, verdict, bound=bound)


def _refusal(cells: Sequence[CellRuns], model: str, pair: Sequence[Arm]) -> str:
    """Why two arms are not compared with a model, or nothing."""
    labels = [arm.label for arm in pair]
    return "; ".join(f"{c.arm}: {c.refused}" for c in cells if c.model == model and c.arm in labels and c.refused)


def _bounds(planned: Outcomes, pair: Sequence[int]) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    """Hits and counts, shape (M, 2, T), with runs without a result all against the treatment, and all for it."""
    hits, counts, lost = planned.hits[:, pair, :], planned.counts[:, pair, :], planned.lost[:, pair, :]
    against, favour = hits.copy(), hits.copy()
    against[:, 1] += lost[:, 1]
    favour[:, 0] += lost[:, 0]
    return (against, counts), (favour, counts)


def _bounded(
    gaps: tuple[Gap, ...], lost: Ints, least: tuple[Ints, Ints], most: tuple[Ints, Ints], *, mid_p: bool
) -> tuple[Gap, ...]:
    """The gaps with what the runs without a result could make of them."""
    if not lost.any():
        return gaps
    low, high = (
        adjust([paired_gap(h, k, mid_p=mid_p) for h, k in zip(*side, strict=True)], "holm") for side in (least, most)
    )
    return tuple(
        replace(
            gap,
            lost=int(n),
            least=a.gap,
            most=b.gap,
            held=not n or (a.rejects() and a.gap > 0 if gap.gap > 0 else b.rejects() and b.gap < 0),
        )
        for gap, n, a, b in zip(gaps, lost, low, high, strict=True)
    )


def groups(models: Models) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The two groups of a crossover: lowest and highest declared tier, else lowest and highest third."""
    if models.capability is None:
        return (), ()
    if models.tier_order:
        low, high = groups_by_tier(models.names, models.tier, models.tier_order)
    else:
        low, high = groups_by_capability(models.names, models.capability)
    return tuple(low), tuple(high)


def _adjusted(
    main: Comparison, others: tuple[Comparison, ...], claim: TestedClaim
) -> tuple[Comparison, tuple[Comparison, ...]]:
    """Exploratory gaps share one BH family, and exploratory slopes another; the declared pair keeps Holm."""
    exploratory = [c for c in (main, *others) if not c.confirmatory]
    shared = iter(adjust([gap for c in exploratory for gap in c.gaps], "bh"))

    def declared(c: Comparison) -> bool:
        return c.confirmatory and claim.capability

    trends = [c.slope_p for c in (main, *others) if c.slope is not None and not declared(c)]
    slopes = iter(benjamini_hochberg(trends).tolist())

    def redone(c: Comparison) -> Comparison:
        gaps = c.gaps if c.confirmatory else tuple(next(shared) for _ in c.gaps)
        slope = c.slope if c.slope is None or declared(c) else c.slope.adjusted(next(slopes))
        return replace(c, gaps=gaps, slope=slope)

    first = redone(main)
    return first, tuple(redone(c) for c in others)


def _in_family(main: Comparison, claim: TestedClaim, models: Models) -> Comparison:
    """The declared comparison with its parts adjusted over each other; an exploratory one as it is."""
    if not main.confirmatory:
        return main
    slope = crossing = None
    if claim.capability and models.capability is not None and main.slope is not None:
        if design_p(models.capability) <= (ALPHA if claim.order else ALPHA / 2.0):
            slope = main.slope_p
        if main.crossover is not None and not main.crossover.refused:
            crossing = main.crossover.p
    held = [gap.p_adjusted if gap.held else 1.0 for gap in main.gaps]
    parts = family(held, slope, crossing, claim.order)
    gaps = tuple(replace(gap, p_adjusted=p) if gap.held else gap for gap, p in zip(main.gaps, parts.gaps, strict=True))
    verdict = main.crossover
    if crossing is not None and verdict is not None:
        established = parts.crossover <= ALPHA
        verdict = replace(
            verdict,
            p_adjusted=parts.crossover,
            these_models=verdict.these_models and established,
            like_models=verdict.like_models and established,
        )
    trend = main.slope if main.slope is None or slope is None else main.slope.adjusted(parts.slope)
    return replace(main, gaps=gaps, slope=trend, crossover=verdict, family=parts)
