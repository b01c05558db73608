"""Running the runs of a cell side by side, and each of them safely.

A cell is one Hydra job; inside it joblib spreads its tasks and seeds over processes. A finished run is skipped, a begun
or failed one goes on from its journal. The first Ctrl-C lets what is in flight finish, the second stops at once. A
worker whose launcher dies stops within half a second, so that none writes on behind a launch that follows.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlesearch import __version__
from mlesearch.budgets.shared import SharedBudgetSpent
from mlesearch.config.build import build
from mlesearch.config.plan import RunPlan
from mlesearch.config.settings import recordable
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import RunStatus
from mlesearch.storage.documents import RUN, RunFile, read_run, write_result, write_run
from mlesearch.storage.journal import JournalBusy
from mlesearch.storage.layout import check_run, identity_digest
from mlesearch.storage.processes import running
from mlesearch.study.fold import fold
from mlesearch.study.summary import summarise
from mlesearch.types import MlesearchError

LIFELINE_S = 0.5


@dataclass(frozen=True, slots=True)
class RunReport:
    """What became of one run of a launch, and why.

    The status is skipped, ok, timeout, failed, interrupted, or unpaid (it fits no more into a budget that it shares).
    """

    run_id: str
    status: str
    reason: str = ""


def run_cell(runs: Sequence[RunPlan], n_jobs: int, stop_file: Path) -> list[RunReport]:
    """Carry out the runs of a cell, `n_jobs` at a time (-1: one per processor).

    Returns:
        One report a run, in the order given. Nothing is raised for a run that fails.
    """
    todo = [r for r in runs if check_run(r.folder, r.identity) != "finished"]
    done = {r.key.id: RunReport(r.key.id, "skipped") for r in runs if r not in todo}
    jobs = min(len(todo), (os.cpu_count() or 1) if n_jobs == -1 else n_jobs)
    if jobs <= 1:
        for run in todo:
            done[run.key.id] = execute_run(run, stop_file)
    else:
        replays = all(run.recorded is not None for run in todo)
        try:
            for report in (_in_forks if replays else _in_workers)(todo, jobs, stop_file):
                done[report.run_id] = report
        except BaseException as e:
            if isinstance(e, KeyboardInterrupt):
                raise
            lost = f"a worker process ended abruptly ({type(e).__name__}); run again to go on"
            for run in todo:
                done.setdefault(run.key.id, RunReport(run.key.id, "failed", lost))
    return [done.get(r.key.id, RunReport(r.key.id, "interrupted")) for r in runs]


def _in_workers(todo: Sequence[RunPlan], jobs: int, stop_file: Path) -> Iterator[RunReport]:
    """Runs in fresh processes, which share nothing with this one."""
    from joblib import Parallel, delayed

    launcher = os.getpid()
    parallel = Parallel(
        n_jobs=jobs,
        backend="loky",
        return_as="generator_unordered",
        pre_dispatch="n_jobs",
        batch_size=1,
        initializer=_become_worker,  # a worker that waits for its first run must end with the launcher too
        initargs=(launcher,),
    )
    with _workers_ignore_sigint():
        reports = parallel(delayed(execute_run)(r, stop_file, launcher) for r in todo)
    yield from reports


def _in_forks(todo: Sequence[RunPlan], jobs: int, stop_file: Path) -> Iterator[RunReport]:
    """Replays in forks of this process: each takes less time than a fresh process needs for its imports."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    launcher = os.getpid()
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(jobs, context, initializer=_become_worker, initargs=(launcher,))
    try:
        with _workers_ignore_sigint():
            futures = [pool.submit(execute_run, r, stop_file, launcher) for r in todo]
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def execute_run(run: RunPlan, stop_file: Path, launcher: int | None = None) -> RunReport:
    """One run, from wherever it stands to its end; all failures become its status.

    Args:
        run: the plan.
        stop_file: exists once the user asked to stop.
        launcher: pid of the process that launched this worker; None in the launcher itself.
    """
    if launcher is not None and launcher != os.getpid():
        _become_worker(launcher)
    if stop_file.exists():
        return RunReport(run.key.id, "interrupted")
    begun_s = time.time()
    try:
        _write_run_json(run)
        parts = build(run.settings, run.key, run.folder, identity_digest(run.identity), run.recorded)
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
    except Exception as e:
        where = traceback.extract_tb(e.__traceback__)[-1]
        with contextlib.suppress(OSError):
            (run.folder / "error.txt").write_text(traceback.format_exc())
        return _write_failure(
            run, f"{type(e).__name__}: {e} ({Path(where.filename).name} line {where.lineno}; see error.txt)", begun_s
        )


def _write_run_json(run: RunPlan) -> None:
    if (run.folder / RUN).exists():
        return
    content: RunFile = {
        "id": run.key.id,
        "key": run.key.to_json(),
        "digest": identity_digest(run.identity),
        "identity": run.identity,
        "labels": run.labels,
        "settings": recordable(run.settings),
        "mlesearch": __version__,
    }
    write_run(run.folder, content, durable=run.recorded is None)


def _write_result(run: RunPlan) -> RunReport:
    row = summarise(read_run(run.folder), fold(run.folder))
    write_result(run.folder, row, durable=run.recorded is None)  # a replay can be had again
    return RunReport(run.key.id, row["status"])


def _write_failure(run: RunPlan, reason: str, begun_s: float) -> RunReport:
    """A failed run is not finished: launched again, it goes on from its journal."""
    with contextlib.suppress(OSError):
        write_result(run.folder, {"status": "failed", "reason": reason, "real_s": round(time.time() - begun_s, 3)})
    return RunReport(run.key.id, "failed", reason)


# processes and signals


@contextmanager
def _workers_ignore_sigint() -> Iterator[None]:
    """Worker processes that start in here inherit that Ctrl-C is ignored: the launcher decides."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


_watched: set[int] = set()


def _become_worker(launcher: int) -> None:
    """End when the launcher does."""
    if launcher in _watched:
        return
    _watched.add(launcher)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent and running(launcher):
            time.sleep(LIFELINE_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="mlesearch-lifeline").start()


@contextmanager
def stoppable(stop_file: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Ctrl-C once: what is in flight finishes and nothing new begins; twice, or SIGTERM: stop at once.

    Programs that run are stopped then, and run again when the launch goes on; every reply that was paid for is kept.
    """
    presses = 0

    def pressed(signum: int, frame: object) -> None:
        nonlocal presses
        presses += 1
        if presses == 1 and signum == signal.SIGINT:
            stop_file.parent.mkdir(parents=True, exist_ok=True)
            stop_file.touch()
            say(
                "stopping: the proposals in flight finish first (Ctrl-C again stops at once; nothing journaled is lost)"
            )
        else:
            raise KeyboardInterrupt

    before = {s: signal.signal(s, pressed) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        stop_file.unlink(missing_ok=True)
