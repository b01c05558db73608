"""Ctrl-C during a launch: once to finish what is in flight, twice to stop at once; and what batch systems send."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlesearch.study.workers.stopping import BATCH_SIGNALS


def stop_file_of(folder: Path) -> Path:
    """What exists in a study's folder once the user asked a launch of this process to stop.

    A new name each time: another launch that was killed may have left one, and in containers
    numbers of processes repeat.
    """
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())
    return folder / f".stop-{host}-{os.getpid()}-{secrets.token_hex(4)}"


@contextmanager
def others_uninterrupted() -> Iterator[None]:
    """Within it, processes that are started are not reached by Ctrl-C, which a terminal sends to all of a launch.

    They inherit that it is blocked for this thread; another thread of this process has to be there to receive it.
    """
    if threading.current_thread() is not threading.main_thread() or threading.active_count() < 2:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def stoppable(
    stop_file: Path, say: Callable[[str], None], grace_s: float = 0.0, *, others_follow: bool = False
) -> Iterator[None]:
    """Ctrl-C once: what is in flight finishes and nothing new begins; twice: stop at once.

    What a batch system or a closed terminal sends (SIGTERM, SIGUSR1, SIGUSR2, SIGHUP) lets what is in flight finish for
    a while. Programs that are stopped run again when the launch goes on; every reply that was paid for is kept.
    Signals reach the main thread alone: in another one this does nothing.

    Args:
        stop_file: is made when it is to stop.
        say: is told so.
        grace_s: what is in flight may take so long once a batch system asks, seconds.
        others_follow: workers elsewhere look at the stop file: it stays where they were not waited for.

    Raises:
        KeyboardInterrupt: it is to stop at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def stop(text: str) -> None:
        nonlocal asked
        asked = True
        with contextlib.suppress(OSError):  # a full disk: then what is in flight is all that can still end
            stop_file.parent.mkdir(parents=True, exist_ok=True)
            stop_file.touch()
        say(text)

    def pressed(signum: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        stop("stopping: the proposals in flight finish first (Ctrl-C again stops at once; nothing journaled is lost)")

    def sent(signum: int, frame: object) -> None:
        if grace_s <= 0:
            raise KeyboardInterrupt
        if not asked:
            name = signal.Signals(signum).name
            stop(f"stopping ({name}): what is in flight may take {grace_s:g} s (launcher.grace_s), then it is stopped")
            signal.setitimer(signal.ITIMER_REAL, grace_s)

    def over(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    handlers: dict[int, Callable[[int, object], None]] = dict.fromkeys(BATCH_SIGNALS, sent)
    handlers |= {signal.SIGINT: pressed, signal.SIGALRM: over}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup leaves it
        handlers[signal.SIGHUP] = sent
    before = {s: signal.signal(s, handler) for s, handler in handlers.items()}
    left = False
    try:
        yield
    except KeyboardInterrupt:
        left = others_follow
        if left:
            with contextlib.suppress(OSError):
                stop_file.touch()
            say(f"workers elsewhere stop by themselves while {stop_file} is there; it may be removed once they have")
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for signum, previous in before.items():
            signal.signal(signum, previous)
        if not left:
            stop_file.unlink(missing_ok=True)
