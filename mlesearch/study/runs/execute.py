"""One run, safely: from wherever it stands to its end, whatever happens becoming its status."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mlesearch import __version__
from mlesearch.budgets.shared import SharedBudgetSpent
from mlesearch.config.assemble import assemble
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import RunPlan
from mlesearch.config.settings import recordable
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import RunStatus
from mlesearch.storage import file_systems
from mlesearch.storage.codec import Json
from mlesearch.storage.columns import RunRow, result_status
from mlesearch.storage.documents import RUN, RunFailure, RunFile, read_run, write_result, write_run
from mlesearch.storage.files import make_folder, write_atomically
from mlesearch.storage.journal import JournalBusy
from mlesearch.storage.layout import identity_digest
from mlesearch.storage.leases import Lease, LeaseLost, check_held
from mlesearch.storage.worker_files import ErrorClass
from mlesearch.study.runs.failures import error_class_of
from mlesearch.study.runs.fold import fold
from mlesearch.study.runs.summary import summarise
from mlesearch.types import MlesearchError

ReportStatus = Literal["skipped", "ok", "timeout", "failed", "interrupted", "unpaid", "lost", "missing"]


@dataclass(frozen=True, slots=True)
class RunReport:
    """What became of one run of a launch, and why.

    The status is skipped (it had its result), ok, timeout, failed, interrupted, unpaid (it fits no more into a budget
    that it shares), lost (its worker ended, or its lease is another's), or missing (no worker could carry it out).

    Attributes:
        run_id: of the run.
        status: what became of it.
        reason: why, where it has no result.
        error_class: of a failure: whether it may pass by itself.
        host: name of the machine on which that was; empty where it is not known.
        result: the content of its result.json, where this process has it.
        disk_full: it failed because a disk was full, and nothing was written of that.
    """

    run_id: str
    status: ReportStatus
    reason: str = ""
    error_class: ErrorClass = field(default="", compare=False)
    host: str = field(default="", compare=False)
    result: RunRow | RunFailure | None = field(default=None, compare=False, repr=False)
    disk_full: bool = field(default=False, compare=False)


def execute_run(
    run: RunPlan,
    should_stop: Callable[[], bool],
    resources: ProcessResources,
    lease: Lease | None = None,
    *,
    may_retry: bool = False,
) -> RunReport:
    """One run, from wherever it stands to its end; all failures become its status.

    Args:
        run: the plan.
        should_stop: whether the user asked to stop.
        resources: of this process.
        lease: of the run; None where no other process may be at work on it.
        may_retry: whether a failure that may pass is tried again, so that nothing is written of it yet.
    """
    if should_stop():
        return RunReport(run.key.id, "interrupted")
    begun_s, unexpected = time.time(), ""
    try:
        check_held(lease)
        _write_run_json(run)
        parts = assemble(run, resources, lease)
        try:
            end = Engine(parts, should_stop=should_stop).run()
        finally:
            parts.folder.close()
        if end.status is RunStatus.INTERRUPTED:
            return RunReport(run.key.id, "interrupted")
        check_held(lease)
        return _write_result(run)
    except LeaseLost as e:
        return _lost(run, e)
    except JournalBusy as e:
        return RunReport(run.key.id, "failed", str(e), error_class_of(e))  # the folder is another process's to write
    except SharedBudgetSpent as e:
        return RunReport(run.key.id, "unpaid", str(e))  # not a failure of the run, which can go on later
    except MlesearchError as e:
        report = _failed(run, str(e), e)
    except OSError as e:
        if file_systems.is_fault(e):  # the disk's fault and nobody's error: one line, and the run goes on later
            report = _failed(run, file_systems.in_words(e), e)
        else:
            report = _unexpected(run, e)
            unexpected = traceback.format_exc()
    except (Exception, SystemExit, GeneratorExit) as e:  # a plug-in may end its process: not this one
        report = _unexpected(run, e)
        unexpected = traceback.format_exc()
    try:
        check_held(lease)
    except LeaseLost as e:
        return _lost(run, e)
    if unexpected:
        with contextlib.suppress(OSError):
            write_atomically(run.folder / "error.txt", unexpected)
    if not (report.disk_full or (may_retry and report.error_class == "transient")):
        write_failure(run, report.reason, time.time() - begun_s)
    return report


def _lost(run: RunPlan, error: LeaseLost) -> RunReport:
    """Another process may work on it now; this one has written nothing more."""
    return RunReport(run.key.id, "lost", str(error), "lost")


def _failed(run: RunPlan, reason: str, error: BaseException) -> RunReport:
    return RunReport(run.key.id, "failed", reason, error_class_of(error), disk_full=file_systems.is_full(error))


def _unexpected(run: RunPlan, error: BaseException) -> RunReport:
    where = traceback.extract_tb(error.__traceback__)[-1]
    at = f"{Path(where.filename).name} line {where.lineno}; see error.txt"
    return _failed(run, f"{type(error).__name__}: {error} ({at})", error)


def run_file(run: RunPlan, settings: Json | None = None) -> RunFile:
    """The content of a run's run.json.

    Args:
        run: the plan.
        settings: its settings as plain data; None: they are made anew.
    """
    return {
        "id": run.key.id,
        "key": run.key.to_json(),
        "digest": identity_digest(run.identity),
        "identity": run.identity,
        "labels": run.labels,
        "settings": recordable(run.settings) if settings is None else settings,
        "mlesearch": __version__,
    }


def _write_run_json(run: RunPlan) -> None:
    if not (run.folder / RUN).exists():
        write_run(run.folder, run_file(run), durable=run.recorded is None)


def _write_result(run: RunPlan) -> RunReport:
    row = summarise(read_run(run.folder), fold(run.folder))
    write_result(run.folder, row, durable=run.recorded is None)  # a replay can be had again
    return RunReport(run.key.id, result_status(row["status"]), result=row)


def write_failure(run: RunPlan, reason: str, real_s: float) -> None:
    """Say in a run's folder that it failed. It is not finished: launched again, it goes on from its journal.

    Args:
        run: the plan.
        reason: why, in words.
        real_s: wall-clock time of this attempt, seconds.
    """
    with contextlib.suppress(OSError):
        make_folder(run.folder)
        write_result(run.folder, {"status": "failed", "reason": reason, "real_s": round(real_s, 3)})
