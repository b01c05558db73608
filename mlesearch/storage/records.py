"""Small files that many processes write and one reads: what is gone, torn or of a later version costs itself alone."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Made = TypeVar("_Made", bound="DataclassInstance")
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "float | None": (int, float, type(None)),
}


def stamps(folder: Path, ending: str) -> list[tuple[Path, tuple[int, int, int]]]:
    """The files of a folder whose names end so, each with its size in bytes, time and number; none is a temporary."""
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(ending) and not entry.name.startswith("."):
                with contextlib.suppress(OSError):
                    seen = entry.stat()
                    found.append((Path(entry.path), (seen.st_size, seen.st_mtime_ns, seen.st_ino)))
    return sorted(found)


def bytes_of(path: Path) -> bytes:
    """What a file holds; nothing where it can't be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def object_of(text: bytes) -> dict[str, Any] | None:
    """A JSON object; None where the text is none."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def made_of(kind: type[_Made], content: object, choices: Mapping[str, Collection[str]]) -> _Made | None:
    """A record of what is known and right in it; None where it does not even say whose it is.

    Args:
        kind: a dataclass of texts, numbers, and tuples that the caller has made.
        content: as read.
        choices: by field, the texts that there are.
    """
    if not isinstance(content, dict):
        return None
    known = [f for f in fields(kind) if f.name in content]
    right = {f.name: content[f.name] for f in known if _right(content[f.name], str(f.type), choices.get(f.name))}
    try:
        return kind(**right)
    except TypeError:
        return None


def _right(value: object, annotation: str, choices: Collection[str] | None) -> bool:
    if choices is not None:
        return value in choices
    kind = tuple if annotation.startswith("tuple[") else _KINDS[annotation]
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
