"""Jobs of many threads, done together: each once, in order, whoever is interrupted."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlesearch.models.limits import combining
from mlesearch.models.limits.combining import Combining
from tests.support.waiting import wait_for

LONG_S = 30.0


class Recorder:
    """Does jobs and remembers them; fails if two threads work at once."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, list[object]]] = []  # thread, jobs
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self._alone = threading.Lock()

    def __call__(self, jobs: Sequence[object]) -> None:
        assert self._alone.acquire(blocking=False)
        try:
            self.begun.set()
            assert self.gate.wait(LONG_S)
            for job in jobs:
                if isinstance(job, BaseException):
                    raise job
            self.batches.append((threading.get_ident(), list(jobs)))
        finally:
            self._alone.release()

    @property
    def done(self) -> list[object]:
        return [job for _, jobs in self.batches for job in jobs]

    def done_of(self, thread: int) -> list[object]:
        return [job[1] for job in self.done if isinstance(job, tuple) and job[0] == thread]


@pytest.mark.parametrize("threads", [1, 4, 32])
def test_each_job_is_done_once_and_those_of_a_thread_in_order(threads: int) -> None:
    recorder = Recorder()
    together = Combining(recorder)

    def several(thread: int) -> None:
        for n in range(100):
            if n % 3:
                together.do((thread, n))
                assert (thread, n) in recorder.done
            else:
                together.hand_in((thread, n))
        together.do((thread, 100))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(several, range(threads)))
    assert len(recorder.done) == threads * 101
    for thread in range(threads):
        assert recorder.done_of(thread) == list(range(101))


def test_what_comes_while_another_is_done_goes_together() -> None:
    recorder = Recorder()
    together = Combining(recorder)
    recorder.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(together.do, "first")
        assert recorder.begun.wait(LONG_S)
        together.hand_in("handed in")  # it does not wait
        others = [pool.submit(together.do, n) for n in range(5)]
        wait_for(lambda: len(together._handed_in) == 6)
        assert not first.done()
        recorder.gate.set()
        for waiting in (first, *others):
            waiting.result(LONG_S)
    (_, jobs), (_, rest) = recorder.batches
    assert (jobs, set(rest)) == (["first"], {"handed in", *range(5)})


def test_an_error_is_raised_by_all_that_wait_and_ends_nothing() -> None:
    recorder = Recorder()
    together = Combining(recorder)
    together.hand_in(ValueError("nobody hears"))
    together.finish()
    recorder.gate.clear()
    recorder.begun.clear()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(together.do, "first")
        assert recorder.begun.wait(LONG_S)
        both = [pool.submit(together.do, job) for job in (KeyError("as meant"), "beside it")]
        wait_for(lambda: len(together._handed_in) == 2)
        recorder.gate.set()
        first.result(LONG_S)
        errors = [waiting.exception(LONG_S) for waiting in both]
    assert [type(error) for error in errors] == [KeyError, KeyError]
    assert errors[0] is not errors[1]
    together.do("next")
    assert recorder.done == ["first", "next"]


def test_the_thread_ends_when_it_is_idle_and_another_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combining, "IDLE_S", 0.02)
    recorder = Recorder()
    together = Combining(recorder)
    together.finish()  # nothing was begun
    assert recorder.batches == []
    for n in range(20):
        together.do(n)
        time.sleep(0.01 * (n % 4))
    assert recorder.done == list(range(20))
    wait_for(lambda: together._thread is None)
    together.do("again")
    assert recorder.done[-1] == "again"


def test_what_was_handed_in_is_done_before_the_process_ends(tmp_path: Path) -> None:
    code = (
        "import sys, time; from mlesearch.models.limits.combining import Combining\n"
        "def work(jobs):\n"
        "    time.sleep(0.3); open(sys.argv[1], 'a').write(''.join(jobs))\n"
        "together = Combining(work)\n"
        "for job in 'abc': together.hand_in(job); time.sleep(0.05)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "done")], check=True, timeout=LONG_S)
    assert (tmp_path / "done").read_text() == "abc"


def test_threads_that_are_interrupted_hold_up_nobody() -> None:
    """Ctrl-C again and again, wherever the main thread is, while others hand in jobs."""
    recorder = Recorder()
    together = Combining(recorder)
    stop = threading.Event()
    counted = [0] * 4

    def busy(thread: int) -> None:
        while not stop.is_set():
            together.do((thread, counted[thread]))
            counted[thread] += 1

    def interrupts() -> None:
        for n in range(150):
            time.sleep(0.0005 * (n % 7))
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        stop.set()

    inside, interrupted = False, 0

    def interrupt(_signal: int, _frame: object) -> None:
        nonlocal inside, interrupted
        if inside:
            inside, interrupted = False, interrupted + 1
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    with ThreadPoolExecutor(5) as pool:
        working = [pool.submit(busy, thread) for thread in range(4)]
        interrupting = pool.submit(interrupts)
        while not stop.is_set():
            with contextlib.suppress(KeyboardInterrupt):
                inside = True
                while not stop.is_set():
                    together.do("main")
                    together.hand_in("main")
                inside = False
        interrupting.result(LONG_S)
        for waiting in working:
            waiting.result(LONG_S)
    signal.signal(signal.SIGINT, before)
    assert interrupted > 50
    for thread in range(4):
        assert recorder.done_of(thread) == list(range(counted[thread]))
