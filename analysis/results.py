"""Everything that a report states, computed once: tables in, numbers out, no words and no ink."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mlesearch.analysis.comparisons.comparison import Comparison, Grid, adjusted, assumed, compare, in_family
from mlesearch.analysis.comparisons.leaders import LeaderMap, leader_map
from mlesearch.analysis.comparisons.lost_cases import LostCase, lost_cases
from mlesearch.analysis.comparisons.sandboxes import differences
from mlesearch.analysis.data.claim import Arm, Models, TestedClaim, arms_of, claim_of, models_of, without_measure
from mlesearch.analysis.data.codes import with_codes
from mlesearch.analysis.data.columns import distinct
from mlesearch.analysis.data.outcomes import Outcomes, is_measure, outcomes
from mlesearch.analysis.data.planned import NotPlanned, planned_part
from mlesearch.analysis.data.policies import Policy
from mlesearch.analysis.data.tables import PolicyNote, Tables, apply_policy, has_result, validate
from mlesearch.analysis.data.unranked import counted, outcomes_of
from mlesearch.analysis.measures import accounts, curves
from mlesearch.analysis.measures.attrition import CellRuns, cells
from mlesearch.analysis.measures.beyond_medals import measures, ranked_runs
from mlesearch.analysis.measures.boards import Board, board
from mlesearch.analysis.measures.budget_axis import every_progress
from mlesearch.analysis.measures.claimed import claimed_sums, claimed_values, measured_board
from mlesearch.analysis.measures.measured import Measurements, measured_of
from mlesearch.analysis.measures.progress import StudyProgress, progress
from mlesearch.analysis.measures.spend import Spend, spends
from mlesearch.analysis.planning.rounds import with_next_round
from mlesearch.analysis.planning.sequential import Standing, plan_of, standing
from mlesearch.analysis.statistics.dependence import Categories, categories_of
from mlesearch.analysis.statistics.dispersion import Dispersion, study_dispersion


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
        not_planned: what the design leaves out.
        progress: how far an unfinished study is; then there are no boards, no comparisons, curves and rates. None where
            all planned runs were made, or a policy for missing runs was asked for.
        unfinished: that planned runs were not made, in words; empty where all were.
        lost_cases: the claim's comparison under four treatments of the runs without a result; empty where all have one,
            and of an unfinished study.
        measured: outcomes beyond medals, and medals at any budget.
        claimed: the means of the measure that the claim is about; None where it is about a yes-or-no outcome.
        dispersion: the spread between seeds in the claim's outcome; None with a single arm, and of an unfinished study.
        categories: of the tasks that the claim's outcome is about; None where none are known and repeated.
        leaders: which strategy leads where; None where the study varies neither budgets nor the simulated engineer.
        looks: where a study with declared looks stands; None where none were declared.
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
    not_planned: NotPlanned = field(default_factory=NotPlanned)
    progress: StudyProgress | None = None
    unfinished: str = ""
    lost_cases: tuple[LostCase, ...] = ()
    measured: Measurements = field(default_factory=Measurements)
    claimed: Board | None = None
    dispersion: Dispersion | None = None
    categories: Categories | None = None
    leaders: LeaderMap | None = None
    looks: Standing | None = None

    @property
    def to_come(self) -> int:
        """Planned runs that were not made."""
        return self.progress.to_come if self.progress is not None else self.policy.to_come

    @property
    def outcome(self) -> str:
        """The outcome that the claim is about: one of `CLAIMABLE`."""
        if self.progress is not None:
            return self.progress.outcome
        return self.claim.outcome if self.claim else self.boards[0].outcome

    @property
    def board(self) -> Board:
        """The board of that outcome.

        Raises:
            ValueError: the study is unfinished.
        """
        if self.progress is not None:
            raise ValueError("an unfinished study has no rates; its counts are in `progress`")
        if self.claimed is not None:
            return self.claimed
        return next(board for board in self.boards if board.outcome == self.outcome)

    @property
    def success(self) -> str:
        """The yes-or-no outcome by which runs are called successful: the claim's, or the first that there is."""
        return self.board.outcome if self.claimed is None else self.boards[0].outcome


def analyse(tables: Tables, policy: Policy | None = None) -> Results:
    """Validates the tables and computes everything.

    No verdict is reached before all planned runs were made: of an unfinished study, and of its first rounds of seeds
    (`tables.only`), only the progress is computed.

    Args:
        tables: as read.
        policy: for missing runs. None: `fail` for a study whose runs were all made (some may have failed). Where it is
            named, an unfinished study is analysed too, but nothing in it is confirmatory, and its runs that were not
            made bound everything.

    Raises:
        ConfigError: see `tables.validate`, `tables.apply_policy`, `claim.claim_of` and `claim.models_of`.
    """
    validate(tables)
    tables, left_out = planned_part(tables)
    looks = None if plan_of(tables.study) is None else standing(tables)
    tables = tables if looks is None else with_next_round(tables, looks)
    claim = claim_of(tables)
    if claim is not None and looks is not None:  # what is stopped by what was seen is confirmed by its looks alone
        claim = replace(claim, declared=False, unmet=claim.unmet or "The claim is tested by its declared looks alone.")
    if tables.planned or (tables.to_come and policy is None):
        return _unfinished(tables, claim, left_out, looks)
    planned = tables
    tables, note = apply_policy(tables, policy or "fail")
    arms, models = arms_of(tables), models_of(tables)
    runs = with_codes(tables.runs)
    all_runs = runs if planned.runs is tables.runs else with_codes(planned.runs)
    best = curves.best_so_far(tables.nodes, runs)
    ranked = ranked_runs(runs)
    on = every_progress(best, ranked)
    found = measures(ranked, best, on)
    sums: tuple[Outcomes, Outcomes] | None = None
    claimed: Board | None = None
    if claim is not None and is_measure(claim.outcome):
        sums = claimed_sums(found, tables, planned, models, arms, claim.outcome)
        claim = without_measure(tables) if sums is None else claim
    became = cells(all_runs, planned.nodes, models, arms)
    rated = all_runs[all_runs["task"].isin(distinct(runs["task"]))] if planned.to_come else runs
    boards = tuple(board(rated, models, arms, name) for name in outcomes_of(runs))
    main: Comparison | None = None
    others: tuple[Comparison, ...] = ()
    cases: tuple[LostCase, ...] = ()
    categories, spread = None, None
    if claim is not None:
        if sums is None:
            counts, before = (
                outcomes(counted(part, claim.outcome), models, arms, claim.outcome) for part in (runs, all_runs)
            )
        else:
            counts, before = sums
        grid = Grid(models, arms, counts, before, became)
        main = _claimed(grid, claim)
        if not planned.to_come:
            pair = arms.index(claim.treatment), arms.index(claim.baseline)
            cases = lost_cases(grid, pair, lambda other: in_family(_claimed(other, claim), claim, other.models))
        rest = [arm for arm in arms if arm not in (claim.treatment, claim.baseline)]
        others = tuple(compare(grid, arm, claim.baseline, False) for arm in rest)
        main, others = adjusted(main, others, claim)
        categories = categories_of(tables.runs, counts.tasks)
        main = assumed(grid, in_family(main, claim, models), claim, categories)
        if sums is not None:
            shown_sums = before.of_tasks(np.isin(before.tasks, counts.tasks)) if planned.to_come else counts
            claimed = measured_board(shown_sums, claim.outcome, categories)
        seen_runs, values = claimed_values(runs, claim.outcome, found)
        spread = study_dispersion(seen_runs, values, accounts.arm_labels(seen_runs, arms))
        seen = [differences(runs, models.names, arms, c.treatment, c.baseline) for c in (main, *others)]
        main, *rest_seen = (replace(c, sandboxes=found) for c, found in zip((main, *others), seen, strict=True))
        others = tuple(rest_seen)
    ended = runs[has_result(runs)]
    asker = accounts.arms_of_calls(ended, tables.calls, arms)
    shown = claimed or next(b for b in boards if claim is None or b.outcome == claim.outcome)
    return Results(
        tables=tables,
        policy=note,
        arms=arms,
        models=models,
        claim=claim,
        boards=boards,
        main=main,
        others=others,
        best=best,
        mechanism=accounts.mechanism(ended, models, arms),
        cost=accounts.cost(ended, tables.calls, arms, asker),
        cost_by_operator=accounts.cost_by_operator(ended, tables.calls, arms, asker),
        failures=accounts.failures(ended, tables.nodes, arms),
        cells=became,
        spends=spends(tables.runs, tables.nodes, models.names, arms),
        not_planned=left_out,
        unfinished=planned.interim,
        lost_cases=cases,
        measured=measured_of(runs, tables.nodes, best, models, arms, claim, tables.study, found, on),
        claimed=claimed,
        dispersion=spread,
        categories=categories,
        leaders=leader_map(tables.runs, models, arms, shown.counts, became),
        looks=looks,
    )


def _claimed(grid: Grid, claim: TestedClaim) -> Comparison:
    """The claim's comparison, adjusted over its models."""
    trend = claim.trend if claim.capability else None
    return compare(grid, claim.treatment, claim.baseline, claim.declared, trend, claim.margin)


def _unfinished(tables: Tables, claim: TestedClaim | None, left_out: NotPlanned, looks: Standing | None) -> Results:
    """How far a study is, and what it has cost: no rate, interval, test or curve."""
    runs, arms, models = tables.runs, arms_of(tables), models_of(tables)
    ended, became = runs[has_result(runs)], cells(runs, tables.nodes, models, arms)
    outcome = claim.outcome if claim and not is_measure(claim.outcome) else outcomes_of(runs)[0]
    failed = int((runs["status"] == "failed").sum())
    return Results(
        tables=tables,
        policy=PolicyNote("fail", len(runs) - len(ended), len(runs), (), 0, failed, len(runs) - len(ended) - failed),
        arms=arms,
        models=models,
        claim=claim,
        boards=(),
        main=None,
        others=(),
        best=pd.DataFrame(),
        mechanism=pd.DataFrame(),
        cost=accounts.cost(ended, tables.calls, arms),
        cost_by_operator=accounts.cost_by_operator(ended, tables.calls, arms),
        failures=accounts.failures(ended, tables.nodes, arms),
        cells=became,
        spends=spends(runs, tables.nodes, models.names, arms),
        not_planned=left_out,
        progress=progress(tables, models, arms, outcome),
        unfinished=tables.interim,
        looks=looks,
    )
