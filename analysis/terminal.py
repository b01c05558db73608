"""The medal table for a terminal: plain text, nothing but the numbers and what they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlesearch.analysis.data.tables import Tables
from mlesearch.analysis.data.unranked import sentence
from mlesearch.analysis.page.progress_view import lines
from mlesearch.analysis.results import Results
from mlesearch.analysis.statistics.rates import Parity
from mlesearch.analysis.text import plural
from mlesearch.analysis.words.lost_runs import lost_lines, made
from mlesearch.analysis.words.official import sentences as official_sentences
from mlesearch.storage.claim import OUTCOMES


@dataclass(frozen=True, slots=True)
class MedalRow:
    """One line: a model and a strategy.

    Attributes:
        rate: mean over tasks of the share of seeds with a medal, 0 to 1.
        parity: mean and SEM over seeds, percent; None where no run has a result, so that there is no rate.
        low: lower limit of the E2 interval, 0 to 1; NaN where not estimable.
        high: upper limit.
        runs: number of runs.
        lost: how many of them have no result.
        most: the rate if all of these had been successful.
        unequal: whether its tasks have unequal numbers of seeds, so that parity is of some of the runs.
    """

    model: str
    strategy: str
    rate: float
    parity: Parity | None
    low: float
    high: float
    runs: int
    lost: int
    most: float
    unequal: bool = False

    @property
    def words(self) -> tuple[str, str, str]:
        """Rate, SEM and interval; where runs have no result, the bounds of the rate, and how many there are."""
        if not self.runs:
            return "not planned", "-", "-"
        if self.parity is None:
            return "no result", "-", f"of {self.runs} runs"
        if self.lost:
            return f"{100 * self.rate:.1f} to {100 * self.most:.1f}", "-", f"{self.lost} of {self.runs} without result"
        sem = "-" if self.parity.seeds == 1 else f"± {self.parity.sem:.1f}"
        span = "not estimable" if np.isnan(self.low) else f"{100 * self.low:5.1f} to {100 * self.high:5.1f}"
        if self.unequal:
            return f"{100 * self.rate:.1f}", "-", span
        return f"{self.parity.mean:.1f}", sem, span


def medal_rows(results: Results, outcome: str | None = None) -> list[MedalRow]:
    """The rate of an outcome for every model and strategy, weakest model first where that is known.

    Args:
        results: of a study.
        outcome: key of `OUTCOMES`; None: the first that some task can have.
    """
    cells = next(b for b in results.boards if outcome in (None, b.outcome))
    return [
        MedalRow(
            model,
            arm.label,
            float(cells.e2.rate[m, a]),
            cells.parity[m][a],
            float(cells.e2.low[m, a]),
            float(cells.e2.high[m, a]),
            int(cells.counts.counts[m, a].sum()),
            int(cells.counts.lost[m, a].sum()),
            float(cells.counts.most[m, a]),
            bool(cells.counts.unequal[m, a]),
        )
        for m, model in enumerate(results.models.names)
        for a, arm in enumerate(results.arms)
    ]


def medal_table(results: Results, outcome: str | None = None) -> str:
    """The same as plain text of at most some 80 columns, with a line that says what each figure is.

    Of an unfinished study, how far it is in place of rates.
    """
    if results.progress is not None:
        return "\n".join([*lines(results.progress), *_of_progress(results)])
    tables, missing = results.tables, results.policy
    outcome = outcome or results.boards[0].outcome
    rows = medal_rows(results, outcome)
    title = f"{OUTCOMES[outcome]}, %"
    cells = [(row.model, row.strategy, *row.words) for row in rows]
    heads = ("model", "strategy", title, "SEM", "E2 95 % interval")
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(heads))]
    right = (False, False, True, True, True)

    def line(values: tuple[str, ...]) -> str:
        return "  ".join(
            v.rjust(w) if r else v.ljust(w) for v, w, r in zip(values, widths, right, strict=True)
        ).rstrip()

    lost, runs = sum(row.lost for row in rows), sum(row.runs for row in rows)
    first = [f"{lost:,} of {plural(runs, 'run')} {'has' if lost == 1 else 'have'} no result"] if lost else []
    out = [*first, line(heads), line(tuple("-" * w for w in widths))]
    for i, cell in enumerate(cells):
        again = i > 0 and cells[i - 1][0] == cell[0]
        out.append(line(("" if again else cell[0], *cell[1:])))
    whole = [row.parity for row in rows if row.parity is not None and not row.lost and not row.unequal]
    if whole:
        seeds = sorted({p.seeds for p in whole})
        span = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        mean = "one seed, so no SEM" if span == "1" else f"mean ± SEM over {span} seeds"
        out.append(f"{mean}; E2: Wilson interval over {plural(whole[0].tasks, 'task')} (tasks like these).")
    if any(row.unequal and row.parity is not None for row in rows):
        out.append("Where tasks have unequal numbers of seeds: mean over tasks of the share of seeds, without a SEM.")
    if results.not_planned.runs:
        out.append(f"{results.not_planned.words}.")
    if results.unfinished:
        out.append(f"{results.unfinished}; no claim is tested before all of them are there.")
    out += lost_lines(results.cells)
    if missing.missing:
        out.append(f"{missing.words}.")
    return "\n".join([*out, *_about(tables)])


def _of_progress(results: Results) -> list[str]:
    """What a reader must know of an unfinished study."""
    out = [f"{results.unfinished}; no rate is estimated and no claim tested before all of them are there."]
    if results.not_planned.runs:
        out.append(f"{results.not_planned.words}.")
    return [*out, *lost_lines(made(results)), *_about(results.tables)]


def _about(tables: Tables) -> list[str]:
    """What a reader must know of the runs whatever is shown of them."""
    out = []
    if unranked := sentence(tables.runs):
        out.append(unranked)
    out += official_sentences(tables.runs)
    if tables.imported:
        names = ", ".join(content["name"] for content in tables.imported)
        out.append(f"Imported results ({names}) stand in the report, beside these and never pooled with them.")
    if tables.simulated:
        out.append("Simulated engineers, not language models: this says nothing about any language model.")
    return out
