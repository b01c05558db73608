"""Locks of files, among processes: held, refused, or not to be had on this file system, which are three answers."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from mlesearch.storage import file_systems

_HELD = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})
_NO_LOCKS = file_systems.NO_SUPPORT | {errno.ENOLCK, errno.EINVAL}


def try_lock(fd: int, path: Path) -> bool:
    """Lock an open file without waiting; False where somebody else holds it.

    Raises:
        OSError: the file system has no locks, or fails; it names the path. It is never worth waiting for.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise _named(error, path) from None
    return True


def lock(fd: int, path: Path) -> None:
    """Lock an open file, waiting for whoever holds it.

    Raises:
        OSError: as `try_lock`.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    except OSError as error:
        raise _named(error, path) from None


def _named(error: OSError, path: Path) -> OSError:
    """What is said of a file system without locks is the same whichever of its errors it gives."""
    number = errno.ENOLCK if error.errno in _NO_LOCKS else error.errno or errno.EIO
    return OSError(number, os.strerror(number), str(path))
