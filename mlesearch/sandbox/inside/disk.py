"""What a program has written: the folders that are its own, and deleted files that it holds. Standard library only."""

from __future__ import annotations

import errno
import os
import stat

from . import files

MAX_DEPTH = 128
_REMOVED = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)
"""Meanwhile, by the program."""


class TooDeep(Exception):
    """A tree of folders that is deeper than MAX_DEPTH."""


class Hidden(Exception):
    """A folder that can't be listed or searched, even by its owner."""


def usage(root: str) -> tuple[int, int]:
    """(bytes, entries) below a folder: blocks in use, links not followed.

    It goes down from descriptor to descriptor, so no path gets too long. A folder that was closed is opened up.

    Raises:
        TooDeep: the tree is deeper than MAX_DEPTH.
        Hidden: a folder in it can't be listed or searched.
    """
    return _below(root, None, 0)


def _below(name: str, parent: int | None, depth: int) -> tuple[int, int]:
    if depth > MAX_DEPTH:
        raise TooDeep
    try:
        try:
            return _inside(name, parent, depth)
        except PermissionError:
            if parent is not None:
                os.fchmod(parent, 0o700)  # it was open when it was listed
            files.open_up(name, parent)
            return _inside(name, parent, depth)
    except PermissionError as error:
        raise Hidden from error
    except OSError as error:
        if error.errno not in _REMOVED:
            raise
        return 0, 0


def _inside(name: str, parent: int | None, depth: int) -> tuple[int, int]:
    total = entries = 0
    folders = []
    fd = os.open(name, files.FOLDER, dir_fd=parent)
    try:
        with os.scandir(fd) as listing:
            for entry in listing:
                entries += 1
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError as error:
                    if error.errno not in _REMOVED:
                        raise
                    continue
                if stat.S_ISDIR(status.st_mode):
                    folders.append(entry.name)
                total += status.st_blocks * 512
        for folder in folders:
            more = _below(folder, fd, depth + 1)
            total, entries = total + more[0], entries + more[1]
    finally:
        os.close(fd)
    return total, entries


def deleted_files(pids: list[int]) -> int:
    """Bytes of regular files that processes hold open and that have no name any more."""
    total = 0
    seen: set[tuple[int, int]] = set()
    for pid in pids:
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                status = os.stat(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 0 and (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_blocks * 512
    return total
