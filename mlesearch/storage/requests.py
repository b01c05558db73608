"""What the user asks of the workers of a study while they are at work, on whatever machines: they look every second.

<study>/pause.json       while it is there nothing new begins; what is in flight ends
<study>/requeue.jsonl    runs that failed and are to be tried again, one line a request
"""

from __future__ import annotations

import contextlib
import json
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mlesearch.storage.files import append_line, read_lines, write_atomically
from mlesearch.types import printable

PAUSE, REQUEUE = "pause.json", "requeue.jsonl"
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
            say: is told, in one line each, that a pause began and that it is over; None: nobody is.
        """
        self._study, self._clock, self._say = study, clock, say
        self._looked_s = float("-inf")
        self._offset = 0
        self.paused = ""
        """Why nothing new is to begin; empty where something may."""
        if study is not None:
            with contextlib.suppress(OSError):
                self._offset = (study / REQUEUE).stat().st_size

    @property
    def why_waiting(self) -> str:
        """That the study is paused, and why; empty where it is not."""
        return f"the study is paused ({self.paused})" if self.paused else ""

    def look(self) -> list[str]:
        """Read on; returns the ids of the runs that are to be tried again."""
        if self._study is None or self._clock() - self._looked_s < LOOK_S:
            return []
        self._looked_s = self._clock()
        why = why_paused(self._study)
        if why != self.paused:
            self.paused = why
            if self._say is not None:
                off = shlex.join(["mlesearch", "pause", str(self._study), "--off"])
                over = "going on: the study is no longer paused"
                self._say(f"waiting: {self.why_waiting}; nothing new begins until: {off}" if why else over)
        return self._requeued(self._study / REQUEUE)

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
