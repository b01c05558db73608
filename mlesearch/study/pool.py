"""Worker processes: each carries out one run after the other, owns what it keeps, and ends when its launcher does.

A worker whose launcher dies stops within half a second, so that none writes on behind a launch that follows.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlesearch.config.assemble import warm_up
from mlesearch.config.plan import RunPlan
from mlesearch.config.resources import ProcessResources
from mlesearch.storage.processes import running
from mlesearch.study.execute import RunReport, execute_run
from mlesearch.study.simulated_runs import carry_out, chunks

LIFELINE_S = 0.5
GC_THRESHOLD = 50_000
"""Of a fork that carries out runs on a virtual clock: they make many objects and hardly a circle."""

_of_worker: list[ProcessResources] = []
"""In a worker process its own, for its life: nothing else outlives one run and is found by the next."""

_runs_of_worker: list[RunPlan] = []
"""In a fork, all runs of its launch."""


def in_workers(todo: Sequence[RunPlan], jobs: int, stop_file: Path) -> Iterator[RunReport]:
    """Runs in fresh processes, which share nothing with this one; they have ended when the last report is given."""
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor

    parallel = Parallel(
        n_jobs=jobs,
        backend="loky",
        return_as="generator_unordered",
        pre_dispatch="n_jobs",
        batch_size=1,
        initializer=_become_worker,  # a worker that waits for its first run must end with the launcher too
        initargs=(os.getpid(),),
    )
    try:
        with _workers_ignore_sigint():
            reports = parallel(delayed(_carry_out)(r, stop_file) for r in todo)
        yield from reports
    finally:
        get_reusable_executor(reuse=True).shutdown()


def in_forks(todo: Sequence[RunPlan], jobs: int, stop_file: Path, resources: ProcessResources) -> Iterator[RunReport]:
    """Replays in forks of this process: each takes less time than a fresh process needs for its imports."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(jobs, context, initializer=_become_worker, initargs=(os.getpid(), resources))
    try:
        with _workers_ignore_sigint():
            futures = [pool.submit(_carry_out, r, stop_file) for r in todo]
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def in_chunks(todo: Sequence[RunPlan], jobs: int, stop_file: Path, resources: ProcessResources) -> Iterator[RunReport]:
    """Runs on a virtual clock, a chunk at a time: in forks of this process, or in it where one job is asked for.

    What is loaded is loaded before the forks are made, and is theirs. A fork that ends abruptly takes its chunk along:
    those runs are reported as failed, and begin anew when they are launched again.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    numbered = chunks(todo)
    jobs = min(jobs, len(numbered))
    if jobs <= 1:
        for numbers in numbered:
            yield from carry_out([todo[i] for i in numbers], stop_file.exists, resources)
        return
    warm_up(todo, resources)
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(jobs, context, initializer=_become_worker, initargs=(os.getpid(), resources, todo))
    try:
        with _workers_ignore_sigint():
            futures = {pool.submit(_carry_out_chunk, numbers, stop_file): numbers for numbers in numbered}
        for future in as_completed(futures):
            error = future.exception()
            if error is None:
                yield from future.result()
                continue
            lost = f"a worker process ended abruptly ({type(error).__name__}); run again to go on"
            yield from (RunReport(todo[i].key.id, "failed", lost) for i in futures[future])
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _become_worker(launcher: int, inherited: ProcessResources | None = None, todo: Sequence[RunPlan] = ()) -> None:
    """Own what this process keeps, and end when the launcher does.

    Args:
        launcher: its process id.
        inherited: of the process that it is a fork of; None: it is a fresh one.
        todo: the runs that it may be given by their numbers; a fork has them already.
    """
    if todo:
        _runs_of_worker.extend(todo)
        gc.freeze()  # what is the launcher's stays: no collection has to look through it
        gc.set_threshold(GC_THRESHOLD)
    resources = inherited or ProcessResources()
    _of_worker.append(resources)
    atexit.register(resources.close)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent and running(launcher):
            time.sleep(LIFELINE_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="mlesearch-lifeline").start()


def _carry_out_chunk(numbers: Sequence[int], stop_file: Path) -> list[RunReport]:
    """Some runs, in a worker that knows them by their numbers."""
    return list(carry_out([_runs_of_worker[i] for i in numbers], stop_file.exists, _of_worker[-1]))


def _carry_out(run: RunPlan, stop_file: Path) -> RunReport:
    """One run, in a worker."""
    return execute_run(run, stop_file, _of_worker[-1])


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
