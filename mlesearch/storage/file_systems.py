"""File systems: what kind a folder is on, and what their refusals mean and what to do about them, in one line.

Errors of disks stay `OSError` on their way up; whoever ends a command or a run says them by `in_words`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_NETWORK = {
    *("afs", "beegfs", "ceph", "cifs", "fhgfs", "fuse.ceph", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "glusterfs"),
    *("gpfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "wekafs"),
}
"""File systems on which SQLite's locks can't be trusted, as the kernel calls them."""

NO_SUPPORT = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What a file system answers to a call that it does not have."""
_AGAIN = "and run the same command again; nothing that was written is lost"
_ELSEWHERE = "use a folder on a local disk (study.dir, MLESEARCH_SCRATCH)"
_FAULTS: Mapping[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", f"free some space there {_AGAIN}"),
    errno.EDQUOT: ("the quota of this user is used up", f"free some space there, or have it raised, {_AGAIN}"),
    errno.EFBIG: ("the file is larger than may be", f"raise the limit (ulimit -f) or use another file system {_AGAIN}"),
    errno.EROFS: ("it can only be read", f"mount it for writing, or {_ELSEWHERE}"),
    errno.ESTALE: ("its server has lost the file (stale handle)", f"mount it again {_AGAIN}"),
    errno.EIO: ("the device fails to read or write", "check it (dmesg), then run the same command again"),
    errno.ENOLCK: ("it has no locks to give", f"start its lock service, or {_ELSEWHERE}"),
    **dict.fromkeys(NO_SUPPORT, ("it lacks what is needed here", _ELSEWHERE)),
}
"""Errors that are the file system's, not the path's: what each means, and the way out."""

_OF_ONE_FILE = frozenset({errno.EFBIG, errno.EIO, errno.ESTALE})
_FULL_BELOW_BYTES = 1 << 16
_SQLITE_FULL = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")
"""What SQLite says of a full disk: of a database, and of the memory that its log's readers share."""
PAID_BYTES = 4 << 20
"""So much is free before a live model is called: its reply and prompt, beside those of other runs."""


@dataclass(frozen=True, slots=True)
class MountedAt:
    """A mounted file system.

    Attributes:
        kind: as the kernel calls it; empty where that can't be told.
        place: where it is mounted.
    """

    kind: str
    place: Path

    def __str__(self) -> str:
        return f"{self.kind or 'file system'} at {self.place}"


def on_network(folder: Path) -> bool:
    """Whether a folder is, or will be, on a file system of the network, as far as can be told."""
    return mount_of(folder).kind in _NETWORK


def mount_of(path: Path) -> MountedAt:
    """The file system that a path is on, or will be."""
    nearest = Path(os.path.realpath(_nearest(path)))
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return MountedAt("", nearest)
    mounts = [(Path(unescaped(words[1])), words[2]) for words in map(str.split, lines)]
    covering = [(len(place.parts), n, kind) for n, (place, kind) in enumerate(mounts) if nearest.is_relative_to(place)]
    if not covering:
        return MountedAt("", nearest)
    _, n, kind = max(covering)
    return MountedAt(kind, mounts[n][0])


def _nearest(path: Path) -> Path:
    """The path, or the first folder above it that is there; one that can't be looked at (a stale handle) is."""
    for candidate in (path.absolute(), *path.absolute().parents):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            try:
                os.lstat(candidate)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR):
                    raise
            return candidate
    return Path("/")


def unescaped(text: str) -> str:
    """A path as /proc/self/mounts and mountinfo write it: blanks, tabs, newlines and backslashes as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def is_fault(error: BaseException) -> bool:
    """Whether an error says that a file system fails or refuses, whatever was to be written there."""
    return isinstance(error, OSError) and error.errno in _FAULTS


def in_words(error: OSError, path: Path | None = None) -> str:
    """An error of a file in one line: the path, what is wrong; of a file system its kind, its place, and the way out.

    What is wrong with all of a file system is said in the same words whichever file met it.

    Args:
        error: as it was raised.
        path: what was to be used, where the error does not name it.
    """
    named = path or error.filename2 or error.filename
    where = "a file" if named is None or isinstance(named, int) else os.fsdecode(named)
    reason = _reason(error, None if where == "a file" else Path(where))
    return reason if error.errno in _FAULTS and error.errno not in _OF_ONE_FILE else f"{where}: {reason}"


def _reason(error: OSError, path: Path | None) -> str:
    if error.errno is None or error.errno not in _FAULTS:
        return error.strerror or str(error)
    what, way_out = _FAULTS[error.errno]
    where = "" if path is None else f"{mount_of(path)}: "
    return f"{what} ({where}{os.strerror(error.errno)}): {way_out}"


def database_in_words(error: sqlite3.Error | OSError, path: Path) -> str:
    """An error of a SQLite database, likewise, but for the path."""
    if isinstance(error, OSError):
        return _reason(error, path)
    name: str = getattr(error, "sqlite_errorname", "")
    if name.startswith(_SQLITE_FULL) or (name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")) and _full(path)):
        return _reason(OSError(errno.ENOSPC, str(error)), path)
    if name.startswith(("SQLITE_IOERR", "SQLITE_PROTOCOL", "SQLITE_NOLFS")):
        why = f"{error}, {name}"
        way_out = f"free some space there if it is full, or {_ELSEWHERE} or stores in files (cassette_form=files)"
        return f"SQLite can't work there ({mount_of(path)}: {why}): {way_out}"
    if name.startswith("SQLITE_READONLY"):
        return f"it can only be read ({mount_of(path)}: {error}): make it writable, or {_ELSEWHERE}"
    return str(error)


def _full(path: Path) -> bool:
    """Whether the file system of a path has no space left worth naming."""
    try:
        return free_bytes(_nearest(path)) < _FULL_BELOW_BYTES
    except OSError:
        return False


def free_bytes(path: Path) -> int:
    """What an ordinary user may still write on the file system of a path that is there."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or what it came of, is that a disk or a quota is full; by our own words too (`in_words`).

    SQLite may say of a full disk that it can't open or write a file, so that only `database_in_words` can tell.
    """
    full = [_FAULTS[number][0] for number in (errno.ENOSPC, errno.EDQUOT)]
    while error is not None:
        if any(words in str(error) for words in full):
            return True
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if isinstance(error, sqlite3.Error) and str(getattr(error, "sqlite_errorname", "")).startswith(_SQLITE_FULL):
            return True
        error = error.__cause__ or error.__context__
    return False


def takes(folder: Path, size_bytes: int) -> bool:
    """Whether a folder takes a file of this size, which is removed again: a quota shows in nothing else."""
    try:
        fd, name = tempfile.mkstemp(dir=folder, prefix=".room-")
        try:
            os.unlink(name)
            os.posix_fallocate(fd, 0, size_bytes)
        finally:
            os.close(fd)
    except OSError as error:
        return error.errno in NO_SUPPORT | {errno.EINVAL}
    return True


def why_read_only(folder: Path) -> str:
    """Why nothing can be written in a folder; empty where something can, or could were there room.

    A file is made there and removed again: what permissions say of root, or of a disk of the network, is not enough.
    """
    try:
        fd, name = tempfile.mkstemp(dir=folder, prefix=".room-")
    except OSError as error:
        refused = error.errno in (errno.EROFS, errno.EACCES, errno.EPERM)
        return f"{mount_of(folder)}: {error.strerror}" if refused else ""
    os.close(fd)
    os.unlink(name)
    return ""


def check_space(folder: Path) -> None:
    """Refuse to begin what is paid for where it could not be written down.

    Raises:
        OSError: less than a few replies and prompts take is free there.
    """
    if free_bytes(folder) < PAID_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Within it, an error of a file that names none (a write through a descriptor) names this one."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
