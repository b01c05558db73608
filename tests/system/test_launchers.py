"""Every local launcher, killed, interrupted and started twice: nothing writes on, nothing runs twice, it is said."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from mlesearch.sandbox.inside import landlock
from mlesearch.storage.worker_files import read_attempts, read_workers
from tests.support.command import Started, cli, finish, start
from tests.support.journals import journals, once_each, same_tables
from tests.support.launched import WORDS, busy, quiet
from tests.support.waiting import wait_for

pytestmark = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")
LAUNCHERS = {"basic": None, "joblib": "hydra_plugins.hydra_joblib_launcher", "submitit_local": "submitit"}
SLOWLY = [pytest.param(name, marks=[] if name == "basic" else pytest.mark.slow) for name in LAUNCHERS]
LONGER = [*WORDS[:-1], "budget.steps=12"]


def words_of(launcher: str, words: list[str]) -> list[str]:
    """The words of a launch by one of Hydra's launchers, where it is installed."""
    module = LAUNCHERS[launcher]
    if module is None:
        return ["run", *words, "launcher.n_jobs=2"]
    pytest.importorskip(module)
    return ["run", *words, f"hydra/launcher={launcher}", "launcher.n_jobs=1"]


def started(cwd: Path, words: list[str]) -> Started:
    """A launch in a session of its own, as from a terminal."""
    return start(cwd, *words, fresh=any(word.startswith("hydra/launcher=") for word in words))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("launcher", SLOWLY)
def test_nothing_writes_on_behind_a_launch_that_was_killed(launcher: str, tmp_path: Path) -> None:
    study = tmp_path / "studies/main"
    launch = started(tmp_path, words_of(launcher, LONGER))
    wait_for(lambda: busy(study))
    launch.kill()
    launch.communicate()
    wait_for(lambda: quiet(study, 1.0), within_s=5.0)
    assert quiet(study, 4.0)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("launcher", SLOWLY)
def test_ctrl_c_once(launcher: str, tmp_path: Path) -> None:
    """What is in flight ends, the launch says how to go on, and goes on."""
    study = tmp_path / "studies/main"
    words = words_of(launcher, LONGER)
    launch = started(tmp_path, words)
    wait_for(lambda: busy(study))
    os.killpg(launch.pid, signal.SIGINT)
    out, err = launch.communicate(timeout=120)
    assert launch.returncode == 130, out + err
    assert err.count("the proposals in flight finish first") == 1
    assert "run the same command again to go on" in err
    assert "Traceback" not in err
    assert quiet(study, 1.0)
    told = [line for lines in journals(study).values() for line in lines if b'"type":"told"' in line]
    asked = [line for lines in journals(study).values() for line in lines if b'"type":"asked"' in line]
    assert len(told) == len(asked)  # nothing was cut off
    assert {a.status for a in read_attempts(study)} <= {"ok", "interrupted"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("launcher", SLOWLY)
def test_ctrl_c_twice(launcher: str, tmp_path: Path) -> None:
    study = tmp_path / "studies/main"
    launch = started(tmp_path, words_of(launcher, LONGER))
    wait_for(lambda: busy(study))
    os.killpg(launch.pid, signal.SIGINT)
    wait_for(lambda: any(p.name.startswith(".stop-") for p in study.iterdir()))
    os.killpg(launch.pid, signal.SIGINT)
    out, err = launch.communicate(timeout=60)
    assert launch.returncode == 130, out + err
    assert "run the same command again to go on" in err
    wait_for(lambda: quiet(study, 1.0), within_s=5.0)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP])
def test_signals_of_batch_systems_let_what_is_in_flight_end(signum: signal.Signals, tmp_path: Path) -> None:
    study = tmp_path / "studies/main"
    launch = started(tmp_path, words_of("basic", LONGER))
    wait_for(lambda: busy(study))
    launch.send_signal(signum)
    out, err = launch.communicate(timeout=60)
    assert launch.returncode == 130, out + err
    assert f"stopping ({signum.name})" in err
    assert quiet(study, 1.0)


@pytest.mark.timeout(600)
def test_two_launches_at_once(tmp_path: Path) -> None:
    """No run twice, both end well, and with the same table."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "both").mkdir()
    words = ["run", *WORDS, "launcher.n_jobs=2", "sandbox.exec_store=record"]
    words.append(f"sandbox.exec_store_path={tmp_path}/executions.db")  # both launches have more to do than programs
    finish(tmp_path / "whole", *words)
    launches = [started(tmp_path / "both", words) for _ in range(2)]
    said = []
    for launch in launches:
        out, err = launch.communicate(timeout=280)
        assert launch.returncode == 0, out + err
        said.append([line for line in out.splitlines() if line.startswith(("sim_", "model", "mean"))])
    assert said[0] == said[1]
    study = tmp_path / "both/studies/main"
    same_tables(tmp_path / "whole/studies/main", study)
    once_each(study)
    attempts = read_attempts(study)
    assert sorted(a.run_id for a in attempts) == sorted({a.run_id for a in attempts})
    assert len(read_workers(study)) == 2


def test_a_launch_with_nothing_to_do_makes_nothing_anew(tmp_path: Path) -> None:
    words = [*WORDS[:-2], "seeds=[0]", "budget.steps=1", "launcher.n_jobs=2"]
    assert cli(tmp_path, "run", *words).returncode == 0
    study = tmp_path / "studies/main"
    before = {p: p.stat().st_mtime_ns for p in study.rglob("*") if p.is_file() and "hydra" not in p.parts}
    again = cli(tmp_path, "run", *words)
    assert again.returncode == 0
    assert "nothing is left to run" in again.stdout
    assert {p: p.stat().st_mtime_ns for p in before} == before
    (study / "report.html").unlink()
    assert "report: " in cli(tmp_path, "run", *words).stdout
    assert (study / "report.html").exists()
