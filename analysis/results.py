"""Everything that a report states, computed once: tables in, numbers out, no words and no ink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis import accounts, curves
from mlesearch.analysis.attrition import CellRuns, cells
from mlesearch.analysis.claim import Arm, Models, Outcomes, TestedClaim, arms_of, claim_of, models_of, outcomes
from mlesearch.analysis.claim import succeeded as _succeeded
from mlesearch.analysis.comparison import Comparison, Grid, adjusted, claimed, compare
from mlesearch.analysis.rates import Parity, Rates, e1_rates, e2_rates, parity
from mlesearch.analysis.sandboxes import differences
from mlesearch.analysis.spend import Spend, spends
from mlesearch.analysis.tables import Policy, PolicyNote, Tables, apply_policy, has_result, validate
from mlesearch.analysis.unranked import counted, outcomes_of


@dataclass(frozen=True, slots=True)
class Board:
    """One outcome over all cells.

    Attributes:
        outcome: key of `OUTCOMES`.
        counts: successes and runs by model, arm and task.
        e2: shape (M, A); all NaN where no run has a result.
        e1: shape (M, A); likewise.
        parity: by model, then by arm; None where no run has a result.
    """

    outcome: str
    counts: Outcomes
    e2: Rates
    e1: Rates
    parity: tuple[tuple[Parity | None, ...], ...]


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
    if claim is not None:
        counts = next(b.counts for b in boards if b.outcome == claim.outcome)
        grid = Grid(models, arms, counts, outcomes(planned.runs, models, arms, claim.outcome), became)
        main = claimed(grid, claim)
        rest = [arm for arm in arms if arm not in (claim.treatment, claim.baseline)]
        others = tuple(compare(grid, arm, claim.baseline, False) for arm in rest)
        main, others = adjusted(main, others, claim)
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
    )


def board(runs: pd.DataFrame, models: Models, arms: Sequence[Arm], outcome: str) -> Board:
    """The rates of one outcome in every cell, over the tasks that can have it."""
    runs = counted(runs, outcome)
    counts = outcomes(runs, models, arms, outcome)
    lists = _reports(runs, models, arms, outcome)
    bare = counts.bare
    return Board(
        outcome=outcome,
        counts=counts,
        e2=_known(e2_rates(counts.hits, counts.counts), bare),
        e1=_known(e1_rates(counts.hits, counts.counts), bare),
        parity=tuple(
            tuple(None if bare[m, a] else parity(lists[model, arm.label]) for a, arm in enumerate(arms))
            for m, model in enumerate(models.names)
        ),
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
