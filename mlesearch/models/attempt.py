"""What came of one attempt of a call. Knows no provider and no HTTP library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from mlesearch.types import ModelUnavailable

T = TypeVar("T")


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
