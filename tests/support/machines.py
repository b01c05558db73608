"""Other machines, as far as a process can tell: namespaces of their own for pids and the host's name; and bad locks."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

LOCKS = ("no locks", "locks that lie", "locks of one machine")
"""File systems that are met: flock answers ENOSYS; it always succeeds; it holds among processes of one machine."""

_BAD_LOCKS = """
import errno, fcntl, os
mode, below = os.environ["MLESEARCH_TEST_LOCKS"], os.environ["MLESEARCH_TEST_LOCKS_BELOW"]
real = fcntl.flock
def flock(fd, how):
    if not os.readlink(f"/proc/self/fd/{fd if isinstance(fd, int) else fd.fileno()}").startswith(below):
        return real(fd, how)
    if mode == "no locks":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if mode == "locks of one machine":
        aside = os.stat(fd)
        name = f"/tmp/.flock-{os.uname().nodename}-{aside.st_dev}-{aside.st_ino}"
        kept = _asides.setdefault(fd, os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return real(kept, how)
_asides = {}
fcntl.flock = flock
"""


_BOOT = """
hostname "$1"
for kind in memory pids; do
    own=$(sed -n "s/^[0-9]*:$kind:\\///p" /proc/self/cgroup)
    group="/sys/fs/cgroup/$kind/$own/mlesearch-test-$1"
    mkdir "$group"; echo 0 > "$group/cgroup.procs"
done 2>/dev/null
shift
exec "$@"
"""
"""Control groups are a machine's: else each would remove what it takes for left by dead processes of its own."""


def on_machine(name: str) -> list[str]:
    """What a command begins with, to run on a machine of its own; the test is skipped where there can't be one."""
    prefix = ["unshare", "--pid", "--uts", "--mount-proc", "--fork", "--kill-child", "sh", "-c", _BOOT, "sh", name]
    if not _possible(tuple(prefix)):
        pytest.skip("no namespaces can be made here: unshare --pid --uts")
    return prefix


@cache
def _possible(prefix: tuple[str, ...]) -> bool:
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode
    )


def with_locks(below: Path, mode: str | None) -> Mapping[str, str]:
    """Variables of a process for which the files below a folder have such locks; None: those that they have."""
    if mode is None:
        return os.environ
    place = below.with_name(f"{below.name}-locks")
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(_BAD_LOCKS, encoding="utf-8")
    variables = {"PYTHONPATH": str(place), "MLESEARCH_TEST_LOCKS": mode, "MLESEARCH_TEST_LOCKS_BELOW": str(below)}
    return {**os.environ, **variables}


def innermost(process: subprocess.Popen[str]) -> int:
    """The number, as this machine counts, of the process that a command on another machine has become."""
    pid = process.pid
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
        pid = int(children[0])
    return pid
