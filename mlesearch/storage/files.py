"""Files that are written whole or not at all, and files of JSON lines that are only added to."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlesearch.storage.codec import Json, dumps
from mlesearch.types import ConfigError


def write_atomically(path: Path, text: str | bytes, durable: bool = True) -> None:
    """Replace a file as a whole: after any kill it holds the old or the new text."""
    data = text.encode() if isinstance(text, str) else text
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as f:
            f.write(data)
            if durable:
                f.flush()
                os.fsync(f.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def append_line(path: Path, record: Mapping[str, object]) -> None:
    """Add one JSON line to a file with one call."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, dumps(record).encode() + b"\n")
    finally:
        os.close(fd)


def read_lines(path: Path) -> Iterator[Json]:
    """The records of a file of JSON lines; a torn last line is left out, an absent file is empty."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n")[:-1]:
        with contextlib.suppress(ValueError):
            yield json.loads(line)


def read_json(path: Path) -> Json:
    """A JSON object from a file.

    Raises:
        ConfigError: it is no JSON object.
    """
    try:
        value = json.loads(path.read_text())
    except OSError as e:
        raise ConfigError(f"{path}: can't be read ({e.strerror})") from None
    except ValueError as e:
        raise ConfigError(f"{path}: not JSON ({e}); restore it or remove the folder that holds it") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: a JSON object was expected")
    return value
