"""Whether the disk of a study has room for what a run writes next: while it has not, nothing is begun."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mlesearch.storage.file_systems import check_space, in_words

_LOOK_S = 1.0


class DiskRoom:
    """Looks at the disk of a study, once a second at most, and says when it is full and when there is room again."""

    def __init__(
        self, study: Path | None, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing was looked at.

        Args:
            study: its folder; None: there is always room.
            say: is told of a disk that is full, and of one that is not any more.
            clock: seconds.
        """
        self._study, self._say, self._clock = study, say, clock
        self._looked_s = float("-inf")
        self._why = ""

    def lacking(self) -> str:
        """Why nothing can be begun, in words; empty where it can."""
        if self._study is None or self._clock() - self._looked_s < _LOOK_S:
            return self._why
        self._looked_s = self._clock()
        before, self._why = self._why, _why(self._study)
        if self._why and not before:
            self._say(f"paused: {self._why}; it goes on by itself once there is room")
        elif before and not self._why:
            self._say("there is room again: going on")
        return self._why


def _why(study: Path) -> str:
    try:
        check_space(study)
    except OSError as error:
        return in_words(error, study)
    return ""
