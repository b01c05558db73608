"""Runs as they lie on the disk, read into plain data: their rows of the tables, and what other runs' rows take of them.

A run that has not begun has a row too: its model's capability and its task's category are those that other runs say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mlesearch.storage.cell_store import rows_of_cell
from mlesearch.storage.columns import CALLS, MEDALS, NODES, RUNS, Column
from mlesearch.storage.documents import RunFile, read_result, read_run
from mlesearch.storage.journal import JOURNAL, JournalError, begun
from mlesearch.storage.layout import RunKey
from mlesearch.study.runs.fold import fold
from mlesearch.study.runs.summary import rows_of, summarise

PlainRow = Mapping[str, object]
ColumnLists = dict[str, list[object]]
"""Rows of a table, column by column."""

StateOnDisk = Literal["ended", "failed", "begun"]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run says of its model and its task.

    Attributes:
        model: its name.
        task: its id.
        simulated: whether a simulated engineer answers.
        tier: of the model.
        capability: of the model.
        capability_source: of the model.
        no_board: whether its task has no leaderboard.
        ungraded: whether its task has no test answers.
        category: of its task; None where none is declared.
    """

    model: str
    task: str
    simulated: bool
    tier: str | None
    capability: float | None
    capability_source: str | None
    no_board: bool = False
    ungraded: bool = False
    category: str | None = None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> RunFacts:
        """As a row of the table of runs says them."""
        board, answers, category = row.get("no_board"), row.get("ungraded"), row.get("category")
        tier, capability, source = (row[name] for name in _OF_MODEL)
        known = row["model"], row["task"], row["simulated"], tier, capability, source
        return cls(*known, bool(board), bool(answers), category)

    @classmethod
    def of_run(cls, run: RunFile) -> RunFacts:
        """As a run's own file says them."""
        labels, key = run["labels"], run["key"]
        return cls(
            key["model"],
            key["task"],
            labels["simulated"],
            labels["tier"],
            labels["capability"],
            labels["capability_source"],
            labels.get("no_board", False),
            labels.get("ungraded", False),
            labels.get("category"),
        )


_OF_MODEL = ("tier", "capability", "capability_source")


@dataclass(frozen=True, slots=True)
class RunOnDisk:
    """A run that was begun.

    Attributes:
        key: its place in the grid.
        state: whether it has a result, failed, or neither.
        facts: about its model and its task.
        row: its row of the table of runs; of a run that failed what is known of it, of one that was begun nothing.
        reason: why it failed; empty where it did not.
    """

    key: RunKey
    state: StateOnDisk
    facts: RunFacts
    row: PlainRow = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RunsOnDisk:
    """Some runs that were begun, with the nodes and calls of those that ended.

    Attributes:
        runs: in the order of reading.
        nodes: rows of the table of nodes.
        calls: rows of the table of calls.
    """

    runs: list[RunOnDisk]
    nodes: ColumnLists
    calls: ColumnLists


def read_runs(folders: Sequence[Path]) -> RunsOnDisk:
    """Runs from their folders; the journal of each that ended or failed is parsed once.

    Raises:
        ConfigError: a file is damaged.
        JournalError: the journal of a run that ended is corrupt.
    """
    found = RunsOnDisk([], columns_of([], NODES), columns_of([], CALLS))
    for folder in folders:
        run = read_run(folder)
        key, facts, result = RunKey(**run["key"]), RunFacts.of_run(run), read_result(folder)
        if result is None:
            found.runs.append(RunOnDisk(key, "begun", facts))
        elif result["status"] == "failed":
            row: PlainRow = {}
            reason = result["reason"]
            if begun(folder / JOURNAL):
                try:
                    row = summarise(run, fold(folder))
                except JournalError as e:
                    reason = str(e)
            found.runs.append(RunOnDisk(key, "failed", facts, row, reason))
        else:
            rows = rows_of(run, fold(folder))
            found.runs.append(RunOnDisk(key, "ended", facts, rows.run))
            _add(found.nodes, rows.nodes, NODES)
            _add(found.calls, rows.calls, CALLS)
    return found


def read_cell(cell: Path) -> RunsOnDisk:
    """The runs in the store of a cell that did not fail, as they were folded when they ended.

    Raises:
        StoreError: the store is damaged.
    """
    found = RunsOnDisk([], columns_of([], NODES), columns_of([], CALLS))
    for _, plain in sorted(rows_of_cell(cell), key=lambda named: named[0].split("/")):
        row = plain["run"]
        key = RunKey(*(row[name] for name in ("model", "strategy", "variant", "task", "seed")))
        found.runs.append(RunOnDisk(key, "ended", RunFacts.of_row(row), row))
        _add(found.nodes, plain["nodes"], NODES)
        _add(found.calls, plain["calls"], CALLS)
    return found


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What runs say of the models and tasks of a study; of several that differ, the last one holds.

    Attributes:
        models: what is known of each.
        tasks: likewise.
    """

    models: Mapping[str, RunFacts]
    tasks: Mapping[str, Mapping[str, object]]

    @classmethod
    def of(cls, facts: Iterable[RunFacts]) -> StudyFacts:
        """Of some runs, in order."""
        models: dict[str, RunFacts] = {}
        tasks: dict[str, dict[str, object]] = {}
        for f in facts:
            models[f.model] = f
            known = tasks.setdefault(f.task, {"no_board": False, "ungraded": False, "category": None})
            known["no_board"] = known["no_board"] or f.no_board
            known["ungraded"] = known["ungraded"] or f.ungraded
            known["category"] = f.category if f.category is not None else known["category"]
        return cls(models, tasks)

    def row_without_result(self, key: RunKey, run: RunOnDisk | None, not_planned: str | None) -> PlainRow:
        """The row of a run that failed, or has not ended (or not begun) yet.

        Args:
            key: its place in the grid.
            run: as it lies on the disk; None where it does not.
            not_planned: why the design leaves it out; None where it does not.
        """
        failed = run is not None and run.state == "failed"
        row: dict[str, object] = dict.fromkeys(RUNS) | dict(run.row if run is not None else {})
        row |= dict.fromkeys(("valid", *MEDALS, "above_median", "medal_oracle"), False)
        row |= {"run_id": key.id, **key.to_json(), "status": "failed" if failed else "missing", "score": None}
        row["reason"] = run.reason if run is not None else ""
        if not failed and not_planned is not None:
            row |= {"status": "not_planned", "reason": not_planned}
        model = asdict(self.models[key.model]) if key.model in self.models else {}
        row |= {name: model.get(name) for name in ("simulated", *_OF_MODEL)}
        return row | dict(self.tasks.get(key.task, {"no_board": False, "ungraded": False, "category": None}))


def columns_of(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Column]) -> ColumnLists:
    """Rows of a table, column by column; those in stores may be of earlier versions, and lack optional ones."""
    return {name: [r.get(name) if c.optional else r[name] for r in rows] for name, c in columns.items()}


def _add(to: ColumnLists, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Column]) -> None:
    for name, values in columns_of(rows, columns).items():
        to[name] += values
