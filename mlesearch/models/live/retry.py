"""Trying again: how long to wait, how often, and when to give up. Knows no provider and no HTTP library."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from mlesearch.models.attempt import Failure, Success
from mlesearch.models.protocol import BeforeRetry, NeverAnswered, PromptFailure, RetriesExhausted
from mlesearch.types import Usage

T = TypeVar("T")

LEAST_LEFT_S = 0.05  # no attempt is begun with less time than this before the deadline

PROBE_S = 10.0
"""At the end of a deadline, at most a tenth of it, for asking the provider something else."""

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
class Probed:
    """What came of asking the provider something else than what it fails at.

    Attributes:
        answers: whether it answered that.
        lost_nusd: the most that it may have cost, nano-dollars.
    """

    answers: bool
    lost_nusd: int


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
    probe: Callable[[float], Probed] | None = None,
) -> tuple[Success[T], int, int]:
    """Call `attempt(seconds left)` until it succeeds, can't succeed, or time or tries run out.

    Where a failure may be this prompt's own and nothing is left to try, the provider is asked something else. If it
    answers that, and fails at this prompt once more where there is time for it, the failure is the prompt's: a run that
    stopped at it would stop at it again, however often it is resumed.

    Args:
        attempt: one try.
        owner: the start of every error.
        deadline_s: for all of it.
        max_retries: tries after the first.
        backoff: how long to wait between them.
        worst_nusd: the most that one try can cost.
        before_retry: called before a try that follows one which was cut off, and before the probe.
        deadline_name: what sets the deadline, for its error.
        probe: asks the provider something else, within so many seconds; a part of the deadline is reserved for it.

    Returns:
        The success; the microseconds that went into everything else (waiting, backoff, failed attempts); and the most
        that attempts which were cut off may have cost, nano-dollars.

    Raises:
        ModelUnavailable: the failure's own class where trying again is no use; its usage is what was lost.
        RetriesExhausted: after the last try, or where the next one would begin after the deadline; in its place the
            failure's own class where that is a failure of the prompt, and `NeverAnswered` as said above.
    """
    until_s = deadline_s - (0.0 if probe is None else min(PROBE_S, deadline_s / 10))
    named = f" ({deadline_name})" if deadline_name else ""
    start_ns = time.monotonic_ns()
    failures = lost_nusd = 0
    answers_others = False
    while True:
        result = attempt(until_s - _elapsed_s(start_ns))
        if isinstance(result, Success):
            wait_us = (time.monotonic_ns() - start_ns) // 1000 - result.service_us
            return result, max(0, wait_us), lost_nusd
        if result.cut_off:
            lost_nusd += worst_nusd
        lost = Usage(lost_nusd=lost_nusd)
        if not result.retryable:
            raise result.error(f"{owner}: {result.text}", lost)
        failures += 1
        wait_s = backoff.wait_s(failures, result.retry_after_s)
        elapsed_s = _elapsed_s(start_ns)
        tries = f"{failures} {'try' if failures == 1 else 'tries'} in {elapsed_s:.1f} s"
        ends = failures > max_retries or elapsed_s + wait_s >= until_s - LEAST_LEFT_S
        if ends and result.at_prompt and probe is not None and not answers_others:
            if before_retry is not None:
                before_retry()
            probed = probe(deadline_s - elapsed_s)
            answers_others, wait_s = probed.answers, 0.0
            lost_nusd += probed.lost_nusd
            lost = Usage(lost_nusd=lost_nusd)
            ends = not answers_others or _elapsed_s(start_ns) >= until_s - LEAST_LEFT_S
        if ends and answers_others and result.at_prompt:
            why = f"{tries} came to that with this prompt, while another one was answered"
            raise NeverAnswered(f"{owner}: {result.text}; {why}", lost)
        if ends:
            exhausted = result.error if issubclass(result.error, PromptFailure) else RetriesExhausted
            if failures > max_retries:
                why = f"gave up after {tries}, the most that max_retries allows"
            else:
                asked = f" (the server asks to wait {result.retry_after_s:.0f} s)" if result.retry_after_s else ""
                late = f"no time for another before the deadline of {deadline_s:.1f} s{named}"
                why = f"gave up after {tries}: {late}{asked}"
            raise exhausted(f"{owner}: {result.text}; {why}", lost)
        time.sleep(wait_s)
        if result.cut_off and before_retry is not None:
            before_retry()


def _elapsed_s(start_ns: int) -> float:
    return (time.monotonic_ns() - start_ns) / 1e9
