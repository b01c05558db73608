"""Why: what runs did on their way, and whether runs that did more of it were more often successful.

All of it is read from the tables alone. An association is within runs of the same model on the same task; it is no
effect: nothing of what a run does is assigned at random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from mlesearch.analysis.data.arrays import Flags, Floats, Ints
from mlesearch.analysis.data.claim import Arm, Models
from mlesearch.analysis.data.codes import arm_codes, run_rows
from mlesearch.analysis.data.columns import coded, numbers, one_of, places_of
from mlesearch.analysis.data.outcomes import succeeded
from mlesearch.analysis.data.tables import has_result
from mlesearch.analysis.data.unranked import counted
from mlesearch.analysis.measures.beyond_medals import TaskCells
from mlesearch.analysis.measures.curves import PROGRAM_OPS
from mlesearch.analysis.statistics.student import t_above, t_quantile

PROCESS: Mapping[str, str] = {
    "improvement_rate": "improvement steps that beat their base, share",
    "direction_accuracy": "hypotheses whose sign came true, share",
    "edits_kept": "judged edits that were accepted, share",
    "best_at": "step of the last better program, share of steps",
    "debug_share": "programs that mend another, share",
    "failed_share": "programs without a valid score, share",
    "depth": "longest chain of edits",
    "width": "programs that edit no other",
    "waiting_share": "waiting, share of charged time and waiting",
    "optimism": "validation − test of the submission, SD of the task",
    "regret": "best test score − that of the submission, SD of the task",
    "by_noise": "of validation's first choice: flattered by noise of one evaluation, SD of the task",
    "by_overfitting": "of the same: flattered by what the search fitted to its split, SD of the task",
    "by_shift": "of the same: fresh splits − test, SD of the task",
    "spread": "distance of its programs from each other, mean of all pairs",
    "reach": "largest distance of a program from the first",
}
"""What is measured of each run, with its name for people; what is in SD of the task looks at test scores, which no
strategy sees."""

RERUN = ("by_noise", "by_overfitting", "by_shift")
"""Of these, what is known where programs were run again on fresh splits alone."""


_RERUN_COLUMNS = ("val_first", "fresh_first", "test_first", "choice_noise")

_PROGRAM_COLUMNS = ("op", "proposal", "step", "base", "verdict", "val_score", "test_score", "valid")


@dataclass(frozen=True, slots=True)
class ProcessMean:
    """One process measure of one strategy, all models together.

    Attributes:
        measure: key of `PROCESS`.
        strategy: label.
        mean: over tasks of the mean over models and runs that have it.
        sem_tasks: its standard error over tasks (ddof 1); NaN with one task.
        tasks: number of tasks.
        runs: number of runs that have it.
    """

    measure: str
    strategy: str
    mean: float
    sem_tasks: float
    tasks: int
    runs: int


@dataclass(frozen=True, slots=True)
class Association:
    """How success goes with one process measure over runs of the same model and task.

    Attributes:
        measure: key of `PROCESS`.
        strategy: label, where runs of one strategy alone are compared; empty where those of all are.
        slope: change of the any-medal rate for one standard deviation of the measure within model and task.
        low: lower limit of its 95 % interval, clustered by task, t with tasks - 1 degrees of freedom.
        high: upper limit.
        p: two-sided, of this measure alone.
        sd: that standard deviation, in the measure's own units.
        tasks: tasks on which both vary within some model.
        runs: runs that have the measure.
    """

    measure: str
    strategy: str
    slope: float
    low: float
    high: float
    p: float
    sd: float
    tasks: int
    runs: int


def process_measures(runs: pd.DataFrame, nodes: pd.DataFrame) -> dict[str, Floats]:
    """Every measure of `PROCESS`, one number a run, shape (runs,); NaN where a run has none.

    Args:
        runs: table of runs.
        nodes: table of nodes.
    """
    row, size = run_rows(nodes, runs), len(runs)
    own = (row >= 0) & one_of(nodes["op"], *PROGRAM_OPS)
    programs = nodes[list(_PROGRAM_COLUMNS)]
    run, programs = (row, programs) if own.all() else (row[own], programs[own])
    count = np.bincount(run, minlength=size).astype(np.float64)
    valid = programs["valid"].to_numpy(dtype=bool)
    parent = _parents(programs, run)
    depth = _depths(parent)
    edits = parent >= 0
    accepted, rejected = (one_of(programs["verdict"], word) & edits for word in ("accepted", "rejected"))
    wait_s, charged_s = numbers(runs["wait_s"]), numbers(runs["charged_s"])
    found = {name: numbers(runs[name]) for name in ("improvement_rate", "direction_accuracy")}
    found["edits_kept"] = _share(run, accepted, accepted | rejected, size)
    found["best_at"] = _best_at(programs, run, valid, runs, count)
    with np.errstate(invalid="ignore", divide="ignore"):
        found["debug_share"] = np.bincount(run, one_of(programs["op"], "debug"), size) / count
        found["failed_share"] = np.bincount(run, ~valid, size) / count
    longest = np.zeros(size)
    np.maximum.at(longest, run, depth + 1.0)
    found["depth"] = np.where(count > 0, longest, np.nan)
    found["width"] = np.where(count > 0, np.bincount(run, ~edits, minlength=size), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        found["waiting_share"] = wait_s / (charged_s + wait_s)
    found |= _selection(runs, numbers(programs["test_score"]), run)
    for name in ("spread", "reach"):
        column = f"program_{name}"
        found[name] = numbers(runs[column]) if column in runs.columns else np.full(size, np.nan)
    return found


def _share(run: Ints, part: Flags, whole: Flags, size: int) -> Floats:
    """Of each run, the share of some of its nodes that are of a kind; NaN where it has none of them."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.bincount(run, part & whole, minlength=size) / np.bincount(run, whole, minlength=size)


def _parents(programs: pd.DataFrame, run: Ints) -> Ints:
    """The place of the program that each one edits; -1 where it edits none."""
    base, proposal = numbers(programs["base"]), programs["proposal"].to_numpy(dtype=np.int64)
    top = int(proposal.max(initial=0)) + 2
    key = run * top + proposal
    order = np.argsort(key, kind="stable")
    known = np.flatnonzero((base >= 0) & (base < top))
    wanted = run[known] * top + base[known].astype(np.int64)
    sorted_key = key[order]
    place = np.minimum(np.searchsorted(sorted_key, wanted), max(0, run.size - 1))
    hit = np.flatnonzero((sorted_key[place] == wanted) & (wanted != key[known]))
    found = np.full(run.size, -1, dtype=np.int64)
    found[known[hit]] = order[place[hit]]
    return found


def _depths(parent: Ints) -> Floats:
    """How many programs each one descends from, by doubling the distance that is looked back."""
    place, depth = parent.copy(), (parent >= 0).astype(np.float64)
    below = np.flatnonzero(place >= 0)  # those that still have somebody above the furthest that was looked at
    for _ in range(int(np.ceil(np.log2(max(2, parent.size)))) + 1):
        if not below.size:
            break
        above = place[below]
        depth[below], place[below] = depth[below] + depth[above], place[above]
        below = below[place[below] >= 0]
    return depth


def _best_at(programs: pd.DataFrame, run: Ints, valid: Flags, runs: pd.DataFrame, count: Floats) -> Floats:
    """The step at which each run found its last better program by validation, as a share of its steps."""
    sign = np.where(runs["lower_is_better"].to_numpy(dtype=bool), -1.0, 1.0)[run]
    score = numbers(programs["val_score"]) * sign
    counts = np.flatnonzero(valid & ~np.isnan(score) & ~one_of(programs["verdict"], "void"))
    run, score, step = run[counts], score[counts], numbers(programs["step"])[counts]
    top = np.full(len(runs), -np.inf)
    np.maximum.at(top, run, score)
    last = np.full(len(runs), np.inf)
    best = score == top[run]
    np.minimum.at(last, run[best], step[best])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.isfinite(last), last / count, np.nan)


def _selection(runs: pd.DataFrame, test: Floats, run: Ints) -> dict[str, Floats]:
    """What selection by validation promised too much, and what it missed, in the SD of the task's test scores."""
    task, tasks = coded(runs["task"])
    known = ~np.isnan(test)
    frame = pd.Series(test[known]).groupby(task[run][known]).std()
    sd = np.full(len(tasks), np.nan)
    sd[frame.index.to_numpy(dtype=np.int64)] = frame.to_numpy(dtype=np.float64)
    sign = np.where(runs["lower_is_better"].to_numpy(dtype=bool), -1.0, 1.0)
    scale = np.where(sd > 0, sd, np.nan)[task]
    selected = numbers(runs["test_selected"])
    found = {
        name: numbers(runs[name]) if name in runs.columns else np.full(len(runs), np.nan) for name in _RERUN_COLUMNS
    }
    flattered = sign * (found["val_first"] - found["fresh_first"])
    return {
        "optimism": sign * (numbers(runs["val_selected"]) - selected) / scale,
        "regret": sign * (numbers(runs["test_oracle"]) - selected) / scale,
        "by_noise": found["choice_noise"] / scale,
        "by_overfitting": (flattered - found["choice_noise"]) / scale,
        "by_shift": sign * (found["fresh_first"] - found["test_first"]) / scale,
    }


def process_means(
    found: Mapping[str, Floats], runs: pd.DataFrame, models: Models, arms: Sequence[Arm]
) -> tuple[ProcessMean, ...]:
    """Each measure by strategy.

    Args:
        found: of `process_measures`.
        runs: the same.
        models: of the study.
        arms: of the study.
    """
    codes, rows = arm_codes(runs, arms), []
    cells = TaskCells.of(runs, models, arms)
    for measure, values in found.items():
        known = ~np.isnan(values)
        if not known.any():
            continue
        table = cells.means(values)
        there = (~np.isnan(table)).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            by_task = np.nansum(table, axis=0) / there
        for a, arm in enumerate(arms):
            own = by_task[a][~np.isnan(by_task[a])]
            if own.size:
                error = float(own.std(ddof=1) / np.sqrt(own.size)) if own.size > 1 else np.nan
                count = int((known & (codes == a)).sum())
                rows.append(ProcessMean(measure, arm.label, float(own.mean()), error, own.size, count))
    return tuple(rows)


def associations(
    found: Mapping[str, Floats], runs: pd.DataFrame, models: Models, arms: Sequence[Arm]
) -> tuple[Association, ...]:
    """How any medal goes with each measure: over the runs of all strategies, and of each alone.

    Args:
        found: of `process_measures`.
        runs: the same; those without a result and those on tasks without a leaderboard are left out.
        models: of the study.
        arms: of the study.
    """
    rows = np.flatnonzero((has_result(runs) & runs.index.isin(counted(runs, "any_medal").index)).to_numpy(dtype=bool))
    if not rows.size:
        return ()
    own = runs.iloc[rows]
    won = succeeded(own, "any_medal").to_numpy(dtype=np.float64)
    task, tasks = pd.factorize(coded(own["task"])[0])  # sums over tasks are in the order of the rows
    group = places_of(own["model"], models.names) * len(tasks) + task
    arm = arm_codes(own, arms)
    made = []
    for measure, values in found.items():
        for a in range(-1, len(arms)):
            part = ~np.isnan(values[rows]) & np.asarray((arm == a) | (a < 0))
            if part.any() and (a < 0 or len(arms) > 1):
                label = arms[a].label if a >= 0 else ""
                made.append(_association(measure, label, values[rows][part], won[part], group[part], task[part]))
    return tuple(one for one in made if one is not None)


def _association(measure: str, label: str, x: Floats, y: Floats, group: Ints, task: Ints) -> Association | None:
    """The slope with an effect of each model and task left out, clustered by task; None where it is not estimable."""
    each = np.bincount(group)
    group, each = (np.cumsum(each > 0) - 1)[group], each[each > 0]
    x = x - (np.bincount(group, x) / each)[group]
    y = y - (np.bincount(group, y) / each)[group]
    degrees = x.size - each.size
    together, alone = np.bincount(task, x * y), np.bincount(task, x * x)
    vary = (alone > 1e-24) & (np.bincount(task, y * y) > 1e-24)
    tasks = int(vary.sum())
    if tasks < 2 or degrees < 1:
        return None
    sd = float(np.sqrt(alone.sum() / degrees))
    slope = together.sum() / alone.sum()
    score = together - slope * alone
    clusters = int((np.bincount(task) > 0).sum())
    error = np.sqrt((score**2).sum() * clusters / (clusters - 1)) / alone.sum()
    if not error > 0:
        return None
    reach = _quantile(clusters - 1) * error
    p = float(2.0 * t_above(abs(slope) / error, clusters - 1))
    low, high = sd * (slope - reach), sd * (slope + reach)
    return Association(measure, label, float(sd * slope), float(low), float(high), p, sd, tasks, x.size)


@lru_cache(maxsize=64)
def _quantile(df: int) -> float:
    """Of t, for an interval of 95 %."""
    return float(t_quantile(0.975, df))
