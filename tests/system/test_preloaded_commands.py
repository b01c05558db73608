"""Commands that tests run as forks are the commands that users start: the same words, folders, codes and ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support import faulty, preloaded
from tests.support.command import alive, cli, fork_of_code
from tests.support.waiting import until


@pytest.mark.parametrize(
    "words", [["models", "list"], ["run", "strategy=gredy"], ["show", "nowhere"], ["run", "--chek"]], ids="_".join
)
def test_a_fork_says_what_a_command_says_that_is_started_anew(words: list[str], tmp_path: Path) -> None:
    fork, fresh = (cli(tmp_path, *words, fresh=fresh) for fresh in (False, True))
    assert (fork.returncode, fork.stdout, fork.stderr) == (fresh.returncode, fresh.stdout, fresh.stderr)


def test_folder_environment_and_arguments_are_its_own(tmp_path: Path) -> None:
    code = "import json, os, sys; print(json.dumps([os.getcwd(), dict(os.environ), sys.argv[1:]]))"
    done = preloaded.run(["a", "b c"], tmp_path, {"ONE": "1"}, 60.0, code)
    assert json.loads(done.stdout) == [str(tmp_path), {"ONE": "1"}, ["a", "b c"]]


@pytest.mark.parametrize(
    ("code", "ended", "said"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('a reason')", 1, "a reason"),
        ("import os; os.kill(os.getpid(), 9)", -9, ""),
        ("import atexit, sys; atexit.register(print, 'at the end', file=sys.stderr)", 0, "at the end"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
    ],
)
def test_it_ends_as_any_process_does(code: str, ended: int, said: str, tmp_path: Path) -> None:
    done = fork_of_code(tmp_path, code)
    assert done.returncode == ended
    assert done.stderr.rstrip().endswith(said)


def test_one_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        preloaded.run([], tmp_path, {}, 0.5, "import time; time.sleep(600)")
    assert until(lambda: alive(tmp_path) == [], 20)


def test_one_under_way_is_read_signalled_and_waited_for(tmp_path: Path) -> None:
    """In a session of its own, which is signalled as a whole."""
    code = "import os, time; print(os.getsid(0), os.getpid(), flush=True); time.sleep(600)"
    forked = preloaded.ForkedCommand([], tmp_path, {}, code, own_session=True)
    assert forked.stdout.readline().split() == [str(forked.pid)] * 2
    assert forked.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        forked.wait(0.01)
    os.killpg(forked.pid, signal.SIGTERM)
    assert forked.communicate(60) == ("", "")
    assert forked.returncode == forked.wait() == forked.poll() == -signal.SIGTERM
    forked.kill()  # as that of `subprocess.Popen`: of no effect any more


def test_what_a_path_of_its_own_names_is_installed_in_it(tmp_path: Path) -> None:
    env = faulty.install(tmp_path / "installed")
    fork, fresh = (cli(tmp_path, "strategies", env=env, fresh=fresh) for fresh in (False, True))
    assert "plug-in of faulty 1.0" in fork.stdout
    assert (fork.returncode, fork.stdout, fork.stderr) == (fresh.returncode, fresh.stdout, fresh.stderr)
    assert "faulty" not in cli(tmp_path, "strategies").stdout


def test_what_an_interpreter_reads_at_its_start_asks_for_a_new_one() -> None:
    assert preloaded.takes(dict(os.environ) | {"MY_KEY": "x", "TMPDIR": "/tmp"})
    for name in ("PYTHONHASHSEED", "PYTHONIOENCODING", "LC_ALL", "TZ"):
        assert not preloaded.takes(dict(os.environ) | {name: "another"})
