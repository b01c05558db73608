"""Runs without a result, and runs that never had a program: how many, with which model and strategy, and why.

A run that failed or that is missing has no result. A run that ended without one program, because every reply was
unusable or because its budget was spent before, has a result (it found nothing), but it is no search that looked and
found nothing. Where no run of a model and strategy was a search, or all their programs failed for one and the same
reason, nothing can be compared with them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from mlesearch.analysis.claim import Arm, Models
from mlesearch.analysis.reasons import UNUSABLE, Reasons, head, of_program, ordered, shortened
from mlesearch.analysis.tables import has_result

_ALIKE = 2
"""So many programs at least must have failed for one reason before the reason is looked for outside of them."""


@dataclass(frozen=True, slots=True)
class CellRuns:
    """What became of the runs of one strategy with one model.

    Attributes:
        model: its name.
        arm: label of the strategy.
        planned: runs that the grid holds.
        failed: runs that failed.
        missing: runs that have not begun, or not ended.
        why_failed: their reasons.
        without_program: runs that ended without one program.
        steps: of these.
        why_without: what their replies lacked, by step; or how runs ended that made no step.
        programs: of all runs with a result.
        alike: the reason for which every one of these programs failed; empty where they did not fail alike.
        lost_usd: what runs without a result have cost; 0 where that is not known.
    """

    model: str
    arm: str
    planned: int
    failed: int
    missing: int
    why_failed: Reasons
    without_program: int
    steps: int
    why_without: Reasons
    programs: int
    alike: str
    lost_usd: float

    @property
    def lost(self) -> int:
        """Runs without a result."""
        return self.failed + self.missing

    @property
    def refused(self) -> str:
        """Why nothing can be compared with this cell; empty where it can."""
        if self.lost == self.planned:
            return "no run has a result"
        if self.without_program == self.planned - self.lost:
            return "no run gave a program"
        return f"all programs failed alike: {self.alike}" if self.alike else ""


def cells(runs: pd.DataFrame, nodes: pd.DataFrame, models: Models, arms: Sequence[Arm]) -> tuple[CellRuns, ...]:
    """One a model and arm, models first; those without a row in the table are left out.

    Args:
        runs: the table of runs, before missing runs are treated by any policy.
        nodes: the table of nodes.
        models: of the study.
        arms: of the study.
    """
    by_run = _nodes_by_run(nodes)
    groups = {tuple(map(str, key)): part for key, part in runs.groupby(["model", "strategy", "variant"], sort=False)}
    found = []
    for model in models.names:
        for arm in arms:
            part = groups.get((model, arm.strategy, arm.variant))
            if part is not None:
                found.append(_cell(model, arm.label, part, by_run))
    return tuple(found)


@dataclass(slots=True)
class _RunNodes:
    """One run's nodes: the reasons of all in order, those of programs, and whether any program was valid."""

    reasons: list[str] = field(default_factory=list)
    of_programs: list[str] = field(default_factory=list)
    any_valid: bool = False


def _nodes_by_run(nodes: pd.DataFrame) -> dict[str, _RunNodes]:
    """By run; in one pass over plain values, since a table of its own for each of thousands of runs takes seconds."""
    reasons = nodes["reason"].fillna("") if "reason" in nodes.columns else pd.Series("", index=nodes.index)
    found: defaultdict[str, _RunNodes] = defaultdict(_RunNodes)
    columns = (nodes["run_id"], nodes["status"] != UNUSABLE, nodes["valid"].eq(True).fillna(False), reasons)
    for run_id, is_program, valid, reason in zip(*(column.tolist() for column in columns), strict=True):
        own = found[str(run_id)]
        own.reasons.append(str(reason))
        if is_program:
            own.of_programs.append(str(reason))
            own.any_valid = own.any_valid or bool(valid)
    return dict(found)


def _cell(model: str, arm: str, runs: pd.DataFrame, by_run: Mapping[str, _RunNodes]) -> CellRuns:
    ended = runs[has_result(runs)]
    gone = runs[~has_result(runs)]
    failed = gone[gone["status"] == "failed"]
    reasons = failed["reason"].fillna("") if "reason" in failed.columns else pd.Series("", index=failed.index)
    why_without: Counter[str] = Counter()
    why_failed_programs: Counter[str] = Counter()
    without = steps = programs = 0
    any_valid = bool(ended["valid"].any())
    ends = ended["ended"] if "ended" in ended.columns else pd.Series(None, index=ended.index, dtype=object)
    for run_id, end in zip(ended["run_id"], ends, strict=True):
        own = by_run.get(str(run_id))
        if own is not None and own.of_programs:
            programs += len(own.of_programs)
            any_valid = any_valid or own.any_valid
            why_failed_programs.update(map(of_program, own.of_programs))
            continue
        without += 1
        if own is None:
            why_without[f"ended before its first step ({end or 'unknown end'})"] += 1
            continue
        steps += len(own.reasons)
        why_without.update(map(head, own.reasons))
    alike = ""
    if not any_valid and programs >= _ALIKE and len(why_failed_programs) == 1:
        alike = next(iter(why_failed_programs))
    lost_usd = float(gone["cost_usd"].fillna(0.0).sum())
    return CellRuns(
        model,
        arm,
        len(runs),
        len(failed),
        len(gone) - len(failed),
        ordered(Counter(shortened(str(r)) for r in reasons)),
        without,
        steps,
        ordered(why_without),
        programs,
        alike,
        lost_usd,
    )
