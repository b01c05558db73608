"""The events of a run's journal, as they stand on disk: one JSON object a line, told apart by `type`.

Times are integers in microseconds (keys that end in `us`, and `t`, the charged time at which something ended), money is
in integer nano-dollars (`nusd`): a float sum would depend on scheduling. What an event holds of the nouns of
`mlesearch.types` is their form in `mlesearch.storage.codec`. Keys are written in the order in which they stand here.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from mlesearch.storage.codec import Json


class Header(TypedDict):
    """The first line of a journal."""

    type: Literal["journal"]
    format: int
    mlesearch: str
    run: str
    identity: NotRequired[str]


class Asked(TypedDict):
    """A strategy proposed `p`; `used` is the fraction of the budget that it was told of."""

    type: Literal["asked"]
    worker: int
    t: int
    used: float
    p: Json


class Replied(TypedDict):
    """A model answered a call of an operator, or a review of its program; the text or the blob that holds it."""

    type: Literal["reply", "review"]
    id: int
    op: str
    attempt: int
    t: int
    usage: Json
    finish: str
    model: str
    text: NotRequired[str]
    blob: NotRequired[str]
    prompt: NotRequired[str]
    charged_nusd: NotRequired[int]
    dropped: NotRequired[list[str]]


class Embedded(TypedDict):
    """Hypotheses got their vectors, which stand in a blob."""

    type: Literal["embedded"]
    id: int
    t: int
    usage: Json
    blob: str
    charged_nusd: NotRequired[int]


class Executed(TypedDict):
    """A program ended; its output stands in the event, or in the blob that it names."""

    type: Literal["executed"]
    id: int
    t: int
    program: str
    result: Json
    output: NotRequired[Json | str]


class Told(TypedDict):
    """A strategy was told the outcome of a proposal, and decided."""

    type: Literal["told"]
    id: int
    t: int
    real_us: int
    outcome: Json
    problem: NotRequired[str]
    verdicts: NotRequired[list[Json]]


class Closing(TypedDict):
    """The search is over; the candidates are run again on fresh splits before one is submitted."""

    type: Literal["closing"]
    status: str
    candidates: list[int]
    t: int


class Revalidated(TypedDict):
    """A candidate was run on a fresh split."""

    type: Literal["revalidated"]
    id: int
    split: int
    worker: int
    t: int
    score: float | None
    result: Json
    problem: NotRequired[str]


class Ended(TypedDict):
    """The run is over."""

    type: Literal["ended"]
    status: str
    selected: int | None
    t: int
    real_us: int


Event = Asked | Replied | Embedded | Executed | Told | Closing | Revalidated | Ended
"""Any line of a journal after its first."""

CallEvent = Replied | Embedded
"""What a model or an embedder answered: it has a usage."""
