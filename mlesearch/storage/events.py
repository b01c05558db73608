"""The lines of a run's journal, as they stand on disk: one JSON object each, told apart by `type`.

Times are integers in microseconds (`t` is the charged time at which something ended, `real_us` wall-clock time of all
processes on the run), money is in integer nano-dollars (`nusd`): a float sum would depend on scheduling. Keys are
written in the order in which they stand here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import (
    Literal,
    NotRequired,
    TypedDict,
    final,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from mlesearch.storage import nouns
from mlesearch.storage.nouns import (
    MEASURED,
    Measured,
    OutcomeJson,
    OutputJson,
    ProposalJson,
    ResultJson,
    UsageJson,
    VerdictJson,
)
from mlesearch.types import ExecStatus

CallKind = Literal["reply", "review"]
"""What a call was made for: a proposal's own reply, or the review of its program."""


class HeaderFields(TypedDict):
    """What a journal's header says of its run: the version that began it, its id, the digest of its identity."""

    mlesearch: str
    run: str
    identity: NotRequired[str]


@final
class Header(TypedDict):
    """The first line of a journal."""

    type: Literal["journal"]
    format: int
    mlesearch: str
    run: str
    identity: NotRequired[str]


@final
class Asked(TypedDict):
    """A strategy proposed `p`; `used` is the fraction of the budget that it was told of."""

    type: Literal["asked"]
    worker: int
    t: Measured
    used: float
    p: ProposalJson


@final
class Replied(TypedDict):
    """A model answered a call of an operator, or a review of its program.

    The reply stands in the event (`text`) or in a blob (`blob`), the prompt in a blob, where prompts are kept.
    `charged_nusd` is what the budget was charged where the cost is unknown; `dropped` names parameters of the request
    that the model does not take, `notes` what else was altered in it or does not add up in the answer. `limit_tokens`,
    of an answer that was cut, is the limit that cut it where no larger one can be asked for.
    """

    type: CallKind
    id: int
    op: str
    attempt: int
    t: Measured
    usage: UsageJson
    finish: str
    model: str
    text: NotRequired[str]
    blob: NotRequired[str]
    prompt: NotRequired[str]
    charged_nusd: NotRequired[int]
    dropped: NotRequired[tuple[str, ...]]
    notes: NotRequired[tuple[str, ...]]
    limit_tokens: NotRequired[int]


@final
class Embedded(TypedDict):
    """The hypotheses of a proposal got their vectors, which stand in a blob; `problem` is why there are none."""

    type: Literal["embedded"]
    id: int
    t: Measured
    usage: UsageJson
    blob: str
    charged_nusd: NotRequired[int]
    problem: NotRequired[str]


@final
class Executed(TypedDict):
    """A program (a blob) ended; what it printed stands in the event, or in the blob that `output` names."""

    type: Literal["executed"]
    id: int
    t: Measured
    program: str
    result: ResultJson
    output: NotRequired[OutputJson | str]


@final
class SampleRan(TypedDict):
    """A program ended its run on a sample of the data, which it must pass before it runs in full (`run.trial`).

    `problem` is what was wrong with the form of its submission, where it ended well. One that did not end well, or has
    a problem, is not run in full: it ended like this.
    """

    type: Literal["sample_run"]
    id: int
    t: Measured
    program: str
    result: ResultJson
    output: NotRequired[OutputJson | str]
    problem: NotRequired[str]


@final
class Told(TypedDict):
    """A strategy was told the outcome of a proposal, and decided.

    `problem` is why its program counts as failed, where that is not what ended it: what was wrong with its submission,
    that it failed on a sample, or what its review found (status `judged_bug`).
    """

    type: Literal["told"]
    id: int
    t: Measured
    real_us: Measured
    outcome: OutcomeJson
    problem: NotRequired[str]
    verdicts: NotRequired[list[VerdictJson]]


@final
class Closing(TypedDict):
    """The search is over; the candidates are run again before one is submitted.

    With `selection: revalidate` on fresh splits, all of them; else on the full data, until one is valid there.
    """

    type: Literal["closing"]
    status: str
    candidates: list[int]
    t: Measured


@final
class Revalidated(TypedDict):
    """A candidate was run on a fresh split; without a score it failed there."""

    type: Literal["revalidated"]
    id: int
    split: int
    worker: int
    t: Measured
    score: float | None
    result: ResultJson
    problem: NotRequired[str]


@final
class FullRan(TypedDict):
    """A chosen program was run on the full data of a task whose search sees a part of it.

    `problem` is what ended it, or what was wrong with its submission: then the next best is run.
    """

    type: Literal["full_run"]
    id: int
    worker: int
    t: Measured
    result: ResultJson
    problem: NotRequired[str]


@final
class Ended(TypedDict):
    """The run is over."""

    type: Literal["ended"]
    status: str
    selected: int | None
    t: Measured
    real_us: Measured


Event = Asked | Replied | Embedded | SampleRan | Executed | Told | Closing | Revalidated | FullRan | Ended
"""Any line of a journal after its first."""

CallEvent = Replied | Embedded
"""What a model or an embedder answered: it has a usage."""


StageEvent = CallEvent | SampleRan | Executed
"""The end of one stage of a proposal, which a resumed run need not do again."""


def stage_of(event: StageEvent) -> tuple[str, int]:
    """Which stage of its proposal ended: the type of its event, and the attempt of a call."""
    if event["type"] == "embedded" or event["type"] == "sample_run" or event["type"] == "executed":
        return event["type"], 0
    return event["type"], event["attempt"]


def calls_of(events: Iterable[Event]) -> Iterator[CallEvent]:
    """Those of some events that a model or an embedder was paid for."""
    for event in events:
        if event["type"] in ("reply", "review", "embedded"):
            yield event


def not_passed(event: SampleRan) -> bool:
    """Whether a run on a sample failed, so that its program was not run in full."""
    return event["result"]["status"] != ExecStatus.OK.value or bool(event.get("problem"))


def _is_measured(hint: object) -> bool:
    inner = get_args(hint)[0] if get_origin(hint) is NotRequired else hint
    return MEASURED in getattr(inner, "__metadata__", ())


_EVENT_KINDS = get_args(Event)
_KINDS = (*_EVENT_KINDS, *(kind for kind in vars(nouns).values() if is_typeddict(kind)))
_HINTS = {kind: get_type_hints(kind, include_extras=True) for kind in _KINDS}

TYPES = frozenset(name for kind in _EVENT_KINDS for name in get_args(_HINTS[kind]["type"]))
"""What the `type` of an event may be."""

DURATIONS = frozenset(key for hints in _HINTS.values() for key, hint in hints.items() if _is_measured(hint))
"""Keys of measured durations (and peak memory): all that may differ between two equal runs."""


def without_durations(event: object) -> object:
    """An event without what two equal runs may differ in."""
    if isinstance(event, dict):
        return {k: without_durations(v) for k, v in event.items() if k not in DURATIONS}
    if isinstance(event, list | tuple):
        return [without_durations(v) for v in event]
    return event
