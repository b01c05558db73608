"""Runs without a result, and runs that never had a program: how many, with which model and strategy, and why.

A run that failed or that is missing has no result. A run that ended without one program, because every reply was
unusable or because its budget was spent before, has a result (it found nothing), but it is no search that looked and
found nothing. Where no run of a model and strategy was a search, or all their programs failed for one and the same
reason, nothing can be compared with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.arrays import Flags, Floats, Ints
from mlesearch.analysis.data.claim import Arm, Models
from mlesearch.analysis.data.codes import RowGroups, arm_codes, run_rows
from mlesearch.analysis.data.columns import coded, numbers, one_of, places_of
from mlesearch.analysis.data.reasons import UNUSABLE, Reasons, head, of_program, ordered, shortened
from mlesearch.analysis.data.tables import has_result

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
    programs = _Programs.of(runs, nodes)
    ran = _Runs.of(runs)
    cell = places_of(runs["model"], models.names) * len(arms) + arm_codes(runs, arms)
    parts = RowGroups.of(cell, len(models.names) * len(arms))
    found = []
    for m, model in enumerate(models.names):
        for a, arm in enumerate(arms):
            rows = parts[m * len(arms) + a]
            if rows.size:
                found.append(_cell(model, arm.label, rows, ran, programs))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Runs:
    """How each run ended, all of shape (runs,).

    Attributes:
        done: whether it has a result.
        failed: whether it failed.
        valid: whether what it handed in was.
        cost_usd: 0 where that is not known.
        reasons: empty where there is none.
        ended: how, or nothing.
    """

    done: Flags
    failed: Flags
    valid: Flags
    cost_usd: Floats
    reasons: npt.NDArray[np.object_]
    ended: npt.NDArray[np.object_]

    @classmethod
    def of(cls, runs: pd.DataFrame) -> _Runs:
        """Of the table."""
        return cls(
            has_result(runs).to_numpy(dtype=bool),
            one_of(runs["status"], "failed"),
            runs["valid"].to_numpy(dtype=bool),
            np.nan_to_num(numbers(runs["cost_usd"]), nan=0.0),
            _texts(runs, "reason"),
            _texts(runs, "ended"),
        )


def _texts(frame: pd.DataFrame, name: str) -> npt.NDArray[np.object_]:
    """A column of texts, empty ones where there is none."""
    place, texts = _coded_texts(frame, name)
    return texts[place]


def _coded_texts(frame: pd.DataFrame, name: str) -> tuple[Ints, npt.NDArray[np.object_]]:
    """The same as places among some texts, of which the last is empty and stands where there is none."""
    none = np.full(len(frame), -1), np.empty(0, dtype=object)
    place, texts = coded(frame[name]) if name in frame.columns else none
    return place, np.append(texts, "").astype(object)


@dataclass(frozen=True, slots=True)
class _Programs:
    """What became of each run's programs.

    Attributes:
        count: shape (runs,): nodes that are programs.
        any_valid: shape (runs,): whether any of them was valid.
        nodes: rows of the table of nodes, by run.
        is_program: shape (nodes,).
        reason: shape (nodes,): the place of each one's reason among `texts`; -1 where it has none.
        texts: of reasons.
    """

    count: Ints
    any_valid: Flags
    nodes: RowGroups
    is_program: Flags
    reason: Ints
    texts: npt.NDArray[np.object_]

    @classmethod
    def of(cls, runs: pd.DataFrame, nodes: pd.DataFrame) -> _Programs:
        """Of the tables."""
        row = run_rows(nodes, runs)
        is_program = ~one_of(nodes["status"], UNUSABLE)
        valid = nodes["valid"].eq(True).fillna(False).to_numpy(dtype=bool)
        known = row >= 0
        return cls(
            np.bincount(row[known & is_program], minlength=len(runs)),
            np.bincount(row[known & is_program & valid], minlength=len(runs)) > 0,
            RowGroups.of(row, len(runs)),
            is_program,
            *_coded_texts(nodes, "reason"),
        )

    def reasons(self, rows: Ints) -> list[str]:
        """Why nodes came to nothing; empty where that is not said."""
        return [str(reason) for reason in self.texts[self.reason[rows]]]

    def why_failed(self, rows: Ints) -> Counter[str]:
        """The reasons of all programs of some runs."""
        found: Counter[str] = Counter()
        for row in rows.tolist():
            own = self.nodes[row]
            found.update(map(of_program, self.reasons(own[self.is_program[own]])))
        return found


def _cell(model: str, arm: str, rows: Ints, ran: _Runs, made: _Programs) -> CellRuns:
    """What became of the runs of a cell; `rows` are their places in the table."""
    done = ran.done[rows]
    gone, failed = rows[~done], rows[~done & ran.failed[rows]]
    planned, rows = rows.size, rows[done]
    programs = int(made.count[rows].sum())
    any_valid = bool(ran.valid[rows].any()) or bool(made.any_valid[rows].any())
    bare = rows[made.count[rows] == 0]
    why_without: Counter[str] = Counter()
    steps = 0
    for row in bare.tolist():
        own = made.nodes[row]
        if not own.size:
            why_without[f"ended before its first step ({ran.ended[row] or 'unknown end'})"] += 1
            continue
        steps += own.size
        why_without.update(map(head, made.reasons(own)))
    alike = ""
    if not any_valid and programs >= _ALIKE and len(why := made.why_failed(rows)) == 1:
        alike = next(iter(why))
    return CellRuns(
        model,
        arm,
        planned,
        failed.size,
        gone.size - failed.size,
        ordered(Counter(shortened(str(reason)) for reason in ran.reasons[failed])),
        bare.size,
        steps,
        ordered(why_without),
        programs,
        alike,
        float(ran.cost_usd[gone].sum()),
    )
