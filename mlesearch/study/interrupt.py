"""Ctrl-C during a launch: once to finish what is in flight, twice to stop at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def stop_file_of(folder: Path) -> Path:
    """What exists in a study's folder once the user asked the launch of this process to stop."""
    return folder / f".stop-{os.getpid()}"


@contextmanager
def stoppable(stop_file: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Ctrl-C once: what is in flight finishes and nothing new begins; twice, or SIGTERM: stop at once.

    Programs that run are stopped then, and run again when the launch goes on; every reply that was paid for is kept.
    Signals reach the main thread alone: in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    presses = 0

    def pressed(signum: int, frame: object) -> None:
        nonlocal presses
        presses += 1
        if presses == 1 and signum == signal.SIGINT:
            stop_file.parent.mkdir(parents=True, exist_ok=True)
            stop_file.touch()
            say(
                "stopping: the proposals in flight finish first (Ctrl-C again stops at once; nothing journaled is lost)"
            )
        else:
            raise KeyboardInterrupt

    before = {s: signal.signal(s, pressed) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        stop_file.unlink(missing_ok=True)
