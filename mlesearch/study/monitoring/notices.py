"""Who is told what becomes of a study: a command of the user's gets one JSON object on its standard input.

It is told of the end of a launch, of the first failure of a kind, of a worker that stands still, and when 80 % of the
study's budget, or of a cell's, are spent. Each is told once, by whichever worker makes its file in <study>/notices
first. A command that fails or hangs costs its notice and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from mlesearch.storage.files import make_folder
from mlesearch.storage.processes import gone
from mlesearch.storage.worker_files import read_attempts, read_workers
from mlesearch.study.monitoring.standing import StudyStatus
from mlesearch.study.monitoring.status import SILENT_S, read_status
from mlesearch.types import MlesearchError

NOTICES = "notices"
EVERY_S = 60.0
"""How often a worker looks whether there is something to tell."""
LONGEST_S = 30.0
"""What the command may take at the end of a launch, which waits for it."""

_AT_WORK = ("working", "paused", "stopping")

NoticeKind = Literal["end", "failure", "stall", "budget"]


class Notices:
    """What one process tells of a study. It never waits for the command, but at the end."""

    def __init__(
        self,
        study: Path,
        command: str | None,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is told yet.

        Args:
            study: its folder.
            command: for the shell; None: nobody is told.
            say: is told what is wrong with the command.
            clock: seconds.
        """
        self._study, self._command, self._say, self._clock = study, command, say, clock
        self._looked_s = clock()
        self._running: list[subprocess.Popen[bytes]] = []

    def look(self, worker_id: str) -> None:
        """Tell what is new, if this worker is the one that does: the first of those that are at work."""
        self._reap()
        if self._command is None or self._clock() - self._looked_s < EVERY_S:
            return
        self._looked_s = self._clock()
        now_s = time.time()
        heard = [w for w in read_workers(self._study) if w.activity != "ended" and now_s - w.beat_s < SILENT_S]
        living = [w for w in heard if not gone(w.owner)]
        if living and living[0].id != worker_id:
            return
        with contextlib.suppress(OSError, MlesearchError):
            found = read_status(self._study)
            for kind, key, content in self._due(found):
                self._tell(kind, key, found, content)

    def end(self, worker_id: str = "", *, stopped: bool = False) -> None:
        """A launch or a worker is done: tell what came of it, unless others go on, and wait for the command.

        The same end is told once; what ends again after more was done is another one, even where the counts are equal.

        Args:
            worker_id: of the worker; empty for a launch.
            stopped: it was stopped before nothing was left to do.
        """
        if self._command is None:
            return
        with contextlib.suppress(OSError, MlesearchError):
            found = read_status(self._study)
            for kind, key, content in self._due(found):
                self._tell(kind, key, found, content)
            others = [w for w in found.workers if w.standing in _AT_WORK and w.state.id != worker_id]
            if not found.missing or not (stopped or others):
                self._tell("end", _end_of(found), found, {})
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LONGEST_S)
        self._reap()

    def _due(self, found: StudyStatus) -> Iterator[tuple[NoticeKind, str, dict[str, Any]]]:
        """What is worth telling, each with what makes it the same notice the next time."""
        for failed in found.failures:
            first = {"run_id": failed.run_ids[0], "runs": len(failed.run_ids), "reason": failed.reason}
            log = failed.log and str(failed.log.absolute())
            where = {"error_class": failed.error_class, "host": failed.host, "log": log}
            yield "failure", re.sub(r"\d+", "#", failed.reason), first | where
        for worker in (*found.stalled, *found.broken_off):
            runs = list(found.left_by(worker))
            known = {"worker": worker.state.id, "host": worker.state.host, "job": worker.state.job, "run_ids": runs}
            yield "stall", worker.state.id, known | {"standing": worker.standing, "heard_s": worker.heard_s}
        for budget in found.budgets:
            if budget.nearly_spent and budget.cell:
                told = {"cell": budget.cell, "cell_usd": budget.limit_usd, "usd_of_cell": budget.usd}
                yield "budget", f"{budget.cell} {budget.limit_usd!r}", told
            elif budget.nearly_spent:
                yield "budget", f"{budget.limit_usd!r}", {"study_usd": budget.limit_usd}

    def _tell(self, kind: NoticeKind, key: str, found: StudyStatus, content: dict[str, Any]) -> None:
        if not self._first(kind, key):
            return
        told = {
            "event": kind,
            "study": found.name,
            "folder": str(found.folder.absolute()),
            "planned": len(found.runs),
            "ended": found.count("ended"),
            "failed": found.count("failed"),
            "missing": found.missing,
            "usd": found.usd,
            "simulated": found.simulated,
            **content,
        }
        try:
            process = subprocess.Popen(
                self._command or "",
                shell=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._running.append(process)
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError), process.stdin:
                    process.stdin.write(json.dumps(told).encode() + b"\n")
        except OSError as error:
            self._say(f"warning: notify.command can't be run ({error.strerror})")

    def _first(self, kind: NoticeKind, key: str) -> bool:
        """Whether nobody has told it before."""
        make_folder(self._study / NOTICES)
        digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:16]
        try:
            os.close(os.open(self._study / NOTICES / f"{kind}-{digest}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True

    def _reap(self) -> None:
        for process in list(self._running):
            code = process.poll()
            if code is None:
                continue
            self._running.remove(process)
            if code:
                self._say(f"warning: notify.command ended with exit code {code}")


def _end_of(found: StudyStatus) -> str:
    """What makes it the same end: what became of the runs, how often that was found out, and what it has cost.

    Attempts that money or the user ended count for nothing: a worker that is started again and again without money ends
    as it did before. A result is there a little before the index has its attempt.
    """
    attempts = Counter(a.run_id for a in read_attempts(found.folder) if a.status not in ("unpaid", "interrupted"))
    done = sum(max(attempts[run_id], run.state in ("ended", "failed")) for run_id, run in found.runs.items())
    return f"{found.count('ended')} {found.count('failed')} {found.missing} {done} {found.usd:.6f}"
