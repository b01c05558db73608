"""One request, and a model that counts how often it is asked."""

from __future__ import annotations

from pathlib import Path

from mlesearch.models.price import Price
from mlesearch.models.protocol import Address, Message, Reply, Request, Sampling
from mlesearch.models.recorded.cassette import Cassette
from mlesearch.models.recorded.single_flight import SingleFlight
from mlesearch.storage.store import Store
from mlesearch.types import ModelUnavailable, Op, Usage

ADDRESS = Address("m/s/base/t/seed-0", 0, 3, Op.DRAFT)
REQUEST = Request((Message("system", "Be brief."), Message("user", "2 + 2?")), Sampling(), ADDRESS, 11, 60.0)
USAGE = Usage(1, 10, 2, 5, 1, 700, 1234, 99, 300)


class Counting:
    """Answers with a number of its own each time."""

    name = "counting"
    live = True
    simulated = False
    price: Price | None = Price(1.0, 2.0)

    def __init__(self, error: ModelUnavailable | None = None, **identity: object) -> None:
        self.calls = 0
        self.checks = 0
        self.error = error
        self.more = identity

    def identity(self) -> dict[str, object]:
        own = {"kind": "counting", "model": "c-1", "defaults": {"temperature": 0.5, "top_p": None}, "price": None}
        return {**own, **self.more}

    def check(self) -> None:
        self.checks += 1

    def complete(self, request: Request) -> Reply:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return Reply(f"reply {self.calls}", "length", USAGE, "c-1-0613", ("top_p",))


def cassette(store: Store, mode: str, tmp_path: Path) -> Cassette:
    return Cassette(store, mode, SingleFlight(tmp_path / "flights"))
