"""What the user asks of the workers of a study while they are at work, on whatever machines: they look every second.

<study>/pause.json       while it is there nothing new begins; what is in flight ends
<study>/requeue.jsonl    runs that failed and are to be tried again, one line a request
<study>/budget.json      what the study may cost, if that was set since a launch said it; looked at before each call;
                         while it is damaged, nothing new begins
"""

from __future__ import annotations

import contextlib
import errno
import json
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mlesearch.storage.files import append_line, read_lines, write_atomically
from mlesearch.types import MOST_USD, ConfigError, printable

PAUSE, REQUEUE, LIMIT = "pause.json", "requeue.jsonl", "budget.json"
_REPLACED = 3
"""So often a file may be replaced, on another machine, between its being opened and read."""
PAUSED = "the study is paused"
"""So begins what a worker of a paused study says that it waits for."""
LOOK_S = 1.0
"""Workers look so often."""


def pause(study: Path, why: str) -> None:
    """Ask that nothing new begins.

    Args:
        study: its folder.
        why: in words, which workers and `status` say.

    Raises:
        OSError: the disk did not take it.
    """
    write_atomically(study / PAUSE, json.dumps({"why": printable(why), "since_s": time.time()}) + "\n")


def end_pause(study: Path) -> bool:
    """Let workers begin runs again; returns whether there was a pause."""
    there = (study / PAUSE).exists()
    (study / PAUSE).unlink(missing_ok=True)
    return there


def why_paused(study: Path) -> str:
    """Why nothing new is to begin; empty where there is no pause."""
    try:
        content = json.loads((study / PAUSE).read_bytes())
    except FileNotFoundError:
        return ""
    except (OSError, ValueError):
        return "pause.json is there"
    why = content.get("why") if isinstance(content, dict) else None
    return why if isinstance(why, str) and why else "pause.json is there"


def until_off(study: Path) -> str:
    """What ends a pause, in words."""
    return f"nothing new begins until: {shlex.join(['mlesearch', 'pause', str(study), '--off'])}"


def set_study_usd(study: Path, study_usd: float | None) -> None:
    """Set what the study may cost from now on, whatever its launches said, for workers that are at work and later ones.

    Args:
        study: its folder.
        study_usd: the limit; None: there is none.

    Raises:
        OSError: the disk did not take it.
    """
    write_atomically(study / LIMIT, json.dumps({"study_usd": study_usd, "since_s": time.time()}) + "\n")


def forget_study_usd(study: Path) -> None:
    """Let each worker go by its launch again."""
    (study / LIMIT).unlink(missing_ok=True)


def study_usd_in_force(study: Path, launched: float | None) -> float | None:
    """What the study may cost now; None: that is not limited.

    Args:
        study: its folder.
        launched: what the launch said, which holds where nobody has set anything since.

    Raises:
        ConfigError: what was set can't be read: then no limit is known.
    """
    path = study / LIMIT
    try:
        content = json.loads(_newest(path))
        found = content["study_usd"]
        if found is not None and not (type(found) in (int, float) and 0 <= found <= MOST_USD):
            raise ValueError(f"{str(found)[:20]}; a number from 0 to {MOST_USD:.0f} is needed")
        return None if found is None else float(found)
    except (FileNotFoundError, NotADirectoryError):
        return launched
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"{path}: what the study may cost can't be read ({error}); set it again: "
            f"mlesearch budget {study} --study-usd USD"
        ) from error


def _why_unread(study: Path) -> str:
    """Why it is not known what the study may cost, and what to do; empty where it is."""
    try:
        study_usd_in_force(study, None)
    except ConfigError as error:
        return str(error)
    return ""


def _newest(path: Path) -> bytes:
    """A file that others replace; it is opened each time: that is when a file system of the network asks its server."""
    for _ in range(_REPLACED):
        try:
            return path.read_bytes()
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
    return path.read_bytes()


def ask_again(study: Path, run_ids: Sequence[str]) -> None:
    """Ask workers that are at work to try some runs again.

    Raises:
        OSError: the disk did not take it.
    """
    append_line(study / REQUEUE, {"run_ids": list(run_ids), "at_s": time.time()})


def asked_again_s(study: Path) -> dict[str, float]:
    """When each run was last asked to be tried again, by its id, in seconds since 1970."""
    found: dict[str, float] = {}
    for line in read_lines(study / REQUEUE):
        with contextlib.suppress(KeyError, TypeError, ValueError):
            found |= dict.fromkeys(line["run_ids"], float(line["at_s"]))
    return found


class RequestReader:
    """What is asked of a worker from when it began on. It looks at most once in `LOOK_S`."""

    def __init__(
        self,
        study: Path | None,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """What was asked before does not count.

        Args:
            study: its folder; None: nothing is ever asked.
            clock: seconds.
            say: is told, in one line each, that it has to wait, why, and that this is over; None: nobody is.
        """
        self._study, self._clock, self._say = study, clock, say
        self._looked_s = float("-inf")
        self._offset = 0
        self._unpaid: dict[str, bytes] = {}
        self._pause, self._unread = "", ""
        self.limit = b"" if study is None else _bytes_of(study / LIMIT)
        """What was set as the study's limit, as it stands in its file."""
        if study is not None:
            with contextlib.suppress(OSError):
                self._offset = (study / REQUEUE).stat().st_size

    @property
    def why_waiting(self) -> str:
        """Why nothing new is to begin: the study is paused, or its limit can't be read; empty where something may."""
        return f"{PAUSED} ({self._pause})" if self._pause else self._unread

    def look(self, *, at_once: bool = False) -> list[str]:
        """Read on; returns the ids of the runs that are to be tried again: as asked, or since the limit was changed.

        Args:
            at_once: however long ago it looked: for the last time.
        """
        if self._study is None or (not at_once and self._clock() - self._looked_s < LOOK_S):
            return []
        self._looked_s = self._clock()
        before = self.why_waiting
        self._pause, self._unread = why_paused(self._study), _why_unread(self._study)
        if self._say is not None and (why := self.why_waiting) != before:
            off = f"; {until_off(self._study)}" if self._pause else ""
            over = "the study is no longer paused" if before.startswith(PAUSED) else "the study's limit is known again"
            self._say(f"waiting: {why}{off}" if why else f"going on: {over}")
        self.limit = _bytes_of(self._study / LIMIT)
        paid = [run_id for run_id, limit in self._unpaid.items() if limit != self.limit]
        for run_id in paid:
            del self._unpaid[run_id]
        return paid + self._requeued(self._study / REQUEUE)

    def unpaid(self, run_id: str, limit: bytes) -> None:
        """A run found no money; it is to be tried again once the limit is another than when it began.

        Args:
            run_id: of the run.
            limit: what `limit` was then.
        """
        self._unpaid[run_id] = limit
        self._looked_s = float("-inf")  # it may be another one already

    def _requeued(self, path: Path) -> list[str]:
        found: list[str] = []
        with contextlib.suppress(OSError), open(path, "rb") as file:
            file.seek(self._offset)
            whole, newline, _ = file.read().rpartition(b"\n")
            self._offset += len(whole) + len(newline)
            for line in whole.split(b"\n"):
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    found += [run_id for run_id in json.loads(line)["run_ids"] if isinstance(run_id, str)]
        return found


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
