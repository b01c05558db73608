"""A run's own log: who was at work on it when and where, how each attempt ended, and what was odd meanwhile.

<run>/run.log has one line an entry, for people to read:

    2026-11-29T19:41:01Z node-7 job 4711 worker node-7-812-9f2c1a: attempt 2: began

It is no part of the run's state: nothing that decides reads it, and where it can't be written the run goes on.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

from mlesearch.storage.files import open_file, write_whole
from mlesearch.storage.worker_files import WorkerState
from mlesearch.types import printable

RUN_LOG = "run.log"
_BEGAN = re.compile(r": attempt ([1-9][0-9]{0,8}): began$")


def log_run(run: Path, state: WorkerState, attempt: int, text: str) -> None:
    """Add an entry to the log of a run, which has a folder; a disk that does not take it is no fault of the run.

    Args:
        run: its folder.
        state: of the worker that says it.
        attempt: which attempt at the run this is, from 1.
        text: what happened, e.g. "began", "ended: ok", "failed: ...", "warning: ...".
    """
    job = f" job {state.job}" if state.job else ""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    said = " ".join(printable(text).split())
    line = f"{now} {state.host}{job} worker {state.id}: attempt {attempt}: {said}\n"
    with contextlib.suppress(OSError):
        fd = open_file(run / RUN_LOG, os.O_WRONLY | os.O_APPEND)
        try:
            write_whole(fd, line.encode(), run / RUN_LOG)
        finally:
            os.close(fd)


def read_log(run: Path) -> list[str]:
    """The entries of a run's log, oldest first; none where there is no log."""
    try:
        return (run / RUN_LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def next_attempt(run: Path) -> int:
    """Which attempt at a run the next one is, from 1: by its log, which all of its workers write."""
    return 1 + max((int(found[1]) for line in read_log(run) if (found := _BEGAN.search(line))), default=0)
