"""Runs that take their worker along, as a container that is out of memory does: whoever starts workers is no wiser."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from mlesearch.sandbox.inside import landlock
from mlesearch.storage.documents import read_result
from mlesearch.storage.lease_files import LEASES
from mlesearch.storage.run_log import read_log
from mlesearch.storage.worker_files import read_attempts, read_workers
from mlesearch.study.runs.failures import LOSSES_SET_ASIDE
from tests.support import faulty
from tests.support.command import cli
from tests.support.journals import once_each
from tests.support.launched import work

pytestmark = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")
FEW = ["model=sim_05", "tasks=[rentals]", "seeds=[0,1]", "sandbox=local", "study.name=s"]
VIRTUAL = ["model=sim_05", "tasks=[rentals]", "seeds=[0,1]", "clock=virtual", "study.name=s"]
MOST = 12


def listed(cwd: Path, *words: str) -> dict[str, str]:
    """A study whose runs are listed; returns the environment of its workers."""
    env = faulty.install(cwd / "installed")
    assert cli(cwd, "submit", "--list", "-m", *words, env=env).returncode == 0
    return {**os.environ, **env, faulty.GROUP: "1"}


def restarted(cwd: Path, env: dict[str, str], *words: str) -> tuple[int, int, str]:
    """Workers, each once the one before it has died: how many, the exit code of the last, and what it said."""
    for n in range(1, MOST + 1):
        worker = work(cwd / "studies/s", *words, env=env)
        out, err = worker.communicate(timeout=280)
        if worker.returncode != -signal.SIGKILL:
            return n, worker.returncode, out + err
    raise AssertionError(f"it goes on after {MOST} workers: {faulty_deaths(cwd)}")


def faulty_deaths(cwd: Path) -> list[str]:
    """What the workers died of."""
    return (cwd / "deaths").read_text(encoding="utf-8").splitlines()


def standing(cwd: Path, env: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads(cli(cwd, "status", "studies/s", "--json", env=env).stdout)
    return found


@pytest.mark.timeout(900)
def test_a_run_that_takes_its_worker_along_is_set_aside_and_named_once(tmp_path: Path) -> None:
    """Its neighbours die with it each time, and end well; it is tried again once the user asks for that."""
    env = listed(tmp_path, *FEW, "strategy=takes_along,random", "budget.steps=2")
    study, poison = tmp_path / "studies/s", [f"sim_05/takes_along/base/rentals/seed-{n}" for n in (0, 1)]
    starts, code, said = restarted(tmp_path, env, "--jobs", "2")
    assert code == 1, said
    deaths = starts - 1
    assert LOSSES_SET_ASIDE < deaths <= 2 * LOSSES_SET_ASIDE + 2
    assert "2 runs failed, and none is left to do" in said
    for run in (f"sim_05/random/base/rentals/seed-{n}" for n in (0, 1)):
        assert (read_result(study / run) or {})["status"] == "ok"
    once_each(study)
    host = read_workers(study)[0].host
    (failed,) = standing(tmp_path, env)["failures"]
    assert failed["error_class"] == "poison"
    assert failed["run_ids"] == poison
    assert failed["reason"] == (read_result(study / poison[0]) or {})["reason"]
    assert f"its worker ended {LOSSES_SET_ASIDE} times without a word" in str(failed["reason"])
    assert f"(on {host} ({LOSSES_SET_ASIDE} times); " in str(failed["reason"])
    assert sorted(a.run_id for a in read_attempts(study) if a.status == "set_aside") == poison
    for run in poison:
        assert said.count(f"{run}: failed: its worker ended {LOSSES_SET_ASIDE} times") <= 1
        log = read_log(study / run)
        taken = [entry for entry in log if "taken over from worker" in entry]
        ids = {w.id for w in read_workers(study)}
        assert {re.findall(r"from worker (\S+) on", entry)[0] for entry in taken} <= ids
        assert all(f" on {host}, which ended without a word" in entry for entry in taken)
        began = [int(n) for entry in log for n in re.findall(r"attempt (\d+): began", entry)]
        assert began == list(range(1, len(began) + 1))
        assert len(began) > LOSSES_SET_ASIDE
    assert not [p for p in (study / LEASES).iterdir() if "takes_along" in p.name]
    again = work(study, env=env)
    assert again.communicate(timeout=120)[1].strip() == "2 runs failed, and none is left to do"
    assert cli(tmp_path, "requeue", "studies/s", poison[0], env=env).returncode == 0
    assert work(study, env=env).wait(120) == -signal.SIGKILL
    assert not (study / poison[0] / "result.json").exists(), "one death does not count as the fourth"
    (tmp_path / "faults_off").touch()
    assert cli(tmp_path, "requeue", "studies/s", poison[1], env=env).returncode == 0
    _, code, said = restarted(tmp_path, env)
    assert code == 0, said
    assert all((read_result(study / run) or {})["status"] == "ok" for run in poison)
    once_each(study)


@pytest.mark.timeout(900)
def test_a_run_that_ends_its_process_stays_the_worker_s_that_began_it(tmp_path: Path) -> None:
    """Beside another worker of the same machine, which would have a dead process' run at once."""
    env = listed(tmp_path, *FEW[:2], f"seeds={list(range(4))}", *FEW[3:], "strategy=kills", "budget.steps=2")
    workers = [work(tmp_path / "studies/s", "--jobs", "1", env=env) for _ in range(2)]
    said = [worker.communicate(timeout=280) for worker in workers]
    assert [worker.returncode for worker in workers] == [1, 1], said
    (failed,) = standing(tmp_path, env)["failures"]
    assert str(failed["reason"]).startswith(f"it ended its worker process {LOSSES_SET_ASIDE} times at the same point")
    assert len(failed["run_ids"]) == 4
    for run_id in failed["run_ids"]:
        log = read_log(tmp_path / "studies/s" / run_id)
        assert not [entry for entry in log if "taken over" in entry]
        assert len([entry for entry in log if entry.endswith(": began")]) == LOSSES_SET_ASIDE
        assert len({re.findall(r"worker (\S+):", entry)[0] for entry in log}) == 1


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_what_dies_beside_such_a_run_is_not_taken_for_its_like(tmp_path: Path) -> None:
    """It gets no further either, as often; but not when it has its worker for itself."""
    env = listed(tmp_path, *FEW[:2], "seeds=[0]", *FEW[3:], "strategy=takes_along,waits", "budget.steps=3")
    (tmp_path / "together").touch()
    starts, code, said = restarted(tmp_path, env, "--jobs", "2")
    assert code == 1, said
    assert starts <= LOSSES_SET_ASIDE + 3
    assert len(read_log(tmp_path / "studies/s/sim_05/waits/base/rentals/seed-0")) > LOSSES_SET_ASIDE
    (failed,) = standing(tmp_path, env)["failures"]
    assert failed["run_ids"] == ["sim_05/takes_along/base/rentals/seed-0"]
    once_each(tmp_path / "studies/s")


@pytest.mark.timeout(900)
def test_a_run_that_gets_further_between_deaths_is_finished(tmp_path: Path) -> None:
    steps = LOSSES_SET_ASIDE + 3
    env = listed(tmp_path, *FEW[:2], "seeds=[0]", *FEW[3:], "strategy=takes_along_once_a_step", f"budget.steps={steps}")
    starts, code, said = restarted(tmp_path, env)
    assert code == 0, said
    assert starts - 1 == len(faulty_deaths(tmp_path)) > LOSSES_SET_ASIDE
    once_each(tmp_path / "studies/s")


@pytest.mark.slow
def test_runs_on_a_virtual_clock_that_take_their_worker_along(tmp_path: Path) -> None:
    """A chunk is divided at once; each of its runs is then counted as a run of its own, for all workers to come."""
    env = listed(tmp_path, *VIRTUAL, "strategy=random,takes_along", "budget.steps=3")
    starts, code, said = restarted(tmp_path, env, "--jobs", "2")
    assert code == 1, said
    assert starts <= 2 * LOSSES_SET_ASIDE + 3
    (failed,) = standing(tmp_path, env)["failures"]
    assert failed["run_ids"] == [f"sim_05/takes_along/base/rentals/seed-{n}" for n in (0, 1)]
    died = len(faulty_deaths(tmp_path))
    assert work(tmp_path / "studies/s", env=env).wait(120) == 1
    assert len(faulty_deaths(tmp_path)) == died, "nothing dies of what was set aside"
    (tmp_path / "faults_off").touch()
    assert cli(tmp_path, "requeue", "studies/s", env=env).returncode == 0
    assert work(tmp_path / "studies/s", env=env).wait(120) == 0
