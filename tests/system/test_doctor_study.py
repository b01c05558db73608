"""`mlesearch doctor STUDY` on real file systems, and on some that lack what they should have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlesearch.storage.file_system_check import MEETING
from tests.support.command import cli
from tests.support.machines import on_machine, with_locks


def levels(out: str) -> dict[str, str]:
    """What is said of each subject: ok, note or LACK."""
    lines = [line for line in out.splitlines() if line[:4].strip() in ("ok", "note", "LACK")]
    return {line[6:18].strip(): line[:4].strip() for line in lines}


def test_a_file_system_that_lacks_nothing(tmp_path: Path) -> None:
    done = cli(tmp_path, "doctor", ".")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "all that is needed is there"
    subjects = ["file system", "O_EXCL", "beats", "rename", "append", "flock", "fcntl locks", "clocks", "fsync"]
    assert list(levels(done.stdout)) == subjects
    assert {level for subject, level in levels(done.stdout).items() if subject != "fsync"} == {"ok"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("locks", "said"),
    [
        ("no locks", "there are none: Function not implemented"),
        ("locks that lie", "one process gets what the other has locked"),
    ],
)
def test_locks_that_are_none_are_found_out(tmp_path: Path, locks: str, said: str) -> None:
    study = tmp_path / "study"
    study.mkdir()
    words = [sys.executable, "-m", "mlesearch", "doctor", str(study)]
    done = subprocess.run(words, env=dict(with_locks(study, locks)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert levels(done.stdout)["flock"] == "note"
    assert said in done.stdout
    assert "runs are kept apart by leases alone, which is enough" in done.stdout


def test_two_machines_meet_and_say_the_same(tmp_path: Path) -> None:
    """Their locks hold on each of them alone, which one machine can't find out."""
    study = tmp_path / "study"
    study.mkdir()
    words = [sys.executable, "-m", "mlesearch", "doctor", str(study), "--two-machines"]
    env = dict(with_locks(study, "locks of one machine"))
    both = [
        subprocess.Popen(
            [*on_machine(name), *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for name in ("one", "two")
    ]
    said = [machine.communicate(timeout=120)[0] for machine in both]
    assert [machine.returncode for machine in both] == [0, 0], said
    for out in said:
        assert levels(out)["flock"] == "note", out
        assert "one process gets what the other has locked" in out
        assert "tried by two machines" in out
    assert list(study.iterdir()) == []


def test_a_third_is_told_and_a_folder_must_be_named(tmp_path: Path) -> None:
    (tmp_path / MEETING).mkdir()
    (tmp_path / MEETING / "joined").touch()
    done = cli(tmp_path, "doctor", ".", "--two-machines")
    assert done.returncode == 2
    assert "two machines are at it; if they are not, remove that folder" in done.stderr
    done = cli(tmp_path, "doctor", "--two-machines")
    assert done.returncode == 2
    assert "name the folder that they share" in done.stderr
