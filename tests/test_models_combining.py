"""Jobs of many threads, done together: each once, in order, whoever is interrupted."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlesearch.models.combining import Combining

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


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


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
        assert [job[1] for job in recorder.done if job[0] == thread] == list(range(101))  # type: ignore[index]


def test_what_comes_while_one_is_at_work_goes_together_and_on_a_thread_that_waits() -> None:
    recorder = Recorder()
    together = Combining(recorder)
    recorder.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(together.do, "first")
        assert recorder.begun.wait(LONG_S)
        together.hand_in("handed in")  # it does not wait for whoever is at work
        others = [pool.submit(together.do, n) for n in range(5)]
        _until(lambda: len(together._handed_in) == 6)
        recorder.gate.set()
        for waiting in (first, *others):
            waiting.result(LONG_S)
    (one, jobs), (another, rest) = recorder.batches
    assert (jobs, set(rest)) == (["first"], {"handed in", *range(5)})
    assert one != another  # the first goes its way once its own job is done


def test_a_job_that_is_handed_in_last_is_done_by_whoever_is_at_work() -> None:
    recorder = Recorder()
    together = Combining(recorder)
    recorder.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(together.do, "first")
        assert recorder.begun.wait(LONG_S)
        together.hand_in("last")
        recorder.gate.set()
        first.result(LONG_S)
    assert recorder.done == ["first", "last"]


def test_an_error_is_raised_where_it_was_waited_for_and_ends_nothing() -> None:
    recorder = Recorder()
    together = Combining(recorder)
    together.hand_in(ValueError("nobody hears"))
    with pytest.raises(ValueError, match="as meant"):
        together.do(ValueError("as meant"))
    together.do("next")
    assert recorder.done == ["next"]


def test_an_interruption_ends_the_job_of_its_own_thread_alone() -> None:
    recorder = Recorder()
    together = Combining(recorder)
    recorder.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(together.do, "first")
        assert recorder.begun.wait(LONG_S)
        interrupted = pool.submit(together.do, KeyboardInterrupt())
        _until(lambda: len(together._handed_in) == 1)
        others = [pool.submit(together.do, n) for n in range(3)]
        together.hand_in("handed in")
        _until(lambda: len(together._handed_in) == 5)
        recorder.gate.set()
        for waiting in (first, *others):
            waiting.result(LONG_S)
        with pytest.raises(KeyboardInterrupt):
            interrupted.result(LONG_S)
    assert sorted(map(str, recorder.done)) == ["0", "1", "2", "first", "handed in"]
    together.do("next")
    assert recorder.done[-1] == "next"


def test_a_thread_that_is_interrupted_while_it_waits_holds_up_nobody() -> None:
    recorder = Recorder()
    together = Combining(recorder)
    recorder.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(together.do, "first")
        assert recorder.begun.wait(LONG_S)

        def interrupt() -> None:
            _until(lambda: len(together._handed_in) == 1)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        interrupting = pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            together.do("interrupted")
        interrupting.result(LONG_S)
        others = [pool.submit(together.do, n) for n in range(3)]
        _until(lambda: len(together._handed_in) == 4)
        recorder.gate.set()
        for waiting in (first, *others):
            waiting.result(LONG_S)
    assert sorted(map(str, recorder.done)) == ["0", "1", "2", "first", "interrupted"]  # it was left to the others
