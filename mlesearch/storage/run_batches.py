"""Files of several runs in one byte string, compressed together: most of what a run says is said by all of its cell.

One line of JSON has the names and sizes of each run's files; they follow one after the other. The whole is one frame of
Zstandard, which `zstd -d` takes apart like any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

CODEC, LEVEL = "zstd", 3
"""Of compression: higher levels take longer and gain little."""


@lru_cache(maxsize=1)
def _codec() -> Any:
    """Imported when it is needed: most commands meet no such store, and need not wait for it."""
    import pyarrow

    return pyarrow.Codec(CODEC, compression_level=LEVEL)


def compressed(data: bytes) -> bytes:
    """A frame that holds some bytes."""
    packed: bytes = _codec().compress(data, asbytes=True)
    return packed


def decompressed(packed: bytes, size_bytes: int) -> bytes:
    """What a frame holds.

    Args:
        packed: the frame.
        size_bytes: of what it holds.

    Raises:
        ValueError: it is damaged, or holds another number of bytes.
    """
    try:
        data: bytes = _codec().decompress(packed, decompressed_size=size_bytes, asbytes=True)
    except (OSError, OverflowError, MemoryError) as error:
        raise ValueError(str(error)) from error
    if len(data) != size_bytes:
        raise ValueError(f"{len(data)} bytes where {size_bytes} are needed")
    return data


def joined(runs: Sequence[Mapping[str, bytes]]) -> bytes:
    """The files of some runs as one byte string."""
    head = json.dumps([[[name, len(data)] for name, data in files.items()] for files in runs])
    return b"".join([head.encode(), b"\n", *(data for files in runs for data in files.values())])


def apart(data: bytes) -> list[dict[str, bytes]]:
    """What `joined` made one of.

    Raises:
        ValueError: it is damaged.
    """
    at = data.index(b"\n") + 1
    found: list[dict[str, bytes]] = []
    for sizes in json.loads(data[: at - 1]):
        files = {}
        for name, size in sizes:
            files[name] = data[at : at + size]
            at += size
        found.append(files)
    if at != len(data):
        raise ValueError("its sizes do not add up")
    return found
