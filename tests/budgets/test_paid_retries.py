"""Who pays is asked before an attempt that costs more; a model that knows nothing of it is paid for as it is."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.budgets.paid import PaidEmbedder, PaidModel
from mlesearch.budgets.shared import SharedBudget, SharedBudgetSpent, SpendingCaps
from mlesearch.models.embed import HashedNgramEmbedder
from mlesearch.models.price import Price
from mlesearch.models.protocol import BeforeRetry, EmbedReply, EmbedRequest, Reply, Request, RetriesExhausted
from mlesearch.types import Usage
from tests.support.counted_calls import REQUEST, Counting

WORST = REQUEST.worst_case(Counting.price).cost_nusd


@pytest.fixture
def budget(tmp_path: Path) -> Iterator[SharedBudget]:
    with closing(SharedBudget(tmp_path / "b.db", SpendingCaps(2 * WORST))) as made:
        yield made


class Retrying(Counting):
    """A model of somebody else's: so many of its attempts are cut off."""

    def __init__(self, cut_off: int) -> None:
        super().__init__()
        self.cut_off = cut_off

    def complete_retrying(self, request: Request, before_retry: BeforeRetry) -> Reply:
        for _ in range(self.cut_off):
            before_retry()
        return self.complete(request)


def test_the_simplest_model_takes_a_request_and_nothing_else(budget: SharedBudget) -> None:
    assert PaidModel(Counting(), budget, "a").complete(REQUEST).text == "reply 1"
    assert budget.account().spent_nusd == 700 + 300


def test_attempts_are_reserved_one_by_one(budget: SharedBudget) -> None:
    seen: list[int] = []

    class Looking(Retrying):
        def complete(self, request: Request) -> Reply:
            seen.append(budget.account().reserved_nusd)
            return super().complete(request)

    for cut_off in (0, 1):
        PaidModel(Looking(cut_off), budget, "a").complete(REQUEST)
        assert seen == [WORST, 2 * WORST][: cut_off + 1]
        budget.limits = SpendingCaps(10 * WORST)


def test_an_attempt_that_does_not_fit_is_not_made(budget: SharedBudget) -> None:
    model = Retrying(2)
    with pytest.raises(SharedBudgetSpent, match="one of them was cut off"):
        PaidModel(model, budget, "a").complete(REQUEST)
    assert model.calls == 0
    assert budget.account().spent_nusd == 2 * WORST  # both attempts before it were cut off


def test_an_embedder_asks_too(budget: SharedBudget) -> None:
    asked: list[int] = []

    class Embedder(HashedNgramEmbedder):
        price = Price(1.0, 0.0)

        def embed_retrying(self, request: EmbedRequest, before_retry: BeforeRetry) -> EmbedReply:
            before_retry()
            asked.append(budget.account().reserved_nusd)
            return self.embed(request)

    request = EmbedRequest(("a text",), REQUEST.address)
    PaidEmbedder(Embedder(), budget, "a").embed(request)
    assert asked == [2 * request.worst_case(Embedder.price).cost_nusd]


def test_what_a_failed_call_cost_comes_with_it() -> None:
    assert RetriesExhausted("down").usage == Usage()
    error = RetriesExhausted("down", Usage(lost_nusd=5))
    assert (str(error), error.usage.lost_nusd) == ("down", 5)
    assert pickle.loads(pickle.dumps(error)).usage == error.usage  # a run's process hands it to its launch
