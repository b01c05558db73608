"""Waiting for what another process or thread brings about: looks again and again, and never for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(happens: Callable[[], bool], within_s: float) -> bool:
    """Wait for it; whether it did."""
    end = time.monotonic() + within_s
    while not happens() and time.monotonic() < end:
        time.sleep(0.05)
    return happens()


def wait_for(look: Callable[[], T], within_s: float = 120.0, every_s: float = 0.05) -> T:
    """What `look` sees once it is something.

    Args:
        look: is called again and again.
        within_s: for so long.
        every_s: with so long a pause each.

    Raises:
        AssertionError: it was nothing all that time.
    """
    end = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < end, f"not within {within_s:g} s"
        time.sleep(every_s)
    return seen
