"""Working folders: made, and removed whatever a program left in them. Standard library only."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a folder is opened that may have become a link."""


def open_up(path: str, parent: int | None = None) -> None:
    """Let its owner, who runs this, list and search a folder that a program has closed. A link is not followed.

    Args:
        path: of the folder.
        parent: a descriptor of the folder that the path starts from.

    Raises:
        OSError: there is no such folder, or it is somebody else's.
    """
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{fd}", 0o700)
    finally:
        os.close(fd)


def remove_tree(path: str) -> None:
    """Remove a folder and all below it, follow no link, and need no depth of recursion.

    A nested folder is moved up to the top before it is emptied, so that no path gets long and no descriptor is kept
    for each level. What is absent already is no error; two processes may remove the same folder at once.

    Raises:
        OSError: something can't be removed.
    """
    for last in (False, False, True):
        try:
            top = os.open(path, FOLDER)
        except FileNotFoundError:
            return
        try:
            _remove_below(top)
        finally:
            os.close(top)
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError:
            if last:
                raise


def _remove_below(top: int) -> None:
    pending = _empty(top, top, 0)
    moved = 0
    while pending:
        name = pending.pop()
        with contextlib.suppress(FileNotFoundError):
            if not _opened_up(name, top):
                continue
            folder = os.open(name, FOLDER, dir_fd=top)
            try:
                fresh = _empty(folder, top, moved)
            finally:
                os.close(folder)
            moved += len(fresh)
            pending += fresh
            os.rmdir(name, dir_fd=top)


def _opened_up(name: str, parent: int) -> bool:
    """Open up what was a folder when it was listed; what has become something else since is removed as that."""
    try:
        open_up(name, parent)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        os.unlink(name, dir_fd=parent)
        return False
    return True


def _empty(folder: int, top: int, moved: int) -> list[str]:
    """Unlink the files of a folder and move its folders into `top`; returns their names there."""
    found: list[str] = []
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                os.unlink(name, dir_fd=folder)
            elif folder == top:
                found.append(name)
            elif _opened_up(name, folder):
                free = f".remove-{os.getpid()}-{moved + len(found)}"
                os.rename(name, free, src_dir_fd=folder, dst_dir_fd=top)
                found.append(free)
    return found
