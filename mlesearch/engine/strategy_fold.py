"""A strategy's state is a fold over its journal: ask again, compare, feed what was told.

Used to resume a run after a kill, and to verify one (`mlesearch verify RUN`): the same decisions, event by event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mlesearch import __version__
from mlesearch.optimizers.base import Optimizer
from mlesearch.storage import codec
from mlesearch.storage.events import Asked, Embedded, Event, Header, Told
from mlesearch.types import Embedding, MlesearchError, Outcome, Proposal, Verdict


class ReplayMismatch(MlesearchError):
    """A strategy that decides otherwise than its journal says."""


class StrategyFold:
    """Feeds a journal's events to a new strategy and compares."""

    def __init__(self, optimizer: Optimizer, path: Path, header: Header) -> None:
        """Use a strategy that was asked nothing yet."""
        self._optimizer = optimizer
        self._path = path
        self._version = header.get("mlesearch")

    def asked(self, event: Asked, line: int) -> Proposal:
        """Ask with the journal's `used`.

        Raises:
            ReplayMismatch: another proposal than the journal's.
        """
        expected = codec.proposal_from_json(event["p"])
        found = self._optimizer.ask(event["used"])
        if found != expected:
            self._mismatch(line, f"it proposes {_short(found)}, the journal has {_short(expected)}")
        return expected

    def told(self, event: Told, embeddings: Sequence[Embedding], line: int) -> tuple[Outcome, Sequence[Verdict]]:
        """Tell the journal's outcome.

        Raises:
            ReplayMismatch: other verdicts than the journal's.
        """
        outcome = codec.outcome_from_json(event["id"], event["outcome"], embeddings)
        verdicts = tuple(self._optimizer.tell(outcome))
        expected = tuple(codec.verdict_from_json(v) for v in event.get("verdicts", ()))
        if verdicts != expected:
            self._mismatch(line, f"told proposal {outcome.id} it decides {verdicts}, the journal has {expected}")
        return outcome, verdicts

    def _mismatch(self, line: int, what: str) -> None:
        raise ReplayMismatch(
            f"{self._path}, line {line}: the strategy decides otherwise than its journal: {what}. The journal was "
            f"written by mlesearch {self._version}, this is {__version__}: finish the run with the version that began "
            f"it, or start a new one under another name (variant=...)"
        )


def verify(
    events: Iterable[Event], fold: StrategyFold, vectors: Callable[[Embedded], Sequence[Embedding]], first_line: int = 2
) -> int:
    """Replay a whole journal against a new strategy; returns how many decisions were compared.

    Raises:
        ReplayMismatch: at the first that differs.
    """
    embeddings: dict[int, Sequence[Embedding]] = {}
    decisions = 0
    for line, event in enumerate(events, first_line):
        if event["type"] == "asked":
            fold.asked(event, line)
            decisions += 1
        elif event["type"] == "embedded":
            embeddings[event["id"]] = vectors(event)
        elif event["type"] == "told":
            fold.told(event, embeddings.pop(event["id"], ()), line)
            decisions += 1
    return decisions


def _short(p: Proposal | None) -> str:
    if p is None:
        return "nothing"
    parts = [f"{p.id} {p.op}"]
    if p.base is not None:
        parts.append(f"of {p.base}")
    if p.subject is not None:
        parts.append(f"about {p.subject}")
    if p.parents:
        parts.append(f"after {list(p.parents)}")
    if p.guidance:
        parts.append(f"with {len(p.guidance)} pieces of guidance")
    return " ".join(parts)
