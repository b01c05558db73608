"""Workers that grade, and the death of the process that asks them: nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import mlebench_standin as standin
from tests.support.command import alive, cli, python
from tests.support.waiting import wait_for

ASKS = """
import signal
import tempfile
from pathlib import Path
from mlesearch.tasks.mlebench.pool import GraderPool

tempfile.tempdir, venv, data, submission = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)  # what starts in the background inherits that it is ignored
with GraderPool(Path(venv), Path(data), timeout_s=600) as pool:
    pool.hello()
    print("ready", flush=True)
    pool.grade("faults", Path(submission))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An interpreter, prepared data, and a folder for whatever is made meanwhile."""
    standin.interpreter(tmp_path / "venv")
    standin.prepared(tmp_path / "data")
    (tmp_path / "scratch").mkdir()
    return tmp_path


@pytest.fixture
def asking(place: Path) -> Iterator[subprocess.Popen[str]]:
    """A process whose worker leaves children behind and then hangs."""
    path = place / "submission.csv"
    path.write_text(standin.csv_of(standin.TRUTH, fault="children and hang"), encoding="utf-8")
    words = python(ASKS, place / "scratch", place / "venv/bin/python", place / "data", path)
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as p:
        assert p.stdout is not None
        assert p.stdout.readline() == "ready\n"
        wait_for(lambda: len(alive(place / "scratch")) >= 5)
        yield p
        p.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_whatever_ends_who_asks_ends_the_workers_too(asking, place, number):
    os.killpg(asking.pid, number)  # Ctrl-C reaches the whole group, of which workers are none
    asking.wait(30)
    wait_for(lambda: alive(place / "scratch") == [])
    wait_for(lambda: list((place / "scratch").iterdir()) == [])


def test_a_supervisor_that_is_killed_leaves_nothing_either(asking, place):
    first = alive(place / "scratch")
    (leader,) = [pid for pid in first if b"supervisor.py" in cmdline(pid)]
    os.kill(leader, signal.SIGKILL)
    wait_for(lambda: set(alive(place / "scratch")).isdisjoint(first))


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_the_command_prints_the_packages_report(place):
    submission = place / "submission.csv"
    submission.write_text(standin.csv_of(standin.TRUTH), encoding="utf-8")
    where = ["--data", str(place / "data"), "--python", str(place / "venv/bin/python")]
    done = cli(place, "mlebench", "grade", "faults", str(submission), *where)
    assert done.returncode == 0, done.stderr
    assert '"score": 0.0' in done.stdout
    assert done.stderr == ""
    submission.write_text("id,z\n", encoding="utf-8")
    done = cli(place, "mlebench", "grade", "faults", str(submission), *where)
    assert done.returncode == 1
    assert done.stderr == "not valid: a submission needs the columns id and y\n"
    assert '"valid_submission": false' in done.stdout


def test_the_command_names_what_is_missing(place):
    environ = {"XDG_CACHE_HOME": str(place / "caches"), "MLESEARCH_MLEBENCH_PYTHON": ""}
    done = cli(place, "mlebench", "grade", "faults", "x.csv", env=environ)
    assert done.returncode == 2
    assert "mlesearch mlebench install" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    newer = standin.interpreter(place / "newer", {**standin.MET, "pandas": "3.1.0"})
    done = cli(place, "mlebench", "grade", "faults", "x.csv", "--data", str(place / "data"), "--python", str(newer))
    assert "warning: MLE-bench's interpreter has pandas 3.1.0 (needs < 3.0)" in done.stderr
    assert "x.csv does not exist" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere can't be cloned"),
        (["empty"], "can't be cloned"),
        (["standin"], "mlebench/registry.py is not in it"),
        (["repository", "--commit", "f00"], "has no commit f00"),
        (["repository", "--base", "/bin/false"], "/bin/false makes no environment"),
    ],
)
def test_an_installation_that_fails_says_why_and_leaves_nothing(place, words, said):
    (place / "empty").mkdir()
    (place / "standin/mlebench").mkdir(parents=True)
    repository = place / "repository"
    (repository / "mlebench").mkdir(parents=True)
    (repository / "mlebench/registry.py").touch()
    (repository / "pyproject.toml").touch()
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    done = cli(place, "mlebench", "install", *words, env={"XDG_CACHE_HOME": str(place / "caches")})
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert list((place / "caches/mlesearch/mlebench").iterdir()) == []
