"""What the cassette costs: a hit, against the same call answered by a model that costs nothing.

The prompt has 48,000 characters, as many as 12,000 tokens. A hit must take at most 0.5 ms.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.budgets.shared import SharedBudget, SpendingCaps
from mlesearch.models.protocol import Address, Message, Request, Sampling
from mlesearch.models.recorded.cassette import Cassette
from mlesearch.models.recorded.models import RecordedModel
from mlesearch.models.recorded.single_flight import SingleFlight
from mlesearch.storage.store import FORMS, open_store
from mlesearch.types import Op
from tests.support.toy_run import ToyModel, answer

CALLS = 1_000
REQUEST = Request(
    (Message("system", "You are an engineer. " * 100), Message("user", "A line of the data, 12.5, 3.25, 8\n" * 1_350)),
    Sampling(),
    Address("model/gome/base/task/seed-0", 0, 0, Op.IMPROVE),
    7,
    600.0,
)
REPLY = "The next program.\n\n```python\n" + "x = frame.groupby('key').mean()\n" * 500 + "```\n"


def _requests(calls: int = CALLS) -> Callable[[], Request]:
    numbers = itertools.cycle(range(calls))
    return lambda: replace(REQUEST, address=replace(REQUEST.address, proposal=next(numbers)))


@pytest.mark.benchmark(group="one call of a model (prompt of 48,000 characters)")
def test_a_model_that_costs_nothing(benchmark) -> None:
    model, request = ToyModel(keep=False, reply=lambda r: REPLY), _requests()
    assert answer(REQUEST)
    benchmark.pedantic(lambda: model.complete(request()), rounds=CALLS, warmup_rounds=20)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.benchmark(group="one call of a model (prompt of 48,000 characters)")
def test_a_hit(benchmark, form: str, tmp_path: Path) -> None:
    calls = CALLS if benchmark.enabled else 20
    store, request = open_store(tmp_path / "store", form), _requests(calls)
    made = RecordedModel(
        ToyModel(keep=False, reply=lambda r: REPLY), Cassette(store, "record", SingleFlight(tmp_path / "flights"))
    )
    for _ in range(calls):
        made.complete(request())
    replayed = RecordedModel(
        ToyModel(reply=lambda r: "never"), Cassette(store, "replay", SingleFlight(tmp_path / "flights"))
    )
    reply = benchmark.pedantic(lambda: replayed.complete(request()), rounds=CALLS, warmup_rounds=20)
    assert reply.text == REPLY
    store.close()


@pytest.mark.benchmark(group="one call held and settled in a shared budget")
def test_a_shared_budget(benchmark, tmp_path: Path) -> None:
    budget = SharedBudget(tmp_path / "budgets.db", SpendingCaps(10**15, 10**15))

    def pay() -> None:
        budget.settle(budget.reserve("cell", 1_000, 60.0), 10)

    benchmark.pedantic(pay, rounds=CALLS, warmup_rounds=20)
    assert budget.account().reserved_nusd == 0
    budget.close()
