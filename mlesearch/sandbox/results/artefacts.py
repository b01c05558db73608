"""Reads the files that a program left, trusting nothing about them."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from mlesearch.sandbox.inside import files
from mlesearch.storage.file_systems import naming
from mlesearch.storage.files import make_folder
from mlesearch.types import Artefact

_CHUNK = 1 << 20
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def collect(work: Path, sizes: Mapping[str, int], outbox: Path) -> dict[str, Artefact]:
    """Copy files out of a working folder whose program has ended.

    Args:
        work: the working folder.
        sizes: plain file names in it, and how many bytes of each may be copied.
        outbox: takes the copies; made if absent. Each copy appears whole or not at all.
    """
    make_folder(outbox)
    with contextlib.suppress(OSError):
        files.open_up(str(work))
    try:
        folder = os.open(work, files.FOLDER)
    except OSError as error:
        return {name: Artefact(name, problem=f"the working folder can't be read: {error.strerror}") for name in sizes}
    try:
        return {name: _collect_one(folder, name, outbox, most) for name, most in sizes.items()}
    finally:
        os.close(folder)


def _collect_one(folder: int, name: str, outbox: Path, max_bytes: int) -> Artefact:
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        return Artefact(name, problem=f"{name!r} is not a plain file name")
    try:
        seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return Artefact(name, problem="absent")
    except OSError as error:
        return Artefact(name, problem=f"{name} can't be looked at: {error.strerror}")
    problem = _problem(name, seen, max_bytes)
    if problem:
        return Artefact(name, problem=problem)
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        return Artefact(name, problem=f"{name} can't be read: {error.strerror}")
    try:
        problem = _problem(name, os.fstat(fd), max_bytes)
        if problem:
            return Artefact(name, problem=problem)
        return _copy(fd, name, outbox, max_bytes)
    finally:
        os.close(fd)


def _problem(name: str, status: os.stat_result, max_bytes: int) -> str:
    for is_kind, words in _KINDS:
        if is_kind(status.st_mode):
            return f"{name} is {words}; a regular file was expected"
    if status.st_nlink != 1:
        return f"{name} has {status.st_nlink} names (hard links); a file of its own was expected"
    if status.st_size > max_bytes:
        return f"{name} has {status.st_size} bytes; at most {max_bytes} are allowed"
    if status.st_size > 8 * (status.st_blocks * 512 + _CHUNK):
        return f"{name} is a sparse file of {status.st_size} bytes; a file with content was expected"
    return ""


class _Unreadable(Exception):
    """A file of a program fails to be read."""


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, _CHUNK)
    except OSError as error:
        raise _Unreadable(error.strerror) from error


def _copy(fd: int, name: str, outbox: Path, max_bytes: int) -> Artefact:
    part = outbox / f".{name}.{secrets.token_hex(4)}.part"
    size = 0
    try:
        with naming(outbox / name), open(part, "xb") as file:
            while chunk := _read(fd):
                size += len(chunk)
                if size > max_bytes:
                    return Artefact(name, problem=f"{name} has more than the {max_bytes} bytes allowed")
                file.write(chunk)
        os.replace(part, outbox / name)
    except _Unreadable as error:
        return Artefact(name, problem=f"{name} can't be read: {error}")
    finally:
        part.unlink(missing_ok=True)
    return Artefact(name, path=outbox / name, size_bytes=size)
