"""One run, safely: from wherever it stands to its end, whatever happens becoming its status."""

from __future__ import annotations

import contextlib
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from mlesearch import __version__
from mlesearch.budgets.shared import SharedBudgetSpent
from mlesearch.config.assemble import assemble
from mlesearch.config.plan import RunPlan
from mlesearch.config.resources import ProcessResources
from mlesearch.config.settings import recordable
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import RunStatus
from mlesearch.storage import file_systems
from mlesearch.storage.codec import Json
from mlesearch.storage.documents import RUN, RunFile, read_run, write_result, write_run
from mlesearch.storage.files import write_atomically
from mlesearch.storage.journal import JournalBusy
from mlesearch.storage.layout import identity_digest
from mlesearch.storage.leases import Lease, LeaseLost, check_held
from mlesearch.study.fold import fold
from mlesearch.study.summary import summarise
from mlesearch.types import MlesearchError


@dataclass(frozen=True, slots=True)
class RunReport:
    """What became of one run of a launch, and why.

    The status is skipped, ok, timeout, failed, interrupted, unpaid (it fits no more into a budget that it shares), or
    lost (another process may work on it now; this one has written nothing more).
    """

    run_id: str
    status: str
    reason: str = ""


def execute_run(run: RunPlan, stop_file: Path, resources: ProcessResources, lease: Lease | None = None) -> RunReport:
    """One run, from wherever it stands to its end; all failures become its status.

    Args:
        run: the plan.
        stop_file: exists once the user asked to stop.
        resources: of this process.
        lease: of the run, which somebody beats; None: its journal's lock is all that keeps others off.
    """
    try:
        return _execute(run, stop_file, resources, lease)
    except LeaseLost as e:
        return RunReport(run.key.id, "lost", str(e))


def _execute(run: RunPlan, stop_file: Path, resources: ProcessResources, lease: Lease | None) -> RunReport:
    if stop_file.exists():
        return RunReport(run.key.id, "interrupted")
    begun_s = time.time()
    try:
        check_held(lease)
        _write_run_json(run)
        parts = assemble(run, resources, lease)
        try:
            end = Engine(parts, should_stop=stop_file.exists).run()
        finally:
            parts.folder.close()
        if end.status is RunStatus.INTERRUPTED:
            return RunReport(run.key.id, "interrupted")
        check_held(lease)
        return _write_result(run)
    except LeaseLost:
        raise
    except JournalBusy as e:
        return RunReport(run.key.id, "failed", str(e))  # the folder is another process's to write
    except SharedBudgetSpent as e:
        return RunReport(run.key.id, "unpaid", str(e))  # not a failure of the run, which can go on later
    except MlesearchError as e:
        return _write_failure(run, str(e), begun_s, lease)
    except OSError as e:
        if file_systems.is_fault(e):  # the disk's fault and nobody's error: one line, and the run goes on later
            return _write_failure(run, file_systems.in_words(e), begun_s, lease)
        return _unexpected(run, e, begun_s, lease)
    except Exception as e:
        return _unexpected(run, e, begun_s, lease)


def _unexpected(run: RunPlan, error: Exception, begun_s: float, lease: Lease | None) -> RunReport:
    check_held(lease)
    where = traceback.extract_tb(error.__traceback__)[-1]
    with contextlib.suppress(OSError):
        write_atomically(run.folder / "error.txt", traceback.format_exc())
    at = f"{Path(where.filename).name} line {where.lineno}; see error.txt"
    return _write_failure(run, f"{type(error).__name__}: {error} ({at})", begun_s, lease)


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
    return RunReport(run.key.id, row["status"])


def _write_failure(run: RunPlan, reason: str, begun_s: float, lease: Lease | None) -> RunReport:
    """A failed run is not finished: launched again, it goes on from its journal."""
    check_held(lease)
    with contextlib.suppress(OSError):
        write_result(run.folder, {"status": "failed", "reason": reason, "real_s": round(time.time() - begun_s, 3)})
    return RunReport(run.key.id, "failed", reason)
