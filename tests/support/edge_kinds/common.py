"""What the tables of odd studies share: sentences that are looked for, and how medals are spread."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlesearch.analysis.data.tables import Tables
from tests.support.edge_studies import MODELS, Bools, EdgeStudy, Ints, Where, Wins, study

HIGHER, LOWER = r"gome has a higher any-medal rate than greedy", r"gome has a lower any-medal rate than greedy"
NONE = r"no difference in any-medal rate between gome and greedy is established"
CANNOT = r"These data cannot reach 0\.05"
CROSSED = r"a crossover is established"
FINDINGS = (r"has a higher", r"has a lower", CROSSED, r"The gap (widens|narrows|rises|falls)")
UNFINISHED = (*FINDINGS, NONE, "95 %", "rejects", "SEM over", r"\bp [=<]")
CONFIRMED = (r"is confirmatory, everything else exploratory", "Holm-adjusted")
TEN = tuple(f"lab/model-{i:02d}" for i in range(10))

gome_wins = EdgeStudy(lambda: study(lambda m, s, t, k: s == 1))


def all_won() -> Tables:
    """Every run has a medal."""
    return study(lambda m, s, t, k: s >= 0)


def of_seed(n: int) -> Where:
    """The runs of one seed."""
    return lambda runs: runs["seed"] == n


def shuffled(tables: Tables) -> Tables:
    """Rows in another order."""
    return replace(tables, runs=tables.runs.sample(frac=1, random_state=3).reset_index(drop=True))


def twelve(declared: bool) -> Tables:
    """Twelve strategies."""
    names = ("greedy", *(f"s{i:02d}" for i in range(10)), "gome")
    return study(strategies=names, models=MODELS[:2], tasks=6, seeds=1, declared=declared)


def risen(low: float, high: float) -> Wins:
    """The treatment's advantage goes from one share of tasks to another as models get more capable; seeds alike."""

    def wins(m: Ints, s: Ints, t: Ints, k: Ints) -> Bools:
        share = low + (high - low) * m / 9
        tasks = t.max() + 1
        inside = (t + 0.5) / tasks < np.abs(share)  # the first tasks are those that tell the two apart
        ahead = share > 0
        return np.asarray(np.where(inside, (s == 1) == ahead, (t + m) % 2 == 0))

    return wins
