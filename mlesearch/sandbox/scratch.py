"""Where programs work: folders that their owner locks, so that those of a killed orchestrator can be told and removed.

    <scratch>/mlesearch-<uid>/<rung>-<random>/lock, <slot>/{work,tmp,home}

The kernel gives a lock up when its owner ends, however it ends, so the lock alone tells whether one lives. Names have a
fixed length, so that a path in a program's output always takes the same number of bytes.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from pathlib import Path

from mlesearch.sandbox.inside import files
from mlesearch.sandbox.protocol import MIB
from mlesearch.storage.file_systems import in_words
from mlesearch.storage.locks import try_lock
from mlesearch.types import ExecResult, ExecStatus, SandboxUnavailable

RUNGS = ("local", "bubblewrap", "docker", "unsafe")
"""Whose folders are removed once their owner has died: all that are built in."""
_OWNED = re.compile(rf"(\.?)({'|'.join(RUNGS)})-[0-9a-f]{{16}}")
"""With a dot before it: one that is being made, and not locked yet."""
_MAKING_S = 60.0
FULL_BYTES = 1 << 20
"""Of a disk with less that is free, whatever a program did not get there."""
_NO_SPACE = re.compile(r"no space left on device|disk quota exceeded|Errno 28\b|Errno 122\b", re.IGNORECASE)


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
        """Make and lock it.

        Raises:
            SandboxUnavailable: its file system is full, can only be read, or has no locks.
        """
        self.path = root() / f"{rung}-{secrets.token_hex(8)}"
        making = self.path.with_name(f".{self.path.name}")
        try:
            making.mkdir(mode=0o711)
            self._lock = os.open(making / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try_lock(self._lock, self.path)
            os.rename(making, self.path)
        except OSError as error:
            raise SandboxUnavailable(f"sandbox: no scratch folder can be made: {in_words(error, making)}") from error

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


def check_space(rung: str, folder: Path, min_free: int) -> None:
    """Refuse to start a run on a disk that is nearly full.

    Raises:
        SandboxUnavailable: less than `min_free` bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if free < min_free:
        raise SandboxUnavailable(
            f"sandbox {rung}: only {free // MIB} MiB are free at {folder.parent}; "
            f"at least {min_free // MIB} MiB are needed: free some or set MLESEARCH_SCRATCH"
        )


def check_not_full(rung: str, folder: Path, min_free: int, done: ExecResult) -> None:
    """Refuse to take a failure for a program's own while the disk that it wrote to is full.

    Args:
        rung: its name.
        folder: where the program worked; what it wrote is still there.
        min_free: bytes below which nothing is run.
        done: what the program did.

    Raises:
        SandboxUnavailable: hardly a byte is free, or less than `min_free` bytes are and the program met a full disk.
    """
    if done.status is not ExecStatus.ERROR:
        return
    free = shutil.disk_usage(folder).free
    if free < FULL_BYTES or (free < min_free and _NO_SPACE.search(done.stderr.text)):
        raise SandboxUnavailable(
            f"sandbox {rung}: a program failed while the disk was full ({free // MIB} MiB are free at "
            f"{root()}), so its failure is not counted: free some space or set MLESEARCH_SCRATCH, then run again"
        )


def reap() -> int:
    """Remove the folders whose owner has died; returns how many."""
    removed = 0
    for path in sorted(root().iterdir()):
        name = _OWNED.fullmatch(path.name)
        if name is None or path.is_symlink() or not path.is_dir():
            continue
        if not (name[1] and _age_s(path) < _MAKING_S) and not _locked(path):
            files.remove_tree(str(path))
            removed += 1
    return removed


def _age_s(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime
    return 0.0


def _locked(path: Path) -> bool:
    """Whether its owner lives. A lock that is absent was removed: by one that died before the rest was, or by none."""
    try:
        lock = os.open(path / "lock", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # not made here
    try:
        return not try_lock(lock, path)
    finally:
        os.close(lock)
