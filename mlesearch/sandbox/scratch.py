"""Where programs work: folders that name their owner, so that those of a killed orchestrator can be told and removed.

    <scratch>/mlesearch-<uid>/<rung>-<random>/owner.json, lock, <slot>/{work,tmp,home}

Names have a fixed length, so that a path in a program's output always takes the same number of bytes.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import stat
import tempfile
from pathlib import Path

from mlesearch.sandbox import files
from mlesearch.types import SandboxUnavailable

RUNGS = ("local", "bubblewrap", "docker", "unsafe")


def root() -> Path:
    """The scratch folder of this user: $MLESEARCH_SCRATCH or the system's temporary folder; made if absent.

    Raises:
        SandboxUnavailable: it belongs to somebody else, or can't be made.
    """
    base = Path(os.environ.get("MLESEARCH_SCRATCH") or tempfile.gettempdir())
    path = base / f"mlesearch-{os.getuid()}"
    try:
        base.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o711, exist_ok=True)
        status = path.lstat()
        (path / "cpu").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SandboxUnavailable(
            f"sandbox: no scratch folder at {path} ({error}); set MLESEARCH_SCRATCH to a folder of your own"
        ) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise SandboxUnavailable(
            f"sandbox: {path} is not a folder that only you can write; remove it or set MLESEARCH_SCRATCH"
        )
    return path


class Owned:
    """One sandbox object's folder. The lock is held as long as this process lives and `remove` was not called."""

    def __init__(self, rung: str = "local") -> None:
        self.path = root() / f"{rung}-{secrets.token_hex(8)}"
        self.path.mkdir(mode=0o711)
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        owner = {"pid": os.getpid(), "start": files.process_start(os.getpid()), "boot": boot_id()}
        (self.path / "owner.json").write_text(json.dumps(owner))

    def slot(self) -> Path:
        """A fresh folder for one program, with `work`, `tmp` and `home` in it."""
        path = self.path / secrets.token_hex(8)
        path.mkdir(mode=0o711)
        for name in ("work", "tmp", "home"):
            (path / name).mkdir(mode=0o700)
        return path

    def remove(self) -> None:
        """Remove the folder and give up the lock; once is enough, twice does no harm."""
        if self._lock >= 0:
            files.remove_tree(str(self.path))
            os.close(self._lock)
            self._lock = -1


def reap() -> int:
    """Remove the folders whose owner has died; returns how many."""
    removed = 0
    for path in sorted(path for rung in RUNGS for path in root().glob(f"{rung}-*")):
        if path.is_symlink() or not path.is_dir() or _owner_lives(path):
            continue
        try:
            lock = os.open(path / "lock", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # not one of ours, or another process is removing it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            files.remove_tree(str(path))
            removed += 1
        except BlockingIOError:
            pass  # its owner has no pid that is seen here, and lives
        finally:
            os.close(lock)
    return removed


def _owner_lives(path: Path) -> bool:
    try:
        owner = json.loads((path / "owner.json").read_text())
        pid, start, boot = int(owner["pid"]), owner["start"], owner["boot"]
    except (OSError, ValueError, KeyError, TypeError):
        return True  # being made just now, or not ours to judge
    return bool(boot == boot_id() and start is not None and files.process_start(pid) == start)


def owner_tag() -> str:
    """Names this process among all of this boot."""
    return f"{os.getpid()}-{files.process_start(os.getpid())}"


def pid_namespace() -> str:
    """Of this process; pids of another one mean nothing here."""
    return os.readlink("/proc/self/ns/pid")


def boot_id() -> str:
    """Of the running kernel; another one after every boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
