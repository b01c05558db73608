"""Models and embedders whose every call is paid from a shared budget that several processes share.

This stands right above the model and below the cassette: what the cassette answers costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from mlesearch.budgets.shared import CallBudget, SharedBudgetSpent
from mlesearch.models.protocol import (
    BeforeRetry,
    Embedder,
    EmbedReply,
    EmbedRequest,
    Model,
    Reply,
    Request,
    RetryingEmbedder,
    RetryingModel,
)
from mlesearch.models.wrapped import WrappedEmbedder, WrappedModel
from mlesearch.types import MlesearchError, ModelUnavailable, Usage

R = TypeVar("R", Reply, EmbedReply)


class _Payer:
    """Reserves the worst case of each attempt of a call, makes it, settles what it cost."""

    def __init__(self, shared_budget: CallBudget, cell: str) -> None:
        self._shared_budget = shared_budget
        self._cell = cell

    def pay(self, worst_nusd: int, call_s: float, call: Callable[[BeforeRetry], R]) -> R:
        """Make a call, which is given what to do before an attempt that follows one which was cut off."""
        began_ns = time.monotonic_ns()
        reservation = self._shared_budget.reserve(self._cell, worst_nusd, call_s)
        waited_us = (time.monotonic_ns() - began_ns) // 1000
        reserved_nusd = worst_nusd
        cost_nusd: int | None = None  # cut off from here: nobody knows, so all that is reserved

        def before_retry() -> None:
            nonlocal reserved_nusd
            self._shared_budget.extend(reservation, worst_nusd)
            reserved_nusd += worst_nusd

        try:
            reply = call(before_retry)
            cost_nusd = self._cost_nusd(reply.usage, worst_nusd)
        except ModelUnavailable as error:
            cost_nusd = self._cost_nusd(error.usage, worst_nusd)
            raise
        except SharedBudgetSpent:
            raise  # all attempts that were reserved for were cut off
        except MlesearchError:
            cost_nusd = reserved_nusd - worst_nusd  # the last attempt was not sent, and is not billed
            raise
        finally:
            self._shared_budget.settle(reservation, reserved_nusd if cost_nusd is None else cost_nusd)
        return replace(reply, usage=replace(reply.usage, wait_us=reply.usage.wait_us + waited_us))

    @staticmethod
    def _cost_nusd(usage: Usage, worst_nusd: int) -> int:
        return (worst_nusd if usage.cost_nusd is None else usage.cost_nusd) + usage.lost_nusd


class PaidModel(WrappedModel):
    """A model that is paid from a shared budget; waiting for others to settle is waiting, not service."""

    def __init__(self, inner: Model, shared_budget: CallBudget, cell: str) -> None:
        """`cell`: whose calls these are."""
        super().__init__(inner)
        self._payer = _Payer(shared_budget, cell)

    def complete(self, request: Request) -> Reply:
        """One call.

        Raises:
            SharedBudgetSpent: it fits no more into what the study or the cell may cost.
            ModelUnavailable: as the model does.
        """

        def call(before_retry: BeforeRetry) -> Reply:
            if isinstance(self.inner, RetryingModel):
                return self.inner.complete_retrying(request, before_retry)
            return self.inner.complete(request)

        return self._payer.pay(request.worst_case(self.price).cost_nusd, request.deadline_s, call)


class PaidEmbedder(WrappedEmbedder):
    """An embedder that is paid from a shared budget."""

    def __init__(self, inner: Embedder, shared_budget: CallBudget, cell: str) -> None:
        """`cell`: whose calls these are."""
        super().__init__(inner)
        self._payer = _Payer(shared_budget, cell)

    def embed(self, request: EmbedRequest) -> EmbedReply:
        """One request.

        Raises:
            SharedBudgetSpent: it fits no more into what the study or the cell may cost.
            ModelUnavailable: as the embedder does.
        """

        def call(before_retry: BeforeRetry) -> EmbedReply:
            if isinstance(self.inner, RetryingEmbedder):
                return self.inner.embed_retrying(request, before_retry)
            return self.inner.embed(request)

        return self._payer.pay(request.worst_case(self.price).cost_nusd, self.inner.deadline_s, call)
