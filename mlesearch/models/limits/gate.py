"""The gate in front of a provider: requests and tokens a minute, calls in flight, and models that fail.

All calls of one key stand before one gate, whichever model, run or process they come from. What they have sent is in a
counters that the processes of a machine share (`mlesearch.models.limits.counters`). On several machines nothing is
shared: each keeps to its part of every limit, and SQLite never lies on a network file system.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mlesearch.models.limits.breakers import Refused
from mlesearch.models.limits.counters import CallCounters
from mlesearch.models.limits.windows import Admitted, Caps, Wait
from mlesearch.models.params import LiveParams
from mlesearch.models.protocol import AuthFailed, FatalModelError, QuotaExhausted, RetriesExhausted
from mlesearch.models.retry import Failure, Success
from mlesearch.types import ConfigError

FATAL = {kind.__name__: kind for kind in (AuthFailed, QuotaExhausted, FatalModelError)}

POLL_S = 0.25
"""A waiting call looks again at least this often: others may end sooner than the most they could take."""

NETWORK = {
    *("afs", "beegfs", "ceph", "cifs", "fhgfs", "fuse.ceph", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "glusterfs"),
    *("gpfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "wekafs"),
}
"""File systems on which SQLite's locks can't be trusted, as the kernel calls them."""


@dataclass(frozen=True, slots=True)
class Shared:
    """Where the counters of a study's processes lies, and which part of every limit is theirs.

    Attributes:
        path: of the database; None: this process shares with no other.
        parts: in how many equal parts each limit is split; a process keeps to one of them.
    """

    path: Path | None = None
    parts: int = 1


ALONE = Shared()


@runtime_checkable
class Limited(Protocol):
    """A model or embedder that calls a provider."""

    @property
    def params(self) -> LiveParams:
        """Among them, its limits."""
        ...

    def share(self, shared: Shared) -> None:
        """Keep to the limits together with other processes."""
        ...


def share(folder: Path, partition: int | None, *, network: bool | None = None, limited: bool = True) -> Shared:
    """Where the processes of a study share their limits.

    Args:
        folder: of the study.
        partition: None: one set of counters, in the folder; N: N jobs that share nothing, each with an Nth of every
            limit and counters on its machine's own disk.
        network: whether the folder is on a network file system; None: look.
        limited: whether anything is limited.

    Raises:
        ConfigError: the folder is on a network file system, and nobody said how many jobs there are.
    """
    if partition is None:
        if not (file_system_of(folder) in NETWORK if network is None else network):
            return Shared(folder / "limits.db")
        if limited:
            raise ConfigError(
                f"limits.partition: {folder} is on a network file system, where the limits of a model can't be "
                f"shared; set limits.partition to the number of jobs that run side by side (1 if there is one)"
            )
        return ALONE
    if partition < 1:
        raise ConfigError(f"limits.partition: {partition}; at least 1 is needed, or null to share them in one place")
    name = sha256(str(folder.absolute()).encode()).hexdigest()[:16]
    return Shared(Path(tempfile.gettempdir()) / f"mlesearch-{os.getuid()}" / f"limits-{name}.db", partition)


def file_system_of(folder: Path) -> str:
    """The kernel's name for the file system that a folder is on, or will be; empty where it can't be told."""
    nearest = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists()).resolve()
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return ""
    mounts = [(Path(words[1].replace("\\040", " ")), words[2]) for words in map(str.split, lines)]
    covering = [(len(place.parts), n, kind) for n, (place, kind) in enumerate(mounts) if nearest.is_relative_to(place)]
    return max(covering, default=(0, 0, ""))[2]


def part_of(caps: Caps, parts: int) -> Caps:
    """An Nth of every limit, rounded down, but at least 1."""
    if parts == 1 or not caps.any:
        return caps

    def part(limit: int | None) -> int | None:
        return None if limit is None else max(1, limit // parts)

    return Caps(part(caps.requests), part(caps.tokens), part(caps.in_flight), caps.window_s)


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

    def __init__(self, shared: Shared) -> None:
        """Nothing is opened before the first call."""
        self.counters = CallCounters(shared.path)
        self._shared = shared
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
            caps = part_of(channel.caps, self._shared.parts)
            answer = self.counters.admit_at_once(channel.bucket, channel.model, caps, tokens, call_s)
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
        caps = part_of(channel.caps, self._shared.parts)
        freed = self._freed.setdefault(channel.bucket, threading.Event())
        ticket: int | None = None
        try:
            while True:
                freed.clear()
                answer = self.counters.admit(channel.bucket, channel.model, caps, tokens, ticket, call_s)
                if not isinstance(answer, Wait) or answer.ticket is None:
                    ticket = None  # the counters have taken it back
                    return Pass(channel, answer.call, answer.at) if isinstance(answer, Admitted) else answer
                ticket = answer.ticket
                self._limited.add(channel.bucket)
                left_s = end - time.monotonic()
                if left_s <= 0:
                    return _too_late(answer.why)
                freed.wait(min(answer.seconds, left_s, POLL_S))
        finally:
            if ticket is not None:
                self.counters.leave(ticket)

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
        elif isinstance(result, Failure) and self._shared.path is not None:
            # the key of a study is refused for all; a process alone may be given another one at any time
            counters.refused(channel.model, result.error.__name__, result.text)
        else:
            counters.abandoned(channel.model)


def _too_late(why: str) -> Failure:
    return Failure(RetriesExhausted, True, f"not sent: {why}")


@lru_cache(maxsize=64)
def _gate(shared: Shared, pid: int) -> Gate:
    return Gate(shared)


def gate(shared: Shared) -> Gate:
    """This process's gate; a forked child has its own and leaves its parent's connection alone."""
    return _gate(shared, os.getpid())
