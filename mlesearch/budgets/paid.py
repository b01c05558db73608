"""Models and embedders whose every call is paid from a shared budget that several processes share.

This stands right above the model and below the cassette: what the cassette answers costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from mlesearch.budgets.meter import Meter
from mlesearch.budgets.shared import SharedBudget, SharedBudgetSpent
from mlesearch.models.protocol import (
    Embedder,
    EmbedReply,
    EmbedRequest,
    Model,
    Price,
    Reply,
    Request,
)
from mlesearch.types import MlesearchError, ModelUnavailable, Usage

R = TypeVar("R", Reply, EmbedReply)


class _Payer:
    """Holds the worst case of each attempt of a call, makes it, settles what it cost."""

    def __init__(self, shared_budget: SharedBudget, cell: str) -> None:
        self._shared_budget = shared_budget
        self._cell = cell

    def pay(self, worst_nusd: int, call_s: float, call: Callable[[Callable[[], None]], R]) -> R:
        """Make a call, which is given what to do before an attempt that follows one which was cut off."""
        began_ns = time.monotonic_ns()
        hold = self._shared_budget.hold(self._cell, worst_nusd, call_s)
        waited_us = (time.monotonic_ns() - began_ns) // 1000
        held_nusd = worst_nusd
        cost_nusd: int | None = None  # cut off from here: nobody knows, so all that is held

        def before_another() -> None:
            nonlocal held_nusd
            self._shared_budget.extend(hold, worst_nusd)
            held_nusd += worst_nusd

        try:
            reply = call(before_another)
            cost_nusd = self._cost_nusd(reply.usage, worst_nusd)
        except ModelUnavailable as error:
            cost_nusd = self._cost_nusd(error.usage, worst_nusd)
            raise
        except SharedBudgetSpent:
            raise  # all attempts that are held for were cut off
        except MlesearchError:
            cost_nusd = held_nusd - worst_nusd  # the last attempt was not sent, and is not billed
            raise
        finally:
            self._shared_budget.settle(hold, held_nusd if cost_nusd is None else cost_nusd)
        return replace(reply, usage=replace(reply.usage, wait_us=reply.usage.wait_us + waited_us))

    @staticmethod
    def _cost_nusd(usage: Usage, worst_nusd: int) -> int:
        return (worst_nusd if usage.cost_nusd is None else usage.cost_nusd) + usage.lost_nusd


class PaidModel:
    """A model that is paid from a shared budget; waiting for others to settle is waiting, not service."""

    def __init__(self, inner: Model, shared_budget: SharedBudget, cell: str) -> None:
        """`cell`: whose calls these are."""
        self.inner = inner
        self._payer = _Payer(shared_budget, cell)

    @property
    def name(self) -> str:
        """The model's."""
        return self.inner.name

    @property
    def live(self) -> bool:
        """The model's."""
        return self.inner.live

    @property
    def simulated(self) -> bool:
        """The model's."""
        return self.inner.simulated

    @property
    def price(self) -> Price | None:
        """The model's."""
        return self.inner.price

    def identity(self) -> Mapping[str, object]:
        """The model's: who pays changes no result."""
        return self.inner.identity()

    def check(self) -> None:
        """The model's."""
        self.inner.check()

    def complete(self, request: Request) -> Reply:
        """One call.

        Raises:
            SharedBudgetSpent: it fits no more into what the study or the cell may cost.
            ModelUnavailable: as the model does.
        """
        prompt_bytes = sum(len(m.content.encode(errors="replace")) for m in request.messages)
        worst = Meter.worst_case(prompt_bytes, request.sampling.max_tokens, self.price)
        return self._payer.pay(
            worst.cost_nusd,
            request.deadline_s,
            lambda again: self.inner.complete(replace(request, before_another=again)),
        )


class PaidEmbedder:
    """An embedder that is paid from a shared budget."""

    def __init__(self, inner: Embedder, shared_budget: SharedBudget, cell: str) -> None:
        """`cell`: whose calls these are."""
        self.inner = inner
        self._payer = _Payer(shared_budget, cell)

    @property
    def name(self) -> str:
        """The embedder's."""
        return self.inner.name

    @property
    def live(self) -> bool:
        """The embedder's."""
        return self.inner.live

    @property
    def price(self) -> Price | None:
        """The embedder's."""
        return self.inner.price

    @property
    def deadline_s(self) -> float:
        """The embedder's."""
        return self.inner.deadline_s

    def check(self) -> None:
        """The embedder's."""
        self.inner.check()

    def embed(self, request: EmbedRequest) -> EmbedReply:
        """One request.

        Raises:
            SharedBudgetSpent: it fits no more into what the study or the cell may cost.
            ModelUnavailable: as the embedder does.
        """
        text_bytes = sum(len(t.encode(errors="replace")) for t in request.texts)
        worst = Meter.worst_case(text_bytes, 0, self.price)
        return self._payer.pay(
            worst.cost_nusd,
            self.inner.deadline_s,
            lambda again: self.inner.embed(replace(request, before_another=again)),
        )
