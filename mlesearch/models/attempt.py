"""What came of one attempt of a call. Knows no provider and no HTTP library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from mlesearch.types import ModelUnavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """Send the request again without this parameter."""

    parameter: str


@dataclass(frozen=True, slots=True)
class LowerLimit:
    """Send the request again with a lower limit on the answer.

    Attributes:
        tokens: what fits; None: nobody knows, less than was asked for.
        always: whether that is so for every prompt, and not only for this one.
    """

    tokens: int | None
    always: bool = False


@dataclass(frozen=True, slots=True)
class MoveSystem:
    """Send the request again with the system text at the head of the first user message."""


Change = LeaveOut | LowerLimit | MoveSystem
"""What to alter in a request that its provider refuses as it is. It costs nothing: a refused request is not billed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt.

    Attributes:
        error: what to raise where trying again is no use (and `RetriesExhausted` where it is, after the last try).
        retryable: whether the same request may succeed later.
        text: what happened, one line, free of secrets.
        retry_after_s: what the server asked for.
        change: how the request may be sent again at once; None: not at all.
        turned_away: the provider did not begin to answer; else nobody knows whether it counts the tokens.
        cut_off: an answer may have been begun, and may be billed: none came in time, or the connection broke.
        at_prompt: it may be this prompt at which the provider fails; not so for rate limits, overload, and what did
            not reach it.
    """

    error: type[ModelUnavailable]
    retryable: bool
    text: str
    retry_after_s: float | None = None
    change: Change | None = None
    turned_away: bool = False
    cut_off: bool = False
    at_prompt: bool = False


@dataclass(frozen=True, slots=True)
class Success(Generic[T]):
    """One attempt that worked, with its own duration in microseconds."""

    value: T
    service_us: int
