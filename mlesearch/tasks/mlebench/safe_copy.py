"""A copy of what a program left, made by the rules by which submissions are read."""

from __future__ import annotations

import os
from pathlib import Path

from mlesearch.tasks.submission import open_regular

_CHUNK = 1 << 20


def copy_safely(path: Path, target: Path, limit_bytes: int) -> str:
    """Copy a regular file, or say what is wrong: no link is followed, nothing waited for or read past the limit.

    The file that was looked at is the one that is copied, whatever takes its name meanwhile.

    Args:
        path: what a program left.
        target: a name that is free, in a folder that no program sees.
        limit_bytes: the largest allowed.

    Returns:
        The problem in words; empty where it was copied.
    """
    opened = open_regular(path, limit_bytes)
    if isinstance(opened, str):
        return opened
    left = limit_bytes
    with os.fdopen(opened, "rb") as source, target.open("xb") as copy:
        while data := source.read(min(_CHUNK, left + 1)):
            left -= len(data)
            if left < 0:
                break
            copy.write(data)
    if left < 0:
        target.unlink()
        return f"{path.name} grew to more than the {limit_bytes:,} bytes that are allowed"
    return ""
