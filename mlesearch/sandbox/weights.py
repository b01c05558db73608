"""A folder of pretrained weights that programs may read: what it holds, for a run's identity and for its prompts."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mlesearch.sandbox.protocol import GIB, MIB, Spec
from mlesearch.types import ConfigError

NAME = "weights"
"""How a program finds it, beside `input`."""
SHOWN = 20
"""Entries of its top level that a prompt names at most."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What a folder of weights holds.

    Attributes:
        folder: without links.
        digest: over every file's name, its size, and the first and the last MiB of its content.
        entries: of its top level, (name, bytes, whether it is a folder), by name.
        public: whether every user of the machine may read all of it.
    """

    folder: str
    digest: str
    entries: tuple[tuple[str, int, bool], ...]
    public: bool


def look(folder: str | None) -> Weights | None:
    """What a folder holds; None for None.

    Raises:
        ConfigError: there is no such folder, it is empty, or programs could not read all of it.
    """
    if folder is None:
        return None
    real = os.path.realpath(folder)
    if not os.path.isdir(real):
        raise ConfigError(f"sandbox.weights: no folder {folder}; name one that holds pretrained weights, or null")
    if real == "/" or Path.home().is_relative_to(real):
        raise ConfigError(f"sandbox.weights: {folder} holds more than weights; name a folder that holds nothing else")
    try:
        found = _look(real, _stamp(real))
    except OSError as error:
        raise ConfigError(f"sandbox.weights: {error.filename} can't be read: {error.strerror}") from error
    if not found.entries:
        raise ConfigError(f"sandbox.weights: {folder} is empty; name a folder that holds pretrained weights, or null")
    return found


def identity(weights: Weights | None) -> Mapping[str, object]:
    """Their part of a sandbox's identity: what is there, and not where."""
    if weights is None:
        return {}
    return {NAME: {"digest": weights.digest, "entries": [list(entry) for entry in weights.entries]}}


def shown(weights: Weights | None, inside: str | None = None) -> dict[str, str]:
    """What a program's output shows in place of the folder's path, here and inside its sandbox."""
    return {} if weights is None else {weights.folder: NAME, inside or weights.folder: NAME}


def check(weights: Weights | None, spec: Spec) -> None:
    """Whether a task's answers are out of reach.

    Raises:
        ConfigError: they lie in the folder of weights, or it in theirs.
    """
    if weights is None:
        return
    for hidden in map(os.path.realpath, spec.hidden):
        if _within(hidden, weights.folder) or _within(weights.folder, hidden):
            raise ConfigError(
                f"sandbox.weights: {weights.folder} and the answers' folder of task {spec.task}, {hidden}, lie in each "
                "other; put the weights elsewhere"
            )


def describe(identity: Mapping[str, object]) -> str:
    """The weights as a prompt names them, from a sandbox's identity; empty without any."""
    found = identity.get(NAME)
    if not isinstance(found, Mapping):
        return ""
    entries: Sequence[tuple[str, int, bool]] = found["entries"]
    named = [f"{name}{'/' if is_folder else ''} ({size_text(size)})" for name, size, is_folder in entries[:SHOWN]]
    more = [f"and {len(entries) - SHOWN} more"] if len(entries) > SHOWN else []
    return ", ".join(named + more)


def size_text(size_bytes: int) -> str:
    """Bytes in words."""
    if size_bytes >= GIB:
        return f"{size_bytes / GIB:.3g} GiB"
    return f"{size_bytes / MIB:.3g} MiB" if size_bytes >= MIB else f"{size_bytes} bytes"


def _stamp(real: str) -> tuple[tuple[str, int, int, int], ...]:
    """Name, size, time of change and mode of every file: what a second look is spared by."""
    found = []
    for path in _files(real):
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"sandbox.weights: {path} is no regular file; a folder of weights holds files only")
        if not _within(os.path.realpath(path), real):
            raise ConfigError(f"sandbox.weights: {path} is a link that leads out of the folder; copy its file into it")
        found.append((os.path.relpath(path, real), status.st_size, status.st_mtime_ns, status.st_mode))
    return tuple(sorted(found))


def _files(real: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise error

    for parent, folders, names in os.walk(real, onerror=refuse):
        for name in folders:
            if os.path.islink(os.path.join(parent, name)):
                raise ConfigError(
                    f"sandbox.weights: {os.path.join(parent, name)} is a link to a folder; copy the folder into it"
                )
        yield from (os.path.join(parent, name) for name in names)


@lru_cache(maxsize=8)
def _look(real: str, stamp: tuple[tuple[str, int, int, int], ...]) -> Weights:
    digest = hashlib.sha256()
    sizes: dict[str, int] = {}
    public = True
    for name, size, _, mode in stamp:
        folders = (os.path.join(real, *name.split("/")[:n]) for n in range(name.count("/") + 1))
        public = public and mode & 0o004 != 0 and all(os.stat(f).st_mode & 0o005 == 0o005 for f in folders)
        digest.update(f"{len(name)} {name} {size} ".encode("utf-8", "surrogateescape"))
        with open(os.path.join(real, name), "rb") as file:
            digest.update(file.read(MIB))
            if size > MIB:
                file.seek(max(MIB, size - MIB))
                digest.update(file.read(MIB))
        top = name.split("/")[0]
        sizes[top] = sizes.get(top, 0) + size
    entries = tuple((top, size, os.path.isdir(os.path.join(real, top))) for top, size in sorted(sizes.items()))
    return Weights(real, digest.hexdigest()[:16], entries, public)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
