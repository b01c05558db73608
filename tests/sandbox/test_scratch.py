"""Folders that programs work in: whoever made one and however it ended, no folder of a dead owner stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlesearch.sandbox import scratch
from mlesearch.types import SandboxUnavailable


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLESEARCH_SCRATCH", str(tmp_path))
    return scratch.root()


def folders() -> list[Path]:
    return [path for path in scratch.root().iterdir() if path.name != "cpu"]


def killed(program: str) -> subprocess.Popen[bytes]:
    """A process that killed itself at the end of a program; nobody has waited for it, so it is still a zombie."""
    lines = ("import fcntl, os", "from mlesearch.sandbox import scratch", program, "os.kill(os.getpid(), 9)")
    process = subprocess.Popen([sys.executable, "-c", "\n".join(lines)])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return process


DIE = "lambda *_, **__: os.kill(os.getpid(), 9)"


@pytest.mark.parametrize("call", ["", "os.unlink", "os.rmdir"])
def test_a_killed_owner_s_folder_goes_at_once(call: str) -> None:
    """At work, or in the middle of removing it; and before anybody has waited for it."""
    end = f"\n{call} = {DIE}\nowned.remove()" if call else ""
    process = killed("owned = scratch.Owned()\n(owned.slot() / 'work' / 'f').write_text('x')" + end)
    assert len(folders()) == 1
    assert scratch.reap() == 1
    assert folders() == []
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("call", ["os.open", "fcntl.flock", "os.rename"])
def test_one_that_was_never_finished_goes_after_a_minute(call: str) -> None:
    """Before that it may be another process' that is being made just now."""
    killed(f"{call} = {DIE}\nscratch.Owned()").wait()
    (left,) = folders()
    assert scratch.reap() == 0
    os.utime(left, (0, left.stat().st_mtime - 61))
    assert scratch.reap() == 1
    assert folders() == []


def test_reaping_that_was_killed_is_taken_up() -> None:
    killed("(scratch.Owned().slot() / 'work' / 'f').write_text('x')").wait()
    killed(f"os.rmdir = {DIE}\nscratch.reap()").wait()
    assert len(folders()) == 1
    assert scratch.reap() == 1
    assert folders() == []


def test_what_lives_or_is_not_ours_stays() -> None:
    owned = scratch.Owned("docker")
    slot = owned.slot()
    strange = [scratch.root() / name for name in ("local-of-somebody", "gpu", "other-0123456789abcdef")]
    for path in strange:
        path.mkdir()
        os.utime(path, (0, 0))
    link = scratch.root() / "local-0123456789abcdef"
    link.symlink_to(slot)
    os.utime(owned.path, (0, 0))
    other = "from mlesearch.sandbox import scratch\nprint(scratch.reap())"
    assert subprocess.run([sys.executable, "-c", other], capture_output=True, text=True).stdout == "0\n"
    assert scratch.reap() == 0
    assert (slot / "work").is_dir()
    assert link.is_symlink()
    assert all(path.is_dir() for path in strange)
    owned.remove()
    owned.remove()
    assert not owned.path.exists()


def test_names_have_one_length() -> None:
    made = [scratch.Owned() for _ in range(3)]
    assert {len(owned.path.name) for owned in made} == {len("local-") + 16}
    assert {len(owned.slot().name) for owned in made} == {16}
    for owned in made:
        owned.remove()


def test_scratch_of_somebody_else_is_refused(root: Path) -> None:
    root.chmod(0o777)
    with pytest.raises(SandboxUnavailable, match="not a folder that only you can write"):
        scratch.root()
