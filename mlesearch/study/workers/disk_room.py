"""Room on a study's disk: where there is none nothing is begun, and work goes on by itself once there is again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from mlesearch.storage.file_systems import free_bytes, mount_of, takes

MIB, GIB = 1 << 20, 1 << 30
AGAIN_BYTES = 2 * MIB
"""After a disk was full, so much has to be free, or what is asked for if that is more."""
LATELY_S = 60.0
"""A run that says that the disk was full may say so when there is room again."""
LOOK_S = 2.0
"""How often a disk that was full is tried."""


class DiskRoom:
    """Watches the disk of a study for one process; says once that work pauses, and once that it goes on.

    Args:
        study: its folder.
        min_free_bytes: below which nothing is begun.
        say: is told, in one line each.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        study: Path,
        min_free_bytes: int,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._study = study
        self._min_free_bytes = min_free_bytes
        self._say = say
        self._clock = clock
        self._full = False
        self._look_after_s = 0.0
        self._why = ""
        self._lacked_s = float("-inf")

    def was_full(self) -> bool:
        """A run could not write: whether that is for want of room here, now or just before; then it is tried again."""
        self._full = True
        self._look_after_s = 0.0
        return bool(self.lacking()) or self._clock() - self._lacked_s < LATELY_S

    def lacking(self) -> str:
        """Why nothing may be begun now; empty where it may."""
        if self._clock() < self._look_after_s:
            return self._why
        why = self._lack()
        if bool(why) != bool(self._why):
            place = mount_of(self._study)
            self._say(
                f"paused: {why}; work goes on by itself once there is room" if why else f"going on: {place} has room"
            )
        self._why = why
        if why:
            self._lacked_s = self._clock()
        self._look_after_s = self._clock() + LOOK_S
        return why

    def _lack(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            free = free_bytes(self._study)
            if free < self._min_free_bytes:
                return (
                    f"{mount_of(self._study)}: {free // MIB} MiB are free and launcher.min_free_gib asks for "
                    f"{self._min_free_bytes // MIB}"
                )
            if self._full and not (free >= AGAIN_BYTES and takes(self._study, AGAIN_BYTES)):
                return f"the disk is full ({mount_of(self._study)}, {free // 1024} KiB are free)"
        self._full = False
        return ""
