"""What a run of a live model is doing now, for whoever watches it: a small file, and no part of its state.

It is there only while a process is at work on the run. Times are of the wall clock, in seconds since 1970.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from mlesearch.storage.files import write_atomically

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
    """Replace the file; on a full disk the old one stays, since nothing depends on it."""
    with contextlib.suppress(OSError):
        write_atomically(folder / UNDER_WAY, json.dumps([asdict(p) for p in pieces]), durable=False)


def read_under_way(folder: Path) -> tuple[PieceOfWork, ...]:
    """What is under way; empty where no process says so."""
    try:
        found = json.loads((folder / UNDER_WAY).read_text(encoding="utf-8"))
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
