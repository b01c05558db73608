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
from mlesearch.study.fold import fold
from mlesearch.study.summary import summarise
from mlesearch.types import MlesearchError


@dataclass(frozen=True, slots=True)
class RunReport:
    """What became of one run of a launch, and why.

    The status is skipped, ok, timeout, failed, interrupted, or unpaid (it fits no more into a budget that it shares).
    """

    run_id: str
    status: str
    reason: str = ""


def execute_run(run: RunPlan, stop_file: Path, resources: ProcessResources) -> RunReport:
    """One run, from wherever it stands to its end; all failures become its status.

    Args:
        run: the plan.
        stop_file: exists once the user asked to stop.
        resources: of this process.
    """
    if stop_file.exists():
        return RunReport(run.key.id, "interrupted")
    begun_s = time.time()
    try:
        _write_run_json(run)
        parts = assemble(run, resources)
        try:
            end = Engine(parts, should_stop=stop_file.exists).run()
        finally:
            parts.folder.close()
        if end.status is RunStatus.INTERRUPTED:
            return RunReport(run.key.id, "interrupted")
        return _write_result(run)
    except JournalBusy as e:
        return RunReport(run.key.id, "failed", str(e))  # the folder is another process's to write
    except SharedBudgetSpent as e:
        return RunReport(run.key.id, "unpaid", str(e))  # not a failure of the run, which can go on later
    except MlesearchError as e:
        return _write_failure(run, str(e), begun_s)
    except OSError as e:
        if file_systems.is_fault(e):  # the disk's fault and nobody's error: one line, and the run goes on later
            return _write_failure(run, file_systems.in_words(e), begun_s)
        return _unexpected(run, e, begun_s)
    except Exception as e:
        return _unexpected(run, e, begun_s)


def _unexpected(run: RunPlan, error: Exception, begun_s: float) -> RunReport:
    where = traceback.extract_tb(error.__traceback__)[-1]
    with contextlib.suppress(OSError):
        write_atomically(run.folder / "error.txt", traceback.format_exc())
    at = f"{Path(where.filename).name} line {where.lineno}; see error.txt"
    return _write_failure(run, f"{type(error).__name__}: {error} ({at})", begun_s)


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


def _write_failure(run: RunPlan, reason: str, begun_s: float) -> RunReport:
    """A failed run is not finished: launched again, it goes on from its journal."""
    with contextlib.suppress(OSError):
        write_result(run.folder, {"status": "failed", "reason": reason, "real_s": round(time.time() - begun_s, 3)})
    return RunReport(run.key.id, "failed", reason)
