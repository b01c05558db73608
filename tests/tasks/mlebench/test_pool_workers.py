"""What befalls a worker of the grading pool, which is nobody's fault; several workers at once."""

from __future__ import annotations

import errno
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlesearch.types import GraderUnavailable
from tests.support.command import alive
from tests.support.mlebench_standin import NEAR, TRUTH, csv_of, faulty, submission
from tests.support.waiting import until


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("exit", "it ended with exit status 3 twice"),
        ("killed", "it was killed by SIGKILL twice"),
        ("hang", "it timed out at 1 s twice"),
        ("child and exit", "it ended with exit status 0 twice"),
        ("memory", "GiB of memory"),
        ("MemoryError", "it ran out of memory twice"),
    ],
)
def test_what_befalls_a_worker_is_not_the_submissions_fault(make_pool, tmp_path, fault, said):
    pool = make_pool(timeout_s=1.0 if fault == "hang" else 60.0, memory_gib=0.5)
    with pytest.raises(GraderUnavailable) as caught:
        pool.grade("faults", faulty(tmp_path, fault))
    assert said in str(caught.value)
    assert "the grader of faults could not be run" in str(caught.value)
    assert "no submission is to blame" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert alive(tmp_path) == [], "nothing is left of the workers that were lost"
    assert pool.grade("faults", submission(tmp_path, csv_of(NEAR))).score == 0.5, "the next one is another worker's"


@pytest.mark.parametrize("place", ["pool.copy_safely", "process.tempfile.mkdtemp", "process.subprocess.Popen"])
def test_a_full_disk_is_not_the_submissions_fault(make_pool, tmp_path, monkeypatch, place):
    pool = make_pool()

    def full(*args: object, **kwargs: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"mlesearch.tasks.mlebench.{place}", full)
        with pytest.raises(GraderUnavailable, match="No space left on device"):
            pool.grade("faults", submission(tmp_path, csv_of(NEAR)))
    assert alive(tmp_path) == []
    assert pool.grade("faults", submission(tmp_path, csv_of(NEAR))).score == 0.5


def test_a_lost_worker_costs_one_more_try(pool, tmp_path):
    flag = tmp_path / "flag"
    assert pool.grade("faults", faulty(tmp_path, "once", flag=str(flag))).score == 0.5
    assert flag.exists()


def test_a_worker_that_was_killed_meanwhile_is_replaced(pool, tmp_path):
    path = submission(tmp_path, csv_of(NEAR))
    assert pool.grade("faults", path).score == 0.5
    for pid in alive(tmp_path):
        os.kill(pid, 9)
    assert pool.grade("faults", path).score == 0.5


def test_what_was_left_behind_ends_with_the_worker(make_pool, tmp_path):
    with make_pool() as pool:
        pool.grade("faults", faulty(tmp_path, "child"))
        left = "a supervisor, a worker, and three that it left in sessions of their own"
        assert until(lambda: len(alive(tmp_path)) >= 5, 60), left  # one look can miss a process whose parent just ended
    assert alive(tmp_path) == []


@pytest.mark.parametrize("fault", ["tree", "chain"])
def test_processes_that_multiply_end_with_the_worker(make_pool, tmp_path, fault):
    with make_pool() as pool:
        assert pool.grade("faults", faulty(tmp_path, fault)).score == 0.5
        time.sleep(0.3)
    assert alive(tmp_path) == []


def test_an_interrupt_ends_the_worker_that_it_finds_at_work(make_pool, tmp_path, monkeypatch):
    pool = make_pool()

    def interrupted(self: object, deadline: float) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mlesearch.tasks.mlebench.process.WorkerProcess._line", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pool.grade("faults", faulty(tmp_path, "hang"))
    assert alive(tmp_path) == []
    assert pool.grade("faults", submission(tmp_path, csv_of(NEAR))).score == 0.5


def held(pids: list[int]) -> tuple[int, int]:
    """Resident kilobytes and descriptors."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * 4, sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


def test_a_thousand_grades_do_not_grow(pool, tmp_path):
    paths = [submission(tmp_path, csv_of(NEAR)), faulty(tmp_path, "invalid"), faulty(tmp_path, "huge")]
    measured = []
    for number in range(1_000):
        pool.grade("faults", paths[number % 2 if number % 100 else 2])
        if number in (99, 899, 999):  # what a huge message took may be given back with the next one only
            measured.append((held(alive(tmp_path)), len(os.listdir("/proc/self/fd")), sorted(alive(tmp_path))))
    (early, early_own, pids), ((middle, _), *_), (late, late_own, late_pids) = measured
    assert pids == late_pids, "the same worker graded all"
    assert min(middle, late[0]) - early[0] < 2_000
    assert (late[1], late_own) == (early[1], early_own)


# several at once


def test_two_pools_do_not_disturb_each_other(make_pool, tmp_path):
    pools = [make_pool(), make_pool(timeout_s=1.0)]
    path, hanging = submission(tmp_path, csv_of(NEAR)), faulty(tmp_path, "hang")
    with ThreadPoolExecutor(2) as threads:
        lost = threads.submit(pools[1].grade, "faults", hanging)
        assert [pools[0].grade("faults", path).score for _ in range(20)] == [0.5] * 20
        with pytest.raises(GraderUnavailable, match="timed out"):
            lost.result()


def test_no_more_workers_than_asked_for_are_at_work(make_pool, tmp_path):
    pool = make_pool(size=2)
    paths = [submission(tmp_path, csv_of([y + n for y in TRUTH]), f"{n}.csv") for n in range(24)]
    with ThreadPoolExecutor(6) as threads:
        scores = list(threads.map(lambda path: pool.grade("faults", path).score, paths))
    assert scores == [float(n) for n in range(24)]
    assert len(list((tmp_path / "scratch").iterdir())) <= 2


def test_a_fork_begins_anew(pool, tmp_path):
    path = submission(tmp_path, csv_of(NEAR))
    assert pool.grade("faults", path).score == 0.5
    before = alive(tmp_path)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if pool.grade("faults", path).score == 0.5 else 1
            pool.close()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert alive(tmp_path) == before, "the worker of the parent is still at work"
    assert pool.grade("faults", path).score == 0.5


def test_a_closed_pool_refuses(make_pool, tmp_path):
    pool = make_pool()
    pool.close()
    with pytest.raises(GraderUnavailable, match="have been ended"):
        pool.grade("faults", submission(tmp_path, csv_of(NEAR)))


def test_close_ends_a_worker_that_is_at_work_when_it_is_done(make_pool, tmp_path):
    pool = make_pool(timeout_s=2.0)
    threading.Timer(0.5, pool.close).start()
    with pytest.raises(GraderUnavailable):
        pool.grade("faults", faulty(tmp_path, "hang"))
    assert alive(tmp_path) == []
