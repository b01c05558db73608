"""What is measured of a study's runs beyond medals, and of medals at any budget, computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from mlesearch.analysis.data.claim import Arm, Models, TestedClaim
from mlesearch.analysis.measures.beyond_medals import Measure, MeasuredGap, measured_gaps, ranked_runs
from mlesearch.analysis.measures.budget_axis import BudgetProgress
from mlesearch.analysis.measures.budget_rates import (
    BudgetCrossover,
    BudgetGap,
    budget_crossover,
    budget_gaps,
    declared_budgets,
)
from mlesearch.analysis.measures.process import Association, ProcessMean, associations, process_means, process_measures
from mlesearch.storage.claimed_measures import measures_problem
from mlesearch.types import ConfigError


@dataclass(frozen=True, slots=True)
class Measurements:
    """Outcomes beyond medals, and medals at any budget.

    Attributes:
        measures: one number a run, of the runs on tasks with a leaderboard.
        gaps: every strategy against the baseline, by measure.
        budgets: the claim's pair at each tenth of each common budget.
        crossover: at the budgets that the claim declared; None where it declared none.
        process: what runs did on their way, by strategy.
        associations: how success goes with it.
    """

    measures: tuple[Measure, ...] = ()
    gaps: tuple[MeasuredGap, ...] = ()
    budgets: tuple[BudgetGap, ...] = ()
    crossover: BudgetCrossover | None = None
    process: tuple[ProcessMean, ...] = ()
    associations: tuple[Association, ...] = ()


def measured_of(
    runs: pd.DataFrame,
    nodes: pd.DataFrame,
    best: pd.DataFrame,
    models: Models,
    arms: Sequence[Arm],
    claim: TestedClaim | None,
    study: Mapping[str, Any],
    found: tuple[Measure, ...],
    progress: Mapping[str, BudgetProgress],
) -> Measurements:
    """All of it; of tasks without a leaderboard, what their runs did alone.

    Args:
        runs: table of runs.
        nodes: table of nodes.
        best: of `best_so_far`.
        models: of the study.
        arms: of the study.
        claim: its pair; None with a single arm.
        study: content of study.json.
        found: of `measures`.
        progress: of `every_progress`.

    Raises:
        ConfigError: the claim declares budgets or measures that are none, or measures that the tables do not give.
    """
    ranked = ranked_runs(runs)
    did = process_measures(runs, nodes)
    why = Measurements(
        process=process_means(did, runs, models, arms), associations=associations(did, runs, models, arms)
    )
    if ranked.empty or best.empty:
        return why
    if claim is None:
        return replace(why, measures=found)
    declared, named = declared_budgets(study), declared_measures(study)
    if absent := [name for name in named if name not in {measure.key for measure in found}]:
        raise ConfigError(f"study.json: claim.measures: these tables do not give {', '.join(absent)}")
    pair = claim.treatment, claim.baseline
    return replace(
        why,
        measures=found,
        gaps=measured_gaps(
            found, ranked, models, arms, claim.baseline, claim.treatment, named if claim.declared else ()
        ),
        budgets=budget_gaps(ranked, best, models, arms, *pair, progress),
        crossover=None if declared is None else budget_crossover(ranked, best, models, arms, pair, declared),
    )


def declared_measures(study: Mapping[str, Any]) -> tuple[str, ...]:
    """The measures that a claim declared beside its outcome.

    Raises:
        ConfigError: one of them is none.
    """
    claim = study.get("claim")
    raw = claim.get("measures") if isinstance(claim, Mapping) else None
    named = tuple(str(name) for name in raw or ())
    if problem := measures_problem(named):
        raise ConfigError(f"study.json: {problem}")
    return named
