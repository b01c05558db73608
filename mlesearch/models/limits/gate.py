"""The gate in front of a provider: requests and tokens a minute, calls in flight, and models that fail.

All calls of one key stand before one gate, whichever model, run or process they come from. What they have sent is in
counters that the processes of a machine share (`mlesearch.models.limits.counters`). On several machines nothing is
shared: each keeps to its part of every limit, and SQLite is never used on a network file system.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from mlesearch.models.attempt import Failure, Success
from mlesearch.models.limits.breakers import Refused
from mlesearch.models.limits.counters import CallCounters
from mlesearch.models.limits.place import CountersPlace, part_of
from mlesearch.models.limits.windows import Admitted, Caps, Wait
from mlesearch.models.protocol import AuthFailed, FatalModelError, QuotaExhausted, RetriesExhausted

FATAL = {kind.__name__: kind for kind in (AuthFailed, QuotaExhausted, FatalModelError)}

POLL_S = 0.25
"""A waiting call looks again at least this often: others may end sooner than the most they could take."""


@dataclass(frozen=True, slots=True)
class Channel:
    """What a call belongs to.

    Attributes:
        bucket: calls with one bucket share the limits: the name of the key's variable, or the endpoint.
        model: calls with one model share a breaker.
        caps: the limits that this model declares for them all, of all parts together.
    """

    bucket: str
    model: str
    caps: Caps = field(default_factory=Caps)


@dataclass(frozen=True, slots=True)
class Pass:
    """A call that was let through."""

    channel: Channel
    call: int | None
    at: float


class Gate:
    """One set of counters, and the threads of this process that stand before it; `gate` keeps one a process."""

    def __init__(self, place: CountersPlace) -> None:
        """Nothing is opened before the first call."""
        self.counters = CallCounters(place.path)
        self._place = place
        self._turns: dict[str, threading.Lock] = {}
        self._freed: dict[str, threading.Event] = {}
        self._limited: set[str] = set()  # buckets; another model's limits are learned from the counters

    def enter(self, channel: Channel, tokens: int, deadline_s: float, call_s: float) -> Pass | Failure:
        """Wait until a call may be sent.

        Args:
            channel: what it belongs to.
            tokens: the most that it can use.
            deadline_s: longest wait.
            call_s: its own time limit, once it was sent.

        Returns:
            The pass to `leave` with; or a failure, where the deadline comes first, or where the provider refused
            another call of this model a moment ago.
        """
        end = time.monotonic() + deadline_s
        while True:
            answer: Pass | Failure | Wait | Refused | None = self._in_turn(channel, tokens, end, call_s)
            while isinstance(answer, Wait):  # for its model: out of turn, so that calls of other models go meanwhile
                left_s = end - time.monotonic()
                if left_s <= 0:
                    return _too_late(answer.why)
                time.sleep(min(answer.seconds, left_s, POLL_S))
                answer = self.counters.held(channel.model, call_s)
            if isinstance(answer, Refused):
                return Failure(FATAL[answer.kind], False, answer.text)
            if answer is not None:
                return answer

    def _in_turn(self, channel: Channel, tokens: int, end: float, call_s: float) -> Pass | Failure | Wait | Refused:
        """Calls that have to wait for a limit form a queue: one thread of a process at a time asks the counters."""
        turn = self._turns.setdefault(channel.bucket, threading.Lock())
        if not turn.locked():
            caps = part_of(channel.caps, self._place.parts)
            answer = self.counters.reserve_at_once(channel.bucket, channel.model, caps, tokens, call_s)
            if answer is not None:
                return Pass(channel, answer.call, answer.at)
        if not channel.caps.any and channel.bucket not in self._limited:
            return self._ask(channel, tokens, end, call_s)
        acquired = False
        try:
            acquired = turn.acquire(timeout=max(0.0, min(end - time.monotonic(), threading.TIMEOUT_MAX)))
            return self._ask(channel, tokens, end, call_s) if acquired else _too_late("other calls wait in front of it")
        finally:
            if acquired:
                turn.release()

    def _ask(self, channel: Channel, tokens: int, end: float, call_s: float) -> Pass | Failure | Wait | Refused:
        """Wait for the limits; comes back with a `Wait` where the call waits for its model."""
        caps = part_of(channel.caps, self._place.parts)
        freed = self._freed.setdefault(channel.bucket, threading.Event())
        ticket: int | None = None
        try:
            while True:
                freed.clear()
                answer = self.counters.reserve(channel.bucket, channel.model, caps, tokens, ticket, call_s)
                if not isinstance(answer, Wait) or answer.ticket is None:
                    ticket = None  # it was given back
                    return Pass(channel, answer.call, answer.at) if isinstance(answer, Admitted) else answer
                ticket = answer.ticket
                self._limited.add(channel.bucket)
                left_s = end - time.monotonic()
                if left_s <= 0:
                    return _too_late(answer.why)
                freed.wait(min(answer.seconds, left_s, POLL_S))
        finally:
            if ticket is not None:
                self.counters.release(ticket)

    def leave(self, admitted: Pass, tokens: int | None, result: Success[Any] | Failure | None) -> None:
        """A call has ended.

        Args:
            admitted: its pass.
            tokens: what it used; None: nobody knows.
            result: what came of it; None: it was given up.
        """
        channel, counters = admitted.channel, self.counters
        # it is answered, if only that the model does not take this prompt
        answered = isinstance(result, Success) or (
            result is not None and not result.retryable and not issubclass(result.error, FatalModelError)
        )
        if admitted.call is not None:
            freed = self._freed.setdefault(channel.bucket, threading.Event())
            counters.settle(admitted.call, tokens, answered=answered, then=freed.set)
        elif answered:
            counters.succeeded(channel.bucket, channel.model)
        if answered:
            return
        if isinstance(result, Failure) and result.retryable:
            counters.failed(channel.model, admitted.at, result.retry_after_s)
        elif isinstance(result, Failure) and self._place.path is not None:
            # the key of a study is refused for all; a process alone may be given another one at any time
            counters.refused(channel.model, result.error.__name__, result.text)
        else:
            counters.abandoned(channel.model)


def _too_late(why: str) -> Failure:
    return Failure(RetriesExhausted, True, f"not sent: {why}")


@lru_cache(maxsize=64)
def _gate(place: CountersPlace, pid: int) -> Gate:
    return Gate(place)


def gate(place: CountersPlace) -> Gate:
    """This process's gate; a forked child has its own and leaves its parent's connection alone."""
    return _gate(place, os.getpid())
