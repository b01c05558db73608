"""Launches whose workers are started on clusters of dask's and ray's, on this machine.

What is not installed is skipped.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import slow_study
from tests.support.command import MLESEARCH, cli
from tests.support.journals import journals, once_each, same_tables
from tests.support.launched import quiet
from tests.support.slow_study import SlowLaunch, SlowStudy, supervisors
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
MODULES = {"dask": "distributed", "ray": "ray"}


@pytest.fixture(params=sorted(MODULES))
def backend(request: pytest.FixtureRequest) -> str:
    if importlib.util.find_spec(MODULES[request.param]) is None:
        pytest.skip(f"{request.param} is not installed here: pip install 'mlesearch[{request.param}]'")
    return str(request.param)


@pytest.fixture
def launched(slow: SlowStudy, backend: str, tmp_path: Path) -> Iterator[SlowLaunch]:
    slow.calls_take(1.0)
    words = [*slow.words, "launcher.n_jobs=2", f"launcher.backend={backend}"]
    found = SlowLaunch(MLESEARCH, tmp_path, words, slow.env)
    try:
        at_work = until(lambda: len(supervisors(found.study)) == 2 and all_begun(found.study, 2), 200)
        assert at_work, found.said()
        yield found
    finally:
        found.kill()


def all_begun(study: Path, count: int) -> bool:
    """Whether so many runs have got somewhere."""
    return sum(len(lines) > 3 for lines in journals(study).values()) >= count


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def children_of(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


@pytest.mark.parametrize("victim", ["slot", "worker", "worker of the cluster"])
def test_what_is_killed_is_started_again_and_goes_on(launched: SlowLaunch, slow: SlowStudy, victim: str) -> None:
    supervisor = supervisors(launched.study)[0]
    if victim == "slot":
        os.kill(children_of(supervisor)[0], signal.SIGKILL)
    elif victim == "worker":
        os.kill(supervisor, signal.SIGKILL)
    else:
        os.kill(parent_of(supervisor), signal.SIGKILL)
    assert launched.ends() == 0, launched.said()
    same_tables(slow.whole, launched.study)
    once_each(launched.study)


def test_nothing_writes_behind_a_launcher_that_was_killed(launched: SlowLaunch) -> None:
    launched.process.kill()
    launched.process.wait()
    time.sleep(5)
    before = slow_study.journaled_bytes(launched.study)
    time.sleep(5)
    assert slow_study.journaled_bytes(launched.study) == before
    assert len(slow_study.results(launched.study)) < slow_study.RUNS


def test_interrupted_once_what_is_in_flight_ends_and_the_way_on_is_named(launched: SlowLaunch, slow: SlowStudy) -> None:
    os.killpg(launched.process.pid, signal.SIGINT)  # as a terminal does
    assert launched.ends() == 130, launched.said()
    assert "run the same command again to go on" in launched.said()
    assert "Traceback" not in launched.said()
    assert len(slow_study.results(launched.study)) < slow_study.RUNS
    slow.calls_take(0.0)
    done = cli(launched.folder, "run", *slow.words, env=slow.env)
    assert done.returncode == 0, done.stderr
    same_tables(slow.whole, launched.study)
    once_each(launched.study)


def test_interrupted_twice_it_ends_at_once_and_nothing_writes_on(launched: SlowLaunch) -> None:
    os.killpg(launched.process.pid, signal.SIGINT)
    assert until(lambda: "the proposals in flight finish first" in launched.said(), 60), launched.said()
    os.killpg(launched.process.pid, signal.SIGINT)
    assert launched.ends() == 130, launched.said()
    assert "run the same command again to go on" in launched.said()
    assert "Traceback" not in launched.said()
    assert until(lambda: quiet(launched.study, 1.0), 5.0), launched.said()
    assert len(slow_study.results(launched.study)) < slow_study.RUNS


def test_a_backend_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    done = cli(tmp_path, "run", "--check", "model=sim_05", "launcher.backend=dusk")
    assert done.returncode == 2
    assert done.stderr == "mlesearch: error: launcher.backend: 'dusk' is none; there are: local, dask, ray\n"
