"""Everything that a report states, computed once: tables in, numbers out, no words and no ink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mlesearch.analysis import accounts, curves
from mlesearch.analysis.capability import Slope, slope_test
from mlesearch.analysis.claim import Arm, Models, Outcomes, TestedClaim, arms_of, claim_of, models_of, outcomes
from mlesearch.analysis.claim import succeeded as _succeeded
from mlesearch.analysis.crossover import Crossover, crossover, groups_by_capability, groups_by_tier
from mlesearch.analysis.gaps import Gap, adjust, paired_gap
from mlesearch.analysis.rates import Floats, Parity, Rates, e1_rates, e2_rates, parity
from mlesearch.analysis.sandboxes import Difference, differences
from mlesearch.analysis.tables import Policy, PolicyNote, Tables, apply_policy, validate
from mlesearch.analysis.unranked import counted, outcomes_of


@dataclass(frozen=True, slots=True)
class Board:
    """One outcome over all cells.

    Attributes:
        outcome: key of `OUTCOMES`.
        counts: successes and runs by model, arm and task.
        e2: shape (M, A).
        e1: shape (M, A).
        parity: by model, then by arm.
    """

    outcome: str
    counts: Outcomes
    e2: Rates
    e1: Rates
    parity: tuple[tuple[Parity, ...], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One treatment against the baseline, over all models.

    Attributes:
        treatment: arm.
        baseline: arm.
        confirmatory: whether it is the declared pair (Holm), else exploratory (BH over all such gaps).
        gaps: one per model.
        by_task: shape (M, T): the gap of each model on each task.
        slope: None where models have no order or there are fewer than two.
        crossover: None where the models have no order.
        sandboxes: in what the two sides were not run in the same sandbox.
    """

    treatment: Arm
    baseline: Arm
    confirmatory: bool
    gaps: tuple[Gap, ...]
    by_task: Floats
    slope: Slope | None
    crossover: Crossover | None
    sandboxes: tuple[Difference, ...] = ()


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
    tables, note = apply_policy(tables, policy)
    runs = tables.runs
    arms, models = arms_of(tables), models_of(tables)
    boards = tuple(board(runs, models, arms, name) for name in outcomes_of(runs))
    main: Comparison | None = None
    others: tuple[Comparison, ...] = ()
    if claim is not None:
        counts = next(b.counts for b in boards if b.outcome == claim.outcome)
        main = compare(counts, models, arms, claim.treatment, claim.baseline, claim.declared, claim.capability)
        rest = [arm for arm in arms if arm not in (claim.treatment, claim.baseline)]
        others = tuple(compare(counts, models, arms, arm, claim.baseline, False) for arm in rest)
        main, others = _adjusted(main, others)
        seen = [differences(runs, models.names, arms, c.treatment, c.baseline) for c in (main, *others)]
        main, *rest_seen = (replace(c, sandboxes=found) for c, found in zip((main, *others), seen, strict=True))
        others = tuple(rest_seen)
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
        mechanism=accounts.mechanism(runs, models, arms),
        cost=accounts.cost(runs, tables.calls, arms),
        cost_by_operator=accounts.cost_by_operator(runs, tables.calls, arms),
        failures=accounts.failures(runs, tables.nodes, arms),
    )


def board(runs: pd.DataFrame, models: Models, arms: Sequence[Arm], outcome: str) -> Board:
    """The rates of one outcome in every cell, over the tasks that can have it."""
    runs = counted(runs, outcome)
    counts = outcomes(runs, models, arms, outcome)
    lists = _reports(runs, models, arms, outcome)
    return Board(
        outcome=outcome,
        counts=counts,
        e2=e2_rates(counts.hits, counts.counts),
        e1=e1_rates(counts.hits, counts.counts),
        parity=tuple(tuple(parity(lists[model, arm.label]) for arm in arms) for model in models.names),
    )


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


def compare(
    counts: Outcomes,
    models: Models,
    arms: Sequence[Arm],
    treatment: Arm,
    baseline: Arm,
    confirmatory: bool,
    widens: bool = False,
) -> Comparison:
    """One treatment against the baseline; p-values adjusted over the models by Holm.

    The slope is tested one-sided upwards where that was declared (`widens`), two-sided in exploration.
    """
    pair = [arms.index(treatment), arms.index(baseline)]
    hits, runs = counts.hits[:, pair, :], counts.counts[:, pair, :]
    gaps = adjust([paired_gap(h, k) for h, k in zip(hits, runs, strict=True)], "holm")
    rates = hits / runs
    by_task = np.asarray(rates[:, 0, :] - rates[:, 1, :], dtype=np.float64)
    slope: Slope | None = None
    verdict: Crossover | None = None
    if models.capability is not None:
        if len(models.names) > 1 and np.ptp(models.capability) > 0:
            slope = slope_test(by_task, models.capability, "greater" if widens else "two-sided")
        weak, strong = groups(models)
        verdict = crossover(models.names, by_task, models.capability, weak, strong)
    return Comparison(treatment, baseline, confirmatory, gaps, by_task, slope, verdict)


def groups(models: Models) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The two groups of a crossover: lowest and highest declared tier, else lowest and highest third."""
    if models.capability is None:
        return (), ()
    if models.tier_order:
        low, high = groups_by_tier(models.names, models.tier, models.tier_order)
    else:
        low, high = groups_by_capability(models.names, models.capability)
    return tuple(low), tuple(high)


def _adjusted(main: Comparison, others: tuple[Comparison, ...]) -> tuple[Comparison, tuple[Comparison, ...]]:
    """Exploratory gaps share one BH family; the declared pair keeps Holm over its models."""
    exploratory = [c for c in (main, *others) if not c.confirmatory]
    shared = iter(adjust([gap for c in exploratory for gap in c.gaps], "bh"))

    def redone(c: Comparison) -> Comparison:
        gaps = c.gaps if c.confirmatory else tuple(next(shared) for _ in c.gaps)
        return Comparison(c.treatment, c.baseline, c.confirmatory, gaps, c.by_task, c.slope, c.crossover)

    first = redone(main)
    return first, tuple(redone(c) for c in others)
