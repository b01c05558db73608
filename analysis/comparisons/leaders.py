"""Which strategy leads in each setting with each model: its lead, whether it is established, and the best tree search.

A cell is a model in a setting (see `axes`). In each, all strategies ran on the same tasks and seeds and within the same
budgets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mlesearch.analysis.data.arrays import Floats, Ints, Sums
from mlesearch.analysis.data.axes import SettingAxis, settings_of
from mlesearch.analysis.data.claim import Arm, Models
from mlesearch.analysis.data.outcomes import Outcomes
from mlesearch.analysis.measures.attrition import CellRuns
from mlesearch.analysis.statistics.best_of import TIE, BestGap, adjusted, best_gap
from mlesearch.analysis.statistics.gaps import Gap, adjust, paired_gap

GRADIENT, TREE = "gradient", "tree search"
"""Kinds of search, as strategies declare them, whose best are compared."""


@dataclass(frozen=True, slots=True)
class LeaderCell:
    """What leads in one cell.

    Attributes:
        model: place of the model.
        setting: place of the level on each axis.
        rates: of each strategy that could be compared, in their order; a fraction.
        leaders: those with the highest rate; several where they tie, none where fewer than two could be compared.
        next_best: the strategy that the lead is over; of a tie another of the leaders; empty without leaders.
        lead: gap of the leader over that one, its p the largest over all the others; None without leaders.
        best_tree: the tree searches with the highest rate; none where there is none.
        best_gradient: likewise.
        against_trees: best gradient strategy over best tree search; None where a side is absent.
        tasks: number of tasks.
        runs: of the strategies that could be compared.
        lost: runs of the cell without a result; then nothing is established.
        refused: strategies that could not be compared.
    """

    model: int
    setting: tuple[int, ...]
    rates: Mapping[str, float]
    leaders: tuple[str, ...]
    next_best: str
    lead: Gap | None
    best_tree: tuple[str, ...]
    best_gradient: tuple[str, ...]
    against_trees: BestGap | None
    tasks: int
    runs: int
    lost: int
    refused: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every run of the cell has a result and every strategy could be compared."""
        return not self.lost and not self.refused

    @property
    def established(self) -> bool:
        """Whether the lead is, over every other strategy, after adjustment over the cells."""
        return self.lead is not None and len(self.leaders) == 1 and self.complete and self.lead.rejects()

    @property
    def gradient_ahead(self) -> bool:
        """Whether it is established that a gradient strategy is ahead of the best tree search."""
        return self.against_trees is not None and self.complete and self.against_trees.ahead()


@dataclass(frozen=True, slots=True)
class LeaderMap:
    """Which strategy leads where.

    Attributes:
        axes: that the study varies.
        strategies: in display order.
        families: kind of search of each strategy that declares one.
        cells: by model, then by setting.
    """

    axes: tuple[SettingAxis, ...]
    strategies: tuple[str, ...]
    families: Mapping[str, str]
    cells: tuple[LeaderCell, ...]

    def of_family(self, family: str) -> tuple[str, ...]:
        """The strategies of a kind of search."""
        return tuple(name for name in self.strategies if self.families.get(name) == family)


def leader_map(
    runs: pd.DataFrame, models: Models, arms: Sequence[Arm], counts: Outcomes, became: Sequence[CellRuns]
) -> LeaderMap | None:
    """The map of a study; None where it varies no setting within a model, or a strategy has two variants in one.

    Args:
        runs: the table of runs.
        models: in display order.
        arms: in display order.
        counts: of the outcome, by model, arm and task.
        became: what became of the runs of each model and arm, before any policy.
    """
    settings = settings_of(runs, models.names, arms)
    if settings is None:
        return None
    cells: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    for (model, arm), setting in settings.of.items():
        cells.setdefault((model, setting), []).append(arm)
    named = [[arms[a].strategy for a in own] for own in cells.values()]
    if max(map(len, named)) < 2 or any(len(set(own)) < len(own) for own in named):
        return None
    families = _families(runs)
    ended = {(c.model, c.arm): c for c in became}
    found = [
        _standing(model, setting, sorted(cells[model, setting]), arms, counts, families, models, ended)
        for model, setting in sorted(cells)
    ]
    order = tuple(dict.fromkeys(arm.strategy for arm in arms))
    return LeaderMap(settings.axes, order, families, _adjusted(found))


def _families(runs: pd.DataFrame) -> Mapping[str, str]:
    """Kind of search by strategy, where all its runs that know one declare the same."""
    if "family" not in runs.columns:
        return {}
    declared = runs.dropna(subset=["family"]).groupby("strategy", sort=True)["family"].unique()
    return {str(name): str(kinds[0]) for name, kinds in declared.items() if len(kinds) == 1}


def _standing(
    model: int,
    setting: tuple[int, ...],
    own: Sequence[int],
    arms: Sequence[Arm],
    counts: Outcomes,
    families: Mapping[str, str],
    models: Models,
    became: Mapping[tuple[str, str], CellRuns],
) -> LeaderCell:
    """One cell, its p-values not adjusted yet."""
    what = {a: became[models.names[model], arms[a].label] for a in own}
    kept = [a for a in own if not what[a].refused and counts.counts[model, a].all()]
    hits, runs = counts.hits[model, kept], counts.counts[model, kept]
    names = [arms[a].strategy for a in kept]
    rates = np.asarray((hits / runs).mean(axis=1), dtype=np.float64)
    best = _highest(rates, range(len(kept)))
    leaders: tuple[str, ...] = ()
    next_best, lead = "", None
    if len(kept) > 1:
        leaders = tuple(names[i] for i in best)
        second = best[1] if len(best) > 1 else _highest(rates, [i for i in range(len(kept)) if i != best[0]])[0]
        next_best, lead = names[second], _lead(hits, runs, best[0], second)
    trees, gradients = ([i for i, name in enumerate(names) if families.get(name) == kind] for kind in (TREE, GRADIENT))
    against = None
    if trees and gradients:
        against = best_gap((hits[gradients], hits[trees]), (runs[gradients], runs[trees]))
    return LeaderCell(
        model=model,
        setting=setting,
        rates=dict(zip(names, map(float, rates), strict=True)),
        leaders=leaders,
        next_best=next_best,
        lead=lead,
        best_tree=tuple(names[i] for i in _highest(rates, trees)),
        best_gradient=tuple(names[i] for i in _highest(rates, gradients)),
        against_trees=against,
        tasks=len(counts.tasks),
        runs=int(runs.sum()),
        lost=sum(c.lost for c in what.values()),
        refused=tuple(arms[a].strategy for a in own if a not in kept),
    )


def _highest(rates: Floats, among: Sequence[int]) -> list[int]:
    """Places of the highest rate among some; all of them where they tie."""
    top = max((rates[i] for i in among), default=0.0)
    return [i for i in among if rates[i] >= top - TIE]


def _lead(hits: Sums, runs: Ints, leader: int, second: int) -> Gap:
    """The gap of the leader over the next best; its p is the largest over all others (intersection-union)."""

    def over(other: int) -> Gap:
        return paired_gap(hits[[leader, other]], runs[[leader, other]])

    others = [over(i) for i in range(len(hits)) if i != leader]
    p, attainable = max(gap.p for gap in others), max(gap.attainable_p for gap in others)
    return replace(over(second), p=p, p_adjusted=p, attainable_p=attainable, attainable_adjusted=attainable)


def _adjusted(cells: Sequence[LeaderCell]) -> tuple[LeaderCell, ...]:
    """The cells with p-values by Benjamini and Hochberg: leads are one family, gaps over tree search another."""
    leads = iter(adjust([cell.lead for cell in cells if cell.lead is not None], "bh"))
    gaps = iter(adjusted([cell.against_trees for cell in cells if cell.against_trees is not None]))
    return tuple(
        replace(
            cell,
            lead=next(leads) if cell.lead is not None else None,
            against_trees=next(gaps) if cell.against_trees is not None else None,
        )
        for cell in cells
    )
