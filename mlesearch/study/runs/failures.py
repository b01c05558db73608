"""Failures of runs by what helps against them: waiting, another worker, or nothing but a change by the user."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mlesearch.engine.refusals import OnlyRefusals
from mlesearch.models.protocol import FatalModelError, PromptFailure
from mlesearch.storage import file_systems
from mlesearch.storage.journal import JournalBusy
from mlesearch.storage.lease_files import FruitlessDeath
from mlesearch.storage.worker_files import ErrorClass
from mlesearch.types import GraderUnavailable, ModelUnavailable, SandboxUnavailable

LOSSES_SET_ASIDE = 3
"""A run that ended its process or its worker so often without getting any further is not begun again."""

_SHORTAGES = frozenset(
    {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETIMEDOUT, errno.EBUSY, errno.ECONNRESET}
)
"""What a machine or a server answers when it is short of something for a while."""
_NOT_BY_WAITING = frozenset({errno.EROFS, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How often a run is tried again by itself in one launch, and after how long.

    Attributes:
        retries: after the first attempt.
        first_s: wait before the first of them, seconds.
        growth: each wait is so many times the one before.
        longest_s: the longest wait.
    """

    retries: int = 2
    first_s: float = 10.0
    growth: float = 4.0
    longest_s: float = 600.0

    def wait_s(self, failures: int) -> float | None:
        """Seconds to wait after so many failed attempts; None where the run is not tried again."""
        if failures > self.retries:
            return None
        return min(self.longest_s, self.first_s * self.growth ** (failures - 1))


def error_class_of(error: BaseException) -> ErrorClass:
    """Whether a failure may pass by itself."""
    if isinstance(error, FatalModelError | OnlyRefusals | PromptFailure):
        return "permanent"
    if isinstance(error, ModelUnavailable | SandboxUnavailable | GraderUnavailable | JournalBusy | MemoryError):
        return "transient"
    if file_systems.is_full(error):
        return "transient"
    if isinstance(error, OSError):
        number = error.errno
        passes = number in _SHORTAGES or (file_systems.is_fault(error) and number not in _NOT_BY_WAITING)
        return "transient" if passes and number not in file_systems.NO_SUPPORT else "permanent"
    return "permanent"


def deaths_in_words(deaths: Sequence[FruitlessDeath]) -> str:
    """Why a run is set aside whose workers ended, one after the other."""
    hosts = Counter(death.host for death in deaths)
    places = ", ".join(f"{name} ({n} times)" if n > 1 else name for name, n in hosts.items())
    return (
        f"its worker ended {len(deaths)} times without a word, at the same point of this run, the last time with "
        f"nothing else under way (on {places}; out of memory, a machine that went down, a kill without warning, or a "
        "time limit shorter than one program takes); set aside"
    )
