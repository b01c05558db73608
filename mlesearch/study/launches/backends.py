"""Workers of a launch started on a cluster of dask's or ray's, or on one that they start on this machine.

Which cluster is theirs to say: `DASK_SCHEDULER_ADDRESS` and `RAY_ADDRESS` name one, else one is started here for the
launch. A worker that is lost is started again elsewhere, by their own retries; what it had begun goes on there. Their
own tasks are used, since a pool of joblib's over them ends with the first worker that is lost.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any

from mlesearch.analysis.text import plural
from mlesearch.config.planning.checks import DASK, RAY
from mlesearch.config.settings import Settings
from mlesearch.storage.machine import processors
from mlesearch.study.launches.remote import RemoteWork, work_on_study
from mlesearch.study.output import complain, say
from mlesearch.types import ConfigError

_LOST = 20
"""A worker that is lost so often is not started again."""
_FIRST_WORKER_S = 300


def carry_out_under(backend: str, work: RemoteWork, s: Settings) -> None:
    """Have workers carry out a launch on a cluster; returns when all of them have ended.

    Each has one slot. What came of it stands on the disk: a worker that can't be started, or is lost too often, ends no
    other.

    Args:
        backend: dask or ray.
        work: of the launch.
        s: of the launch: how many workers there are at one time, -1 for one for each processor that the cluster has
            now, and what each of them needs.

    Raises:
        ConfigError: the cluster can't be reached.
    """
    work = replace(work, terms=replace(work.terms, jobs=1))
    (_under_dask if backend == DASK else _under_ray)(work, s)


def _under_dask(work: RemoteWork, s: Settings) -> None:
    dask: Any = import_module("dask")  # as Any: it is an extra, and may be absent where types are checked
    distributed: Any = import_module("distributed")
    address, workers = dask.config.get("scheduler-address", None), s.launcher.n_jobs
    try:
        with _children_ignore_sigint():
            if address:
                client = distributed.Client(address)
            else:
                count = processors() if workers == -1 else workers
                client = distributed.Client(n_workers=count, threads_per_worker=1, dashboard_address=None)
        client.wait_for_workers(1, timeout=_FIRST_WORKER_S)
    except (OSError, TimeoutError) as error:
        raise ConfigError(f"launcher.backend: no dask scheduler with workers answers at {address}: {error}") from None
    with client:
        count = sum(client.nthreads().values()) if workers == -1 else workers
        say(f"{plural(count, 'worker')} on the dask cluster {client.scheduler.address}")
        at = replace(work, side_by_side=0 if address else count)
        for future in [client.submit(work_on_study, at, pure=False) for _ in range(count)]:
            for _ in range(_LOST):
                try:
                    future.result()
                except distributed.KilledWorker:  # it was lost so often that the scheduler gave it up
                    future = client.submit(work_on_study, at, pure=False)
                except Exception as error:
                    complain(_lost(DASK, error))
                    break
                else:
                    break


def _under_ray(work: RemoteWork, s: Settings) -> None:
    ray: Any = import_module("ray")
    address, cpus, workers = os.environ.get("RAY_ADDRESS"), s.sandbox.cpu_count, s.launcher.n_jobs
    try:
        with _children_ignore_sigint():
            ray.init(address or "local", logging_level="ERROR", **({} if address else {"include_dashboard": False}))
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"launcher.backend: no ray cluster answers at {address or 'this machine'}: {error}") from None
    try:
        count = max(1, int(ray.cluster_resources().get("CPU", 1)) // cpus) if workers == -1 else workers
        say(f"{plural(count, 'worker')} on the ray cluster {ray.get_runtime_context().gcs_address}")
        at = replace(work, side_by_side=0 if address else count)
        task = ray.remote(num_cpus=cpus, num_gpus=s.sandbox.gpus, max_retries=_LOST)(work_on_study)
        for each in [task.remote(at) for _ in range(count)]:
            try:
                ray.get(each)
            except ray.exceptions.RayError as error:
                complain(_lost(RAY, error))
    finally:
        ray.shutdown()


def _lost(backend: str, error: Exception) -> str:
    line = next((text.strip() for text in str(error).splitlines() if text.strip()), "")
    return f"warning: {backend} lost a worker for good ({type(error).__name__}: {line}); the others went on"


@contextmanager
def _children_ignore_sigint() -> Iterator[None]:
    """Processes that start in here inherit that Ctrl-C is ignored: the launch decides what becomes of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
