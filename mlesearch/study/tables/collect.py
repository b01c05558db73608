"""`mlesearch collect`: a study's runs folded into the three tables that the analysis reads.

runs.parquet has one row a run that any launch asked for (one that has no result yet is `missing`) and one a run that
the design leaves out (`not_planned`), nodes.parquet one row a program, calls.parquet one row a model call. Tables that
are there already are made again of what changed since alone (`mlesearch.study.tables.collected`): each journal is
parsed once.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlesearch.analysis.text import plural
from mlesearch.storage.cell_store import exists
from mlesearch.storage.columns import CALLS, NODES, RUNS, TABLES, Column, Kind
from mlesearch.storage.documents import RUN, STUDY
from mlesearch.storage.exclusive import alone
from mlesearch.storage.files import make_folder, write_atomically
from mlesearch.storage.imported import IMPORTED_RESULTS as IMPORTED
from mlesearch.storage.layout import RunKey, declared, launches_of, not_planned
from mlesearch.storage.leases import Lease, check_held
from mlesearch.study.output import complain
from mlesearch.study.shares import in_shares
from mlesearch.study.tables.collected import (
    UNSETTLED,
    Collected,
    Known,
    KnownCell,
    Sources,
    look,
    read_record,
    write_record,
)
from mlesearch.study.tables.run_rows import (
    ColumnLists,
    PlainRow,
    RunOnDisk,
    RunsOnDisk,
    StudyFacts,
    columns_of,
    read_cell,
    read_runs,
)
from mlesearch.types import ConfigError

if TYPE_CHECKING:
    import pandas as pd

_MADE = ("ok", "timeout", "failed")
"""Statuses of runs that were made: those of a table can be lost with it."""

DTYPES: Mapping[Kind, Any] = {"text": "string", "int": "Int64", "float": "Float64", "flag": "boolean"}
"""Types of the columns in memory, before they are written."""


def collect(folder: Path, into: Path | None = None) -> Path:
    """Write the three tables of a study; returns the folder that they are in.

    Tables that can't be made again are left as they are: those that came without their runs (from a colleague, or made
    by a program), or whose runs were removed.

    Args:
        folder: of the study.
        into: another folder for the tables, and for what else a report needs of a study, where nothing can be written
            in the study's own; None: its own.

    Raises:
        ConfigError: there is no study in this folder; or some runs of its tables are gone and others are new, so that
            neither the tables as they are nor new ones would hold all results.
        JournalError: a run's journal is corrupt.
    """
    known, now = _known(folder), look(folder)
    if known is not None and known.made_from(now):
        return folder if into is None else _beside(folder, into)
    made = _made(folder, known, now)
    if into is not None:
        return _write_tables(folder, into, made, None)
    with alone(folder, "tables") as lease:  # of two that look at different moments, one would mix its with the other's
        meanwhile = _known(folder)
        if meanwhile != known:
            made = _made(folder, meanwhile, look(folder))
        return _write_tables(folder, None, made, lease)


def _write_tables(folder: Path, into: Path | None, made: _Tables, lease: Lease | None) -> Path:
    if _kept(folder, made.frames[0]):
        return folder if into is None else _beside(folder, into)
    place = folder if into is None else _beside(folder, into)
    digests = {}
    for name, frame in zip(TABLES, made.frames, strict=True):
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        check_held(lease)
        write_atomically(place / f"{name}.parquet", buffer.getvalue(), durable=False)
        digests[name] = hashlib.sha256(buffer.getvalue()).hexdigest()
    if place == folder:
        check_held(lease)
        write_record(folder, replace(made.sources, tables=digests))
    return place


def collect_for_report(study: Path, page: Path) -> Path:
    """Write the tables of a study whose report goes somewhere; returns the folder that they are in.

    That is the study's folder, or the page's own where nothing can be written in the study's.

    Args:
        study: its folder.
        page: the HTML file.

    Raises:
        ConfigError: as `collect`; or nothing can be written in the study, and the page is to go there or into another.
        JournalError: as `collect`.
    """
    if not study.is_dir() or os.access(study, os.W_OK):
        return collect(study)
    place = page.parent
    if place.absolute().is_relative_to(study.absolute()):
        raise ConfigError(f"{study}: nothing can be written in this study; name a folder for its report: --out DIR")
    there, own = place / STUDY, study / STUDY
    if (there.is_file() and there.read_bytes() != own.read_bytes()) or (
        not there.exists() and (place / "runs.parquet").exists()
    ):
        raise ConfigError(f"{place} holds another study, whose tables would be lost; name another folder: --out DIR")
    return collect(study, place)


def _beside(study: Path, into: Path) -> Path:
    """Make a folder that a report can be made in: the study's header, imported results, and tables that are there."""
    make_folder(into)
    for name in (STUDY, *(f"{table}.parquet" for table in TABLES)):
        if (study / name).is_file():
            write_atomically(into / name, (study / name).read_bytes(), durable=False)
    if (study / IMPORTED).is_dir():
        shutil.copytree(study / IMPORTED, into / IMPORTED, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return into


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
            f"{file} has {plural(len(gone), 'run')} whose folders are not here ({gone[0]}), and lacks "
            f"{plural(len(new), 'run')} that ended ({new[0]}): tables made now would lose the former; "
            "restore their folders, or move the three tables away"
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
    """Runs, nodes and calls of a study, as they stand on disk now.

    Raises:
        ConfigError: there is no study in this folder.
        JournalError: a run's journal is corrupt.
    """
    return _made(study, _known(study), look(study)).frames


def _known(study: Path) -> Collected | None:
    """What the tables that are there were made from, if that can be told."""
    if not (study / STUDY).exists():
        raise ConfigError(f"{study}: no study here (no study.json); name the folder that a launch wrote")
    return read_record(study)


@dataclass(frozen=True, slots=True)
class _Tables:
    """Runs, nodes and calls of a study, and what they were made from."""

    frames: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
    sources: Collected


def _made(study: Path, known: Collected | None, now: Sources) -> _Tables:
    """The tables: of what changed since they were made last, and of them."""
    known = known or Collected({}, "", {}, {})
    new_cells = {name: read_cell(study / name) for name, stamp in now.cells.items() if _new(known.cells, name, stamp)}
    new_runs = [study / run_id for run_id, stamp in now.runs.items() if _new(known.runs, run_id, stamp)]
    read = [*new_cells.values(), *in_shares(read_runs, new_runs)]
    on_disk = {run.key.id: run for part in read for run in part.runs}
    cells = {n: _seen(s, new_cells[n]) if n in new_cells else known.cells[n] for n, s in now.cells.items()}
    runs = {
        run_id: Known(stamp, on_disk[run_id].state, on_disk[run_id].facts) if run_id in on_disk else known.runs[run_id]
        for run_id, stamp in now.runs.items()
    }
    ended = [run_id for cell in cells.values() for run_id in cell.run_ids]
    ended += [run_id for run_id, run in runs.items() if run.state == "ended"]
    old = _old_frames(study, known, [run_id for run_id in [*ended, *runs] if run_id not in on_disk])
    if old is None:  # another process has written them meanwhile
        return _made(study, None, now)
    unfinished = [run for run in on_disk.values() if run.state != "ended"]
    unfinished += _unfinished(old[0], {run_id: run for run_id, run in runs.items() if run_id not in on_disk})
    facts = [f for cell in cells.values() for f in cell.facts] + [run.facts for run in runs.values()]
    rows = [run.row for run in on_disk.values() if run.state == "ended"]
    rows += _without_result(study, StudyFacts.of(facts), set(ended), unfinished)
    kept = old[0][old[0]["run_id"].isin(ended)]
    frames = (
        _asked_for(study, _ordered([kept, _frame(columns_of(rows, RUNS), RUNS)], None)),
        _ordered([old[1], *(_frame(part.nodes, NODES) for part in read)], ended),
        _ordered([old[2], *(_frame(part.calls, CALLS) for part in read)], ended),
    )
    return _Tables(frames, Collected({}, now.launches, runs, cells))


def _asked_for(study: Path, runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with the launch that asked for each first, which no folder of a run knows."""
    return runs.assign(launch=runs["run_id"].map(launches_of(study)).astype(DTYPES["int"]))


def _new(known: Mapping[str, Known] | Mapping[str, KnownCell], name: str, stamp: str) -> bool:
    """Whether something differs from when the tables were made, or may differ."""
    return stamp == UNSETTLED or name not in known or known[name].stamp != stamp


def _seen(stamp: str, found: RunsOnDisk) -> KnownCell:
    return KnownCell(stamp, tuple(r.key.id for r in found.runs), tuple(dict.fromkeys(r.facts for r in found.runs)))


def _old_frames(study: Path, known: Collected, run_ids: Sequence[str]) -> list[pd.DataFrame] | None:
    """The rows of some runs in the tables that are there, none of no run; None where these are other tables now."""
    import pandas as pd

    found = []
    for name, columns in TABLES.items():
        frame = _frame(columns_of([], columns), columns)
        if run_ids:
            data = (study / f"{name}.parquet").read_bytes()
            if hashlib.sha256(data).hexdigest() != known.tables[name]:
                return None
            old = pd.read_parquet(io.BytesIO(data))
            frame = old[old["run_id"].isin(run_ids)].astype(frame.dtypes.to_dict())
        found.append(frame)
    return found


def _unfinished(old: pd.DataFrame, runs: Mapping[str, Known]) -> list[RunOnDisk]:
    """Runs that have no result still, by their rows in the table that is there."""
    import pandas as pd

    some = {run_id: run for run_id, run in runs.items() if run.state != "ended"}
    found = []
    for row in old[old["run_id"].isin(some)].astype(object).to_dict("records"):
        plain: dict[str, Any] = {str(name): None if value is pd.NA else value for name, value in row.items()}
        run = some[plain["run_id"]]
        key = RunKey(*(plain[name] for name in ("model", "strategy", "variant", "task", "seed")))
        failed = run.state == "failed"
        found.append(RunOnDisk(key, run.state, run.facts, plain if failed else {}, plain["reason"] if failed else ""))
    return found


def _without_result(study: Path, known: StudyFacts, ended: set[str], unfinished: Sequence[RunOnDisk]) -> list[PlainRow]:
    """The rows of all runs that were asked for, begun or left out, and have no result."""
    begun, left_out = {run.key: run for run in unfinished}, not_planned(study)
    keys = {key.id: key for key in reversed([*declared(study), *begun, *left_out]) if key.id not in ended}
    return [known.row_without_result(key, begun.get(key), left_out.get(key)) for key in keys.values()]


def _ordered(frames: Sequence[pd.DataFrame], run_ids: Sequence[str] | None) -> pd.DataFrame:
    """Rows together, in the order of some runs; None: in that of their names."""
    import pandas as pd

    whole = pd.concat(frames, ignore_index=True)
    places = whole["run_id"] if run_ids is None else whole["run_id"].map({r: i for i, r in enumerate(run_ids)})
    return whole.iloc[places.argsort(kind="stable")].reset_index(drop=True)


def _frame(values: ColumnLists, columns: Mapping[str, Column]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: pd.array(values[name], dtype=DTYPES[c.kind]) for name, c in columns.items()})
