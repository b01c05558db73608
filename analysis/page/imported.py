"""Results of others beside a study's own: rates by MLE-bench's aggregation, on the same tasks, never pooled.

Imported rows are in no table of the study; no claim, test, interval or figure counts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlesearch.analysis.data.unranked import outcomes_of
from mlesearch.analysis.measures.boards import Board, board
from mlesearch.analysis.page.views import TableCell, View, name
from mlesearch.analysis.results import Results
from mlesearch.analysis.statistics.rates import Parity, parity
from mlesearch.analysis.text import plural
from mlesearch.storage.claim import OUTCOMES
from mlesearch.storage.imported import ImportedFile, ImportedRow

SHOWN = ("any_medal", "gold", "above_median", "valid")
"""Outcomes that are compared."""
OWN = "this study"
NOTES = 6
"""So many notes and mismatches of an import are on the page; all are in its file."""


@dataclass(frozen=True, slots=True)
class ImportRate:
    """What an import comes to, of one model and strategy.

    Attributes:
        source: name of the import; that of the study for its own runs.
        model: that they used.
        strategy: of them.
        tasks: number of tasks.
        seeds: of each.
        rates: by outcome; None where a source says nothing of it, or runs have no result.
    """

    source: str
    model: str
    strategy: str
    tasks: int
    seeds: int
    rates: dict[str, Parity | None]

    def words(self, outcome: str) -> str:
        """Mean ± SEM over seeds, in percent."""
        found = self.rates[outcome]
        if found is None:
            return "-"
        return f"{found.mean:.2f}" if found.seeds == 1 else f"{found.mean:.2f} ± {found.sem:.2f}"


def import_rates(content: ImportedFile, tasks: Sequence[str] | None = None) -> list[ImportRate]:
    """The rates of an import, by model and strategy.

    Args:
        content: of its file.
        tasks: over which; None: all of each model and strategy. Where one of them lacks some, there is no rate of it.
    """
    found = []
    for model, strategy in sorted({(row["model"], row["strategy"]) for row in content["rows"]}):
        rows = [row for row in content["rows"] if (row["model"], row["strategy"]) == (model, strategy)]
        wanted = sorted({row["task"] for row in rows} if tasks is None else tasks)
        by_task = [sorted((r for r in rows if r["task"] == task), key=lambda r: r["seed"]) for task in wanted]
        if not by_task or not all(by_task):
            continue
        rates = {outcome: _parity(by_task, outcome) for outcome in SHOWN}
        found.append(ImportRate(content["name"], model, strategy, len(wanted), min(map(len, by_task)), rates))
    return found


def _parity(by_task: Sequence[Sequence[ImportedRow]], outcome: str) -> Parity | None:
    reports = [[_has(row, outcome) for row in rows] for rows in by_task]
    if any(value is None for rows in reports for value in rows):
        return None
    return parity([[bool(value) for value in rows] for rows in reports])


def _has(row: ImportedRow, outcome: str) -> bool | None:
    """Whether a run had an outcome; None where its source says nothing of it."""
    if outcome == "valid":
        return row["valid"]
    if outcome == "above_median":
        return row["above_median"]
    if row["medal"] is None:
        return None
    return row["medal"] == "gold" if outcome == "gold" else row["medal"] != "none"


def import_frame(files: Sequence[ImportedFile]) -> pd.DataFrame:
    """All imported rows, marked, for the CSV beside the page."""
    rows = [{"imported": True, "import": content["name"], **row} for content in files for row in content["rows"]]
    columns = ["imported", "import", *sorted(ImportedRow.__required_keys__)]
    return pd.DataFrame(rows, columns=columns)


def imported_view(results: Results) -> View | None:
    """Imported rates, each followed by it and this study's own on the tasks that both have; None without imports."""
    files = results.tables.imported
    if not files:
        return None
    rows: list[tuple[TableCell, ...]] = []
    for content in files:
        for rate in import_rates(content):
            own_tasks = {
                r["task"] for r in content["rows"] if (r["model"], r["strategy"]) == (rate.model, rate.strategy)
            }
            rows.append(_row(rate, "imported", f"all {plural(rate.tasks, 'task')}"))
            shared = sorted(own_tasks & set(results.tables.runs["task"]))
            if not shared:
                continue
            on = f"{plural(len(shared), 'task')} of both"
            if len(shared) < rate.tasks:
                both = import_rates(content, shared)
                rows += [_row(r, "imported", on) for r in both if (r.model, r.strategy) == (rate.model, rate.strategy)]
            rows += [_row(own, OWN, on) for own in own_rates(results, shared)]
    heads = ("source", "model", "strategy", "tasks", "seeds", *(f"{OUTCOMES[outcome]}, %" for outcome in SHOWN))
    note = (
        "Imported rows were not run or graded here, and are in no other table, figure, test or claim of this report. "
        "Percent of tasks, mean ± SEM over seeds, by MLE-bench's own aggregation (parity): it covers the noise of "
        "runs alone. Models, budgets, hardware and signals of others differ from this study's; a dash is what a source "
        "says nothing of. Of a rate that is published without its runs, `mlesearch grim` says with which numbers of "
        "seeds it is possible."
    )
    return View("imported", note, heads, tuple(rows))


def own_rates(results: Results, tasks: Sequence[str]) -> list[ImportRate]:
    """The study's own rates on some tasks, by model and strategy; None where a run has no result."""
    runs = results.tables.runs
    runs = runs[runs["task"].isin(tasks)].reset_index(drop=True)
    possible = outcomes_of(runs)
    boards: dict[str, Board] = {o: board(runs, results.models, results.arms, o) for o in SHOWN if o in possible}
    found = []
    for m, model in enumerate(results.models.names):
        for a, arm in enumerate(results.arms):
            rates: dict[str, Parity | None] = dict.fromkeys(SHOWN)
            rates |= {o: None if b.counts.lost[m, a].any() else b.parity[m][a] for o, b in boards.items()}
            seeds = int(np.min(boards["valid"].counts.counts[m, a]))
            found.append(ImportRate(OWN, model, arm.label, len(tasks), seeds, rates))
    return found


def _row(rate: ImportRate, kind: str, on: str) -> tuple[TableCell, ...]:
    source = TableCell(rate.source if kind == OWN else f"{rate.source} (imported)", kind="name")
    cells = [TableCell(rate.words(o), key=_key(rate.rates[o])) for o in SHOWN]
    return (
        source,
        name(rate.model),
        name(rate.strategy),
        TableCell(on, kind="text"),
        TableCell(str(rate.seeds)),
        *cells,
    )


def _key(found: Parity | None) -> str:
    return "-inf" if found is None else repr(found.mean)


def score_view(files: Sequence[ImportedFile]) -> View | None:
    """Scores of imported runs of which nothing is known of medals; None where there are none."""
    rows = []
    for content in files:
        keys = {(r["model"], r["strategy"], r["task"]) for r in content["rows"] if r["medal"] is None}
        for model, strategy, task in sorted(keys):
            own = [r for r in content["rows"] if (r["model"], r["strategy"], r["task"]) == (model, strategy, task)]
            scores = [float(r["score"]) for r in own if r["score"] is not None and r["valid"]]
            mean = float(np.mean(scores)) if scores else float("nan")
            sem = float(np.std(scores, ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else None
            shown = "–" if not scores else f"{mean:.5g}" if sem is None else f"{mean:.5g} ± {sem:.2g}"
            kinds = " and ".join(sorted({r["kind"] for r in own}))
            rows.append(
                (
                    name(f"{content['name']} (imported)"),
                    name(model),
                    name(strategy),
                    name(task),
                    TableCell(kinds, kind="text"),
                    TableCell(f"{len(scores)} of {len(own)}"),
                    TableCell(shown, key=repr(mean) if scores else "-inf"),
                )
            )
    heads = ("source", "model", "strategy", "task", "scored on", "valid runs", "score")
    note = (
        "Scores of sources that have no medals, mean ± SEM over valid runs. `validation` is the program's own score, "
        "of rows that it chose itself: it can't be compared with a test score."
    )
    return View("imported-scores", note, heads, tuple(rows)) if rows else None


def remarks(files: Sequence[ImportedFile]) -> str:
    """What has to be known of the imports, in sentences; empty where nothing."""
    return " ".join(_remarks(files))


def _remarks(files: Sequence[ImportedFile]) -> Iterator[str]:
    for content in files:
        said = [*content["notes"], *content["mismatches"]]
        if content["mismatches"]:
            yield (
                f"{content['name']}: {plural(len(content['mismatches']), 'grade')} of the source not that of its score "
                "by the table of thresholds; the source's counts."
            )
        if said:
            more = f"; and {len(said) - NOTES} more" if len(said) > NOTES else ""
            yield f"{content['name']}: {'; '.join(said[:NOTES])}{more}."
