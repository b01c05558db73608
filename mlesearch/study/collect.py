"""`mlesearch collect`: a study's runs folded into the three tables that the analysis reads.

runs.parquet has one row a run that any launch asked for (one that has no result yet is `missing`) and one a run that
the design leaves out (`not_planned`), nodes.parquet one row a program, calls.parquet one row a model call.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlesearch.storage.cell_store import cells, exists, rows_of_cell
from mlesearch.storage.columns import CALLS, MEDALS, NODES, RUNS, TABLES, Column, Kind, RunRow
from mlesearch.storage.documents import RUN, STUDY, RunFailure, read_result, read_run
from mlesearch.storage.files import write_atomically
from mlesearch.storage.journal import JOURNAL, JournalError, begun
from mlesearch.storage.layout import RunKey, declared, not_planned, run_folders
from mlesearch.storage.leases import alone
from mlesearch.study.fold import fold
from mlesearch.study.output import complain
from mlesearch.study.summary import Rows, rows_of, summarise
from mlesearch.types import ConfigError

if TYPE_CHECKING:
    import pandas as pd

_MADE = ("ok", "timeout", "failed")
"""Statuses of runs that were made: those of a table can be lost with it."""

DTYPES: Mapping[Kind, Any] = {"text": "string", "int": "Int64", "float": "Float64", "flag": "boolean"}
"""Types of the columns in memory, before they are written."""


def collect(folder: Path) -> Path:
    """Write the three tables of a study; returns its folder.

    Tables that can't be made again are left as they are: those that came without their runs (from a colleague, or made
    by a program), or whose runs were removed.

    Raises:
        ConfigError: there is no study in this folder; or some runs of its tables are gone and others are new, so that
            neither the tables as they are nor new ones would hold all results.
        JournalError: a run's journal is corrupt.
    """
    _check_study(folder)
    with alone(folder, "tables") as lease:  # of two that read at different moments, one would mix its with the other's
        made = tables(folder)
        if _kept(folder, made[0]):
            return folder
        for name, frame in zip(TABLES, made, strict=True):
            buffer = io.BytesIO()
            frame.to_parquet(buffer, index=False)
            lease.check()
            write_atomically(folder / f"{name}.parquet", buffer.getvalue(), durable=False)
    return folder


def _check_study(study: Path) -> None:
    if not (study / STUDY).exists():
        raise ConfigError(f"{study}: no study here (no study.json); name the folder that a launch wrote")


def _kept(study: Path, made: pd.DataFrame) -> bool:
    """Whether the tables that lie in a study hold results that new ones would lose.

    Args:
        study: its folder.
        made: the table of runs as it would be written.
    """
    file = study / "runs.parquet"
    if not file.is_file():
        return False
    old = _results(file)
    have = set(made.loc[made["status"].isin(_MADE), "run_id"])
    gone = sorted(run_id for run_id in set(old) - have if not exists(study / run_id / RUN))
    if not gone:
        return False
    new = sorted(set(made.loc[made["status"].isin(["ok", "timeout"]), "run_id"]) - set(old))
    if new:
        raise ConfigError(
            f"{file} has {len(gone)} runs whose folders are not here ({gone[0]}), and {len(new)} runs that ended are "
            f"not in it ({new[0]}): tables made now would lose the former; restore their folders, or move the three "
            "tables away"
        )
    complain(f"{file.parent}: the tables are left as they are: {len(gone)} of their runs are not here ({gone[0]})")
    return True


def _results(file: Path) -> list[str]:
    """The runs of a table that have a result or failed.

    Raises:
        ConfigError: it can't be read, so that nobody knows what it holds.
    """
    import pandas as pd

    try:
        runs = pd.read_parquet(file, columns=["run_id", "status"])
    except (OSError, ValueError) as e:
        raise ConfigError(f"{file} can't be read ({e}); remove it if its runs are here, else restore it") from None
    return [str(run_id) for run_id in runs.loc[runs["status"].isin(_MADE), "run_id"]]


def tables(study: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Runs, nodes and calls of a study, as they stand on disk now; each journal is folded once.

    Raises:
        ConfigError: there is no study in this folder.
        JournalError: a run's journal is corrupt.
    """
    import pandas as pd

    _check_study(study)
    rows: list[Rows] = []
    labels: dict[str, Mapping[str, object]] = {}
    unranked: set[str] = set()
    ungraded: set[str] = set()
    category: dict[str, object] = {}
    unfinished: dict[RunKey, tuple[Path, RunFailure | RunRow | None]] = {}
    runs: list[Mapping[str, object]] = []
    nodes, calls = list[pd.DataFrame](), list[pd.DataFrame]()
    for cell in cells(study):
        stored = _stored(cell)
        for r in stored:
            labels[r.run["model"]] = r.run
            unranked |= {r.run["task"]} if r.run.get("no_board", False) else set()
            category.setdefault(r.run["task"], r.run.get("category"))
        runs += [r.run for r in stored]
        nodes.append(_frame([n for r in stored for n in r.nodes], NODES))
        calls.append(_frame([c for r in stored for c in r.calls], CALLS))
    known = {row["run_id"] for row in runs}
    for folder in run_folders(study):
        if folder.relative_to(study).as_posix() in known:
            continue
        run = read_run(folder)
        labels[run["key"]["model"]] = run["labels"]
        unranked |= {run["key"]["task"]} if run["labels"].get("no_board", False) else set()
        ungraded |= {run["key"]["task"]} if run["labels"].get("ungraded", False) else set()
        if "category" in run["labels"]:
            category[run["key"]["task"]] = run["labels"]["category"]
        result = read_result(folder)
        if result is not None and result["status"] != "failed":
            rows.append(rows_of(run, fold(folder)))
        else:
            unfinished[RunKey(**run["key"])] = (folder, result)
    runs += [r.run for r in rows]
    have = {row["run_id"] for row in runs}
    left_out = not_planned(study)
    for key in [*declared(study), *unfinished, *left_out]:
        if key.id not in have:
            have.add(key.id)
            row = _without_result(key, labels.get(key.model), *unfinished.get(key, (None, None)))
            if key in left_out and row["status"] == "missing":
                row = {**row, "status": "not_planned", "reason": left_out[key]}
            known_of_task = {"no_board": key.task in unranked, "ungraded": key.task in ungraded}
            runs.append({**row, **known_of_task, "category": category.get(key.task)})
    runs.sort(key=lambda row: str(row["run_id"]))
    nodes.append(_frame([n for r in rows for n in r.nodes], NODES))
    calls.append(_frame([c for r in rows for c in r.calls], CALLS))
    return _frame(runs, RUNS), pd.concat(nodes, ignore_index=True), pd.concat(calls, ignore_index=True)


def _stored(cell: Path) -> list[Rows]:
    """The rows that the store of a cell holds, as they were folded when its runs ended."""
    named = sorted(rows_of_cell(cell), key=lambda named: named[0].split("/"))
    return [Rows(plain["run"], plain["nodes"], plain["calls"]) for _, plain in named]


def _without_result(
    key: RunKey, labels: Mapping[str, object] | None, folder: Path | None, result: RunFailure | RunRow | None
) -> Mapping[str, object]:
    """The row of a run that failed, or that has not ended (or not begun) yet."""
    row: dict[str, object] = dict.fromkeys(RUNS)
    reason = result["reason"] if result else ""
    if folder is not None and result is not None and begun(folder / JOURNAL):
        try:
            row |= summarise(read_run(folder), fold(folder))
        except JournalError as e:
            reason = str(e)
    row |= dict.fromkeys(("valid", *MEDALS, "above_median", "medal_oracle"), False)
    row |= {"run_id": key.id, **key.to_json()}
    row |= {"status": "failed" if result else "missing", "reason": reason, "score": None}
    known = labels or {}
    return row | {name: known.get(name) for name in ("simulated", "tier", "capability", "capability_source")}


def _frame(rows: Sequence[Mapping[str, object]], columns: Mapping[str, Column]) -> pd.DataFrame:
    import pandas as pd

    def values(name: str, column: Column) -> list[object]:
        return [r.get(name) if column.optional else r[name] for r in rows]  # rows in stores may be of earlier versions

    return pd.DataFrame({n: pd.array(values(n, c), dtype=DTYPES[c.kind]) for n, c in columns.items()})
