"""Trying again: how long to wait, how often, and when to give up. Knows no provider and no HTTP library."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mlesearch.models.protocol import RetriesExhausted
from mlesearch.types import ModelUnavailable

T = TypeVar("T")

LEAST_LEFT_S = 0.05  # no attempt is begun with less time than this before the deadline

_jitter = random.SystemRandom()  # decides nothing but a waiting time; without state, so a fork can't repeat it


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter.

    Attributes:
        base_s: upper end of the first wait; doubled at every further one.
        cap_s: the upper end never exceeds this.
    """

    base_s: float = 1.0
    cap_s: float = 60.0

    def wait_s(self, failures: int, retry_after_s: float | None) -> float:
        """Seconds to wait after the `failures`-th failure in a row, never less than the server asked for."""
        spread = _jitter.uniform(0.0, min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, 32)))
        if retry_after_s is None:
            return spread
        return retry_after_s + min(spread, self.base_s)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt.

    Attributes:
        error: what to raise where trying again is no use (and `RetriesExhausted` where it is, after the last try).
        retryable: whether the same request may succeed later.
        text: what happened, one line, free of secrets.
        retry_after_s: what the server asked for.
        unsupported: the parameter that the provider does not take; the request may be sent again without it.
        turned_away: the provider did not begin to answer; else nobody knows whether it counts the tokens.
        cut_off: an answer may have been begun, and may be billed: none came in time, or the connection broke.
    """

    error: type[ModelUnavailable]
    retryable: bool
    text: str
    retry_after_s: float | None = None
    unsupported: str | None = None
    turned_away: bool = False
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class Success(Generic[T]):
    """One attempt that worked, with its own duration in microseconds."""

    value: T
    service_us: int


def persist(
    attempt: Callable[[float], Success[T] | Failure],
    *,
    owner: str,
    deadline_s: float,
    max_retries: int,
    backoff: Backoff,
) -> tuple[Success[T], int]:
    """Call `attempt(seconds left)` until it succeeds, can't succeed, or time or tries run out.

    Returns:
        The success, and the microseconds that went into everything else (waiting, backoff, failed attempts).

    Raises:
        ModelUnavailable: the failure's own class where trying again is no use.
        RetriesExhausted: after the last try, or where the next one would begin after the deadline.
    """
    start_ns = time.monotonic_ns()
    failures = 0
    while True:
        result = attempt(deadline_s - _elapsed_s(start_ns))
        if isinstance(result, Success):
            wait_us = (time.monotonic_ns() - start_ns) // 1000 - result.service_us
            return result, max(0, wait_us)
        if not result.retryable:
            raise result.error(f"{owner}: {result.text}")
        failures += 1
        wait_s = backoff.wait_s(failures, result.retry_after_s)
        elapsed_s = _elapsed_s(start_ns)
        tries = f"{failures} {'try' if failures == 1 else 'tries'} in {elapsed_s:.1f} s"
        if failures > max_retries:
            raise RetriesExhausted(f"{owner}: {result.text}; gave up after {tries}, the most that max_retries allows")
        if elapsed_s + wait_s >= deadline_s - LEAST_LEFT_S:
            asked = f" (the server asks to wait {result.retry_after_s:.0f} s)" if result.retry_after_s else ""
            raise RetriesExhausted(
                f"{owner}: {result.text}{asked}; gave up after {tries}: no time for another before the deadline "
                f"of {deadline_s:.1f} s"
            )
        time.sleep(wait_s)


def _elapsed_s(start_ns: int) -> float:
    return (time.monotonic_ns() - start_ns) / 1e9
