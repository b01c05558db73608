"""How far an unfinished study is: counts of what was made, and no figure that looks final.

A study is unfinished while a planned run was not made. A verdict then would rest on runs that happened to be first (of
one arm, of easy tasks, of the first seeds), and one that is looked for again at every look is right by chance more
often than its error rate says. So there is none, and no interval either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from mlesearch.analysis.data.claim import Arm, Models
from mlesearch.analysis.data.codes import RowGroups, arm_codes
from mlesearch.analysis.data.outcomes import succeeded
from mlesearch.analysis.data.tables import Tables, has_result
from mlesearch.analysis.data.unranked import counted


@dataclass(frozen=True, slots=True)
class CellProgress:
    """How far the runs of one strategy with one model are.

    Attributes:
        model: its name.
        strategy: label of the arm.
        planned: runs that the grid holds.
        ended: of these, runs with a result.
        failed: runs that failed, and go on when they are launched again.
        rated: runs with a result on tasks that the outcome is about.
        successes: of these, runs with the outcome.
        cost_usd: what all its runs have cost so far; NaN where no price is known.
        tokens: input and output tokens of its runs so far.
        charged_h: charged time so far, hours.
    """

    model: str
    strategy: str
    planned: int
    ended: int
    failed: int
    rated: int
    successes: int
    cost_usd: float
    tokens: int
    charged_h: float

    @property
    def to_come(self) -> int:
        """Runs that were not made: not begun, or not ended."""
        return self.planned - self.ended - self.failed


@dataclass(frozen=True, slots=True)
class StudyProgress:
    """How far a study is.

    Attributes:
        outcome: key of `OUTCOMES` that successes are counted by.
        cells: those that the design has, models first.
        planned: runs of the whole study.
        made: runs that ended or failed.
        rounds: whether these are the first rounds of seeds, each of them complete.
    """

    outcome: str
    cells: tuple[CellProgress, ...]
    planned: int
    made: int
    rounds: bool

    @property
    def to_come(self) -> int:
        """Planned runs that were not made."""
        return self.planned - self.made


def progress(tables: Tables, models: Models, arms: Sequence[Arm], outcome: str) -> StudyProgress:
    """How far a study is.

    Args:
        tables: of its planned runs.
        models: in display order.
        arms: in display order.
        outcome: key of `OUTCOMES`.
    """
    runs = tables.runs
    places = {model: i for i, model in enumerate(models.names)}
    codes = runs["model"].map(places).to_numpy(dtype=np.int64) * len(arms) + arm_codes(runs, arms)
    parts = RowGroups.of(codes, len(models.names) * len(arms))
    cells = tuple(
        _cell(model, arm.label, runs.iloc[rows], outcome)
        for m, model in enumerate(models.names)
        for a, arm in enumerate(arms)
        if (rows := parts[m * len(arms) + a]).size
    )
    made = sum(c.ended + c.failed for c in cells)
    return StudyProgress(outcome, cells, tables.planned or len(runs), made, tables.planned > 0)


def _cell(model: str, arm: str, runs: pd.DataFrame, outcome: str) -> CellProgress:
    done = has_result(runs)
    rated = counted(runs[done], outcome)
    tokens = sum(int(runs[column].fillna(0).sum()) for column in ("tokens_in", "tokens_out"))
    known = runs["cost_usd"].dropna()
    return CellProgress(
        model,
        arm,
        len(runs),
        int(done.sum()),
        int((runs["status"] == "failed").sum()),
        len(rated),
        int(succeeded(rated, outcome).sum()),
        float(known.sum()) if len(known) else np.nan,
        tokens,
        float(runs["charged_s"].fillna(0.0).sum()) / 3600.0,
    )


def frame(found: StudyProgress) -> pd.DataFrame:
    """The same as a table, for a CSV file."""
    return pd.DataFrame([{**asdict(cell), "outcome": found.outcome, "to_come": cell.to_come} for cell in found.cells])
