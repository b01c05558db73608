"""What a live model's calls cost: a declared price, that of litellm's map, none known."""

from __future__ import annotations

import pytest

from mlesearch.models.live import litellm as live
from mlesearch.models.live import price_map
from mlesearch.models.price import Price
from mlesearch.testing.openai_stub import Answer, Fault, OpenAIStub
from tests.support.live_calls import KEY, model, request

pytestmark = pytest.mark.usefixtures("stub_key")


def test_unknown_price_is_none_and_declared_zero_is_zero(stub: OpenAIStub) -> None:
    unknown = model(stub, price=None, model="gpt-5.4-mini")  # priced by the map, but this endpoint is not OpenAI's
    unknown.check()
    assert unknown.price is None
    assert unknown.complete(request()).usage.cost_nusd is None
    free = model(stub, price={"input_usd_per_mtok": 0, "output_usd_per_mtok": 0})
    assert free.complete(request()).usage.cost_nusd == 0


def test_a_reply_without_usage_has_no_known_cost(stub: OpenAIStub) -> None:
    stub.always = Fault.NO_USAGE
    assert model(stub).complete(request()).usage.cost_nusd is None
    free = model(stub, price={"input_usd_per_mtok": 0, "output_usd_per_mtok": 0})
    assert free.complete(request()).usage.cost_nusd == 0


def test_price_of_the_bundled_map(stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", stub.base_url)
    tested = live.make("mini", {"model": "gpt-5.4-mini"})
    tested.check()
    assert tested.price == Price(0.75, 4.5, 0.075)
    reply = tested.complete(request())
    assert reply.usage.cost_nusd == 600 * 750 + 400 * 75 + 200 * 4500
    nobody = live.make("nobody", {"model": "openai/never-heard-of-it"})
    nobody.check()
    assert nobody.price is None
    assert nobody.complete(request()).usage.cost_nusd is None


def test_tiers_of_the_map_count_in_the_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with OpenAIStub(lambda _body: Answer("Hello!", 300_000, 1000)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        reply = live.make("luna", {"model": "gpt-6-luna"}).complete(request())
    assert reply.usage.cost_nusd == 300_000 * 200 + 1000 * 750  # above 272,000 tokens: 0.2 and 0.75 USD per million


def test_the_bundled_map_prices_the_ten_models_of_the_grid() -> None:
    grid = [
        *("gpt-6-luna", "claude-haiku-5-5", "gemini/gemini-3.5-flash-lite", "zai/glm-5.3-flash", "gpt-5.4-mini"),
        *("gemini/gemini-3.8-flash", "deepseek/deepseek-v4-pro", "gpt-6.1-sol", "claude-opus-5-5"),
        "gemini/gemini-4-argon",
    ]
    assert [name for name in grid if price_map.map_price(name) is None] == []
