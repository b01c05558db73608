"""What a run of a live model is doing now, for whoever watches it: a small file, and no part of its state.

It is there only while a process is at work on the run. Times are of the wall clock, in seconds since 1970.

Its first line counts. It is written over in place, twice a step: to replace the file would make the file system put it
on the disk each time (ext4 does, where a file takes the place of another). What is longer than the new line stays
behind it; and a reader that comes in the middle of a write finds nothing, or what is half a step old.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from mlesearch.storage.files import open_file, write_whole

UNDER_WAY = "under_way.json"


@dataclass(frozen=True, slots=True)
class PieceOfWork:
    """What one worker is doing.

    Attributes:
        worker: which.
        proposal: whose work it is.
        kind: "call", "embedding" or "program".
        begun_s: when it began.
        limit_s: when it ends at the latest, seconds after that.
    """

    worker: int
    proposal: int
    kind: str
    begun_s: float
    limit_s: float


def write_under_way(folder: Path, pieces: Iterable[PieceOfWork]) -> None:
    """Say what is under way; on a full disk it may stay unsaid, since nothing depends on it."""
    path = folder / UNDER_WAY
    line = json.dumps([asdict(p) for p in pieces]).encode() + b"\n"
    with contextlib.suppress(OSError):
        fd = open_file(path, os.O_WRONLY)
        try:
            write_whole(fd, line, path)
        finally:
            os.close(fd)  # over a network, others see it from then on


def read_under_way(folder: Path) -> tuple[PieceOfWork, ...]:
    """What is under way; empty where no process says so."""
    try:
        found = json.loads((folder / UNDER_WAY).read_bytes().partition(b"\n")[0])
        return tuple(PieceOfWork(**piece) for piece in found)
    except (OSError, ValueError, TypeError):
        return ()


def end_under_way(folder: Path) -> None:
    """Remove the file."""
    with contextlib.suppress(OSError):
        (folder / UNDER_WAY).unlink()


def calls_line(folders: Iterable[Path], now_s: float) -> str:
    """The calls under way of some runs, in one line; empty where there are none.

    Args:
        folders: of the runs.
        now_s: the time.
    """
    calls = [p for folder in folders for p in read_under_way(folder) if p.kind == "call"]
    if not calls:
        return ""
    oldest = min(calls, key=lambda p: p.begun_s)
    some = f"{len(calls)} call{'s' if len(calls) > 1 else ''} under way, the longest for {now_s - oldest.begun_s:.0f} s"
    return f"{some} of at most {oldest.limit_s:.0f} s (model.call_timeout_s)"
