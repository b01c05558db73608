"""Calls under way, as the progress of a launch shows them: beside the bar, or in a line now and then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlesearch.storage.under_way import calls_line

EVERY_S = 60.0
"""How often a launch without a terminal says what it waits for."""


class CallsUnderWay:
    """Reads what the runs of a launch wait for, once a second at most."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Nothing was read yet; folders: of the runs."""
        self._folders = folders
        self._read = 0.0
        self._said = time.monotonic()

    def say(self, bars: Any, task: Any, console: Any) -> None:
        """Show it.

        Args:
            bars: rich's progress bars.
            task: the bar beside which it stands on a terminal.
            console: where lines go.
        """
        now = time.monotonic()
        if now - self._read < 1.0:
            return
        self._read = now
        if console.is_terminal:
            line = calls_line(self._folders, time.time())
            bars.update(task, description=f"runs ({line})" if line else "runs")
        elif now - self._said >= EVERY_S:
            self._said = now
            line = calls_line(self._folders, time.time())
            if line:
                console.print(line, highlight=False, markup=False, soft_wrap=True)
