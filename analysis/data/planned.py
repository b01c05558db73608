"""Planned inequality: runs that the design leaves out, which are no runs that are missing.

An adaptive design gives some models more seeds than others, or stops a group by a rule that was declared beforehand.
In the table of runs such a hole has a row of its own, with the status `not_planned` and the reason why
(`mlesearch.storage.layout.note_not_planned` says it of a study's runs; `mlesearch collect` writes the rows). So a
table still has one row for each model, strategy, variant, task and seed, and a hole that nobody meant is refused.

What follows from it in a report:

- the rows are taken away before anything is counted: they are no failures, they bound nothing, and no policy for
  missing runs is about them;
- a rate is the mean over tasks of h_t / K_t with whatever K_t a task has; its intervals allow unequal K_t;
- the parity line is cut to the smallest K_t of the cell, and says so;
- a strategy that is not planned at all with a model has no rate with it; the gap, the slope and the crossover of a pair
  are over the models that it is planned with, and so is the family of their tests;
- a task must be planned in every planned cell: one that is not is left out for all, and named.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mlesearch.analysis.data.reasons import Reasons, ordered, reasons_text, shortened
from mlesearch.analysis.data.tables import CELL, Tables, of_runs
from mlesearch.analysis.text import plural
from mlesearch.types import ConfigError

NOT_PLANNED = "not_planned"
"""Status of the row of a run that the design leaves out."""


@dataclass(frozen=True, slots=True)
class NotPlanned:
    """What the design leaves out.

    Attributes:
        runs: how many rows.
        why: their reasons, with counts.
        tasks: left out for all, since some planned cell has no run of them; sorted.
    """

    runs: int = 0
    why: Reasons = ()
    tasks: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """One sentence for the report; empty where nothing is left out."""
        if not self.runs:
            return ""
        said = f"{plural(self.runs, 'run')} not run by design ({reasons_text(self.why) or 'no reason recorded'})"
        said += ", so that cells may have unequal numbers of seeds; these are no missing runs"
        if self.tasks:
            named = ", ".join(self.tasks[:6]) + (f" and {len(self.tasks) - 6} more" if len(self.tasks) > 6 else "")
            said += f"; left out for all, since not planned in every cell: {named}"
        return said


def planned_part(tables: Tables) -> tuple[Tables, NotPlanned]:
    """The runs that are planned, and what the design leaves out.

    Args:
        tables: validated.

    Raises:
        ConfigError: no run is planned, or no task is planned in every cell that has a planned run.
    """
    runs = tables.runs
    out = runs["status"] == NOT_PLANNED
    if not out.any():
        return tables, NotPlanned()
    reasons = [str(reason) for reason in runs.loc[out, "reason"].fillna("")] if "reason" in runs.columns else []
    kept = runs[~out]
    cells = len(kept[list(CELL)].drop_duplicates())
    per_task = kept[["task", *CELL]].drop_duplicates()["task"].value_counts()
    tasks = set(per_task.index[per_task == cells])
    if not tasks:
        what = "no run is planned" if kept.empty else "no task is planned in every model and strategy that has runs"
        raise ConfigError(f"table runs: {what}; plan at least one task with a seed in each of them")
    lacking = tuple(sorted(set(kept["task"]) - tasks))
    note = NotPlanned(int(out.sum()), ordered(Counter(map(shortened, reasons))), lacking)
    return of_runs(tables, set(kept.loc[kept["task"].isin(sorted(tasks)), "run_id"])), note
