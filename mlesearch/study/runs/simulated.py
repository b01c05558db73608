"""Runs on a virtual clock, carried out in chunks: each chunk is one transaction in the store of its cell.

Such a run takes milliseconds, so it is whole or absent: one that was cut off begins anew. Workers are forks of the
launcher, which has loaded tasks and worlds already, and are told which runs to carry out by their numbers alone.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from mlesearch.config.assemble import assemble
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import RunPlan
from mlesearch.config.settings import recordable
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import RunStatus
from mlesearch.engine.virtual.folder import MemoryFolder
from mlesearch.storage import cell_store
from mlesearch.storage.cell_store import FAILED, StoredRun
from mlesearch.storage.codec import Json, dumps
from mlesearch.storage.columns import result_status
from mlesearch.storage.documents import RESULT, RUN
from mlesearch.storage.file_systems import is_full
from mlesearch.storage.files import make_folder
from mlesearch.storage.leases import Lease, LeaseLost, check_held
from mlesearch.storage.worker_files import ErrorClass
from mlesearch.study.runs.execute import RunReport, run_file
from mlesearch.study.runs.failures import error_class_of
from mlesearch.study.runs.fold import folded
from mlesearch.study.runs.summary import rows_of
from mlesearch.types import MlesearchError

CHUNK = 25
"""Runs of a chunk: few enough that progress is seen, many enough that the store is seldom waited for."""


def chunks(runs: Sequence[RunPlan], size: int = CHUNK) -> list[range]:
    """Numbers of the runs of each chunk; all of a chunk belong to one cell."""
    found = []
    at = 0
    for _, members in groupby(runs, key=lambda r: r.key.cell):
        end = at + sum(1 for _ in members)
        found += [range(i, min(i + size, end)) for i in range(at, end, size)]
        at = end
    return found


def carry_out(
    runs: Sequence[RunPlan],
    should_stop: Callable[[], bool],
    resources: ProcessResources,
    lease: Lease | None = None,
) -> Iterator[RunReport]:
    """Carry out the runs of a chunk, and put them into the store of their cell once all are done.

    Args:
        runs: of one cell; at least one.
        should_stop: looked at before each run.
        resources: of this process.
        lease: of the chunk; None where no other process may be at work on it.
    """
    settings = recordable(runs[0].settings)
    done: list[StoredRun] = []
    reports: list[RunReport] = []
    for run in runs:
        if should_stop():
            reports.append(RunReport(run.key.id, "interrupted"))
            continue
        stored, reason = _carried_out(run, resources, settings if run.settings is runs[0].settings else None)
        done.append(stored)
        row = None if stored.rows is None else stored.rows["run"]
        error_class: ErrorClass = "permanent" if reason else ""
        reports.append(RunReport(run.key.id, stored.status, reason, error_class, result=row))
    if done:
        cell = runs[0].folder.parent.parent
        try:
            make_folder(cell)
            check_held(lease)
            cell_store.put(cell, done)
        except LeaseLost as error:
            reports = [r if r.status == "interrupted" else RunReport(r.run_id, "lost", str(error)) for r in reports]
        except (MlesearchError, OSError) as error:
            kind, full = error_class_of(error), is_full(error)
            reports = [
                r if r.status == "interrupted" else RunReport(r.run_id, FAILED, str(error), kind, disk_full=full)
                for r in reports
            ]
    yield from reports


def _carried_out(run: RunPlan, resources: ProcessResources, settings: Json | None) -> tuple[StoredRun, str]:
    """One run, and why it failed; empty where it did not."""
    try:
        return simulate(run, resources, settings), ""
    except MlesearchError as error:
        return _failure(run, str(error), {}), str(error)
    except (Exception, SystemExit) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({Path(where.filename).name} line {where.lineno}; see error.txt)"
        return _failure(run, reason, {"error.txt": traceback.format_exc().encode()}), reason


def simulate(run: RunPlan, resources: ProcessResources, settings: Json | None = None) -> StoredRun:
    """One run from its beginning to its end, in memory.

    Args:
        run: the plan.
        resources: of this process.
        settings: as plain data, where they are at hand.

    Raises:
        MlesearchError: a strategy or a setting that does not work.
    """
    content = run_file(run, settings)
    parts = assemble(run, resources)
    end = Engine(parts).run()
    folder = parts.folder
    if end.status is RunStatus.INTERRUPTED or not isinstance(folder, MemoryFolder):
        raise TypeError("a run on a virtual clock ends by itself, and is kept in memory")
    found = folded(run.folder, folder.journal.header, folder.journal.written, folder.grades)
    rows = rows_of(content, found, folder.blobs)
    files = {RUN: _line(content), **folder.files(), RESULT: _line(rows.run)}
    plain = {"run": rows.run, "nodes": rows.nodes, "calls": rows.calls}
    return StoredRun(_name(run), result_status(rows.run["status"]), content["digest"], plain, files)


def store_failure(run: RunPlan, reason: str) -> None:
    """Say in the store of its cell that a run failed; a store that can't take it has that run begun again."""
    cell = run.folder.parent.parent
    with contextlib.suppress(MlesearchError, OSError):
        make_folder(cell)
        cell_store.put(cell, [_failure(run, reason, {})])


def _failure(run: RunPlan, reason: str, beside: dict[str, bytes]) -> StoredRun:
    content = run_file(run)
    result = {"status": FAILED, "reason": reason, "real_s": 0.0}
    files = {RUN: _line(content), RESULT: _line(result), **beside}
    return StoredRun(_name(run), FAILED, content["digest"], None, files)


def _line(content: Mapping[str, object]) -> bytes:
    """A file of JSON in one line: it is made fast, and nobody looks at it as it lies."""
    return f"{dumps(content)}\n".encode()


def _name(run: RunPlan) -> str:
    return f"{run.folder.parent.name}/{run.folder.name}"
