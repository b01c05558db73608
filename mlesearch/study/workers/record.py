"""What a worker writes of itself while it works: its file, and the index of the attempts that ended with it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mlesearch.storage.worker_files import (
    BEAT_S,
    LeftRuns,
    RunAttempt,
    SlotState,
    WorkerActivity,
    WorkerState,
    append_attempts,
    write_worker,
)

_LEAST_APART_S = 1.0
"""Changes that come faster than this are written together."""


class WorkerRecord:
    """The one writer of a worker's files. A disk that does not take them ends no work: it is tried again."""

    def __init__(self, study: Path | None, state: WorkerState, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is written yet.

        Args:
            study: its folder; None: nothing is written.
            state: of the worker, as it begins.
            clock: seconds.
        """
        self.state = state
        self._study, self._clock = study, clock
        self._unwritten: list[RunAttempt] = []
        self._written_s = float("-inf")
        self._changed = True
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Within it a thread of its own writes the beats, for a process that is busy with a run itself."""
        over = threading.Event()

        def beat_on() -> None:
            while not over.wait(BEAT_S):
                with self._turn:
                    self._write_state()

        thread = threading.Thread(target=beat_on, name="mlesearch-worker-beats", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def ended(self, attempts: Sequence[RunAttempt]) -> None:
        """Attempts ended with this worker."""
        if not attempts:
            return
        self._unwritten += attempts
        costs = [a.usd for a in attempts]
        usd = None if self.state.usd is None or None in costs else self.state.usd + sum(c for c in costs if c)
        self.state = replace(self.state, usd=usd, n_ended=self.state.n_ended + len(attempts))
        self._changed = True
        self._write_attempts()

    def leaves(self, why: str, run_ids: Sequence[str]) -> None:
        """The worker leaves runs to other machines; a launch that reads its file can say so."""
        before = next((left for left in self.state.left if left.why == why), LeftRuns(why))
        of = dict.fromkeys([*before.of.split("\n"), *(run_id.rpartition("/")[0] for run_id in run_ids)])
        now = LeftRuns(why, before.runs + len(run_ids), "\n".join(filter(None, of)))
        self.state = replace(self.state, left=(*(left for left in self.state.left if left.why != why), now))
        self._changed = True

    def now(
        self, slots: Sequence[SlotState], activity: WorkerActivity, why: str = "", *, changed: bool = False
    ) -> None:
        """What the worker is doing; written at changes, and at each beat.

        Args:
            slots: what each of them is doing.
            activity: of the worker.
            why: it does not work.
            changed: write it now, however short a time ago it was written.
        """
        new = replace(self.state, slots=tuple(slots), activity=activity, why=why)
        self._changed |= new != self.state
        self.state = new
        age_s = self._clock() - self._written_s
        if changed or age_s >= BEAT_S or (self._changed and age_s >= _LEAST_APART_S):
            self._write_attempts()
            with self._turn:
                self._write_state()

    def due_s(self) -> float:
        """Seconds until `now` has something to write."""
        apart_s = _LEAST_APART_S if self._changed else BEAT_S
        return max(0.0, apart_s - (self._clock() - self._written_s))

    def _write_state(self) -> None:
        self.state = replace(self.state, beat_s=time.time(), beats=self.state.beats + 1)
        self._written_s = self._clock()
        with contextlib.suppress(OSError):
            if self._study is not None:
                write_worker(self._study, self.state)
            self._changed = False

    def _write_attempts(self) -> None:
        if self._unwritten:
            with contextlib.suppress(OSError):
                if self._study is not None:
                    append_attempts(self._study, self.state.id, self._unwritten)
                self._unwritten = []
