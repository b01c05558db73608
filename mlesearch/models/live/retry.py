"""Trying again: how long to wait, how often, and when to give up. Knows no provider and no HTTP library."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from mlesearch.models.attempt import Failure, Success
from mlesearch.models.protocol import BeforeRetry, PromptFailure, RetriesExhausted
from mlesearch.types import Usage

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


def persist(
    attempt: Callable[[float], Success[T] | Failure],
    *,
    owner: str,
    deadline_s: float,
    max_retries: int,
    backoff: Backoff,
    worst_nusd: int = 0,
    before_retry: BeforeRetry | None = None,
    deadline_name: str = "",
) -> tuple[Success[T], int, int]:
    """Call `attempt(seconds left)` until it succeeds, can't succeed, or time or tries run out.

    Args:
        attempt: one try.
        owner: the start of every error.
        deadline_s: for all of it.
        max_retries: tries after the first.
        backoff: how long to wait between them.
        worst_nusd: the most that one try can cost.
        before_retry: called before a try that follows one which was cut off.
        deadline_name: what sets the deadline, for its error.

    Returns:
        The success; the microseconds that went into everything else (waiting, backoff, failed attempts); and the most
        that attempts which were cut off may have cost, nano-dollars.

    Raises:
        ModelUnavailable: the failure's own class where trying again is no use; its usage is what was lost.
        RetriesExhausted: after the last try, or where the next one would begin after the deadline; in its place the
            failure's own class where that is a failure of the prompt.
    """
    named = f" ({deadline_name})" if deadline_name else ""
    start_ns = time.monotonic_ns()
    failures = lost_nusd = 0
    while True:
        result = attempt(deadline_s - _elapsed_s(start_ns))
        if isinstance(result, Success):
            wait_us = (time.monotonic_ns() - start_ns) // 1000 - result.service_us
            return result, max(0, wait_us), lost_nusd
        if result.cut_off:
            lost_nusd += worst_nusd
        lost = Usage(lost_nusd=lost_nusd)
        if not result.retryable:
            raise result.error(f"{owner}: {result.text}", lost)
        failures += 1
        exhausted = result.error if issubclass(result.error, PromptFailure) else RetriesExhausted
        wait_s = backoff.wait_s(failures, result.retry_after_s)
        elapsed_s = _elapsed_s(start_ns)
        tries = f"{failures} {'try' if failures == 1 else 'tries'} in {elapsed_s:.1f} s"
        if failures > max_retries:
            why = f"gave up after {tries}, the most that max_retries allows"
            raise exhausted(f"{owner}: {result.text}; {why}", lost)
        if elapsed_s + wait_s >= deadline_s - LEAST_LEFT_S:
            asked = f" (the server asks to wait {result.retry_after_s:.0f} s)" if result.retry_after_s else ""
            why = f"gave up after {tries}: no time for another before the deadline of {deadline_s:.1f} s{named}"
            raise exhausted(f"{owner}: {result.text}{asked}; {why}", lost)
        time.sleep(wait_s)
        if result.cut_off and before_retry is not None:
            before_retry()


def _elapsed_s(start_ns: int) -> float:
    return (time.monotonic_ns() - start_ns) / 1e9
