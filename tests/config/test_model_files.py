"""The models' files against the map of prices that they name."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest

from mlesearch.config.loading import compose
from mlesearch.config.settings import ModelSettings
from mlesearch.models.live.library import load_litellm
from mlesearch.models.live.params import read_live
from mlesearch.models.live.price_map import map_cost_nusd, map_entry, map_price, map_version
from mlesearch.models.price import Price, PriceTier, worst_case
from mlesearch.models.protocol import Address, Message, Request, Sampling
from mlesearch.models.registry import make_model
from mlesearch.testing.openai_stub import Answer, OpenAIStub
from mlesearch.types import ConfigError, Op

GRID = {
    "efficiency": ["claude-haiku-5-5", "gemini-3.5-flash-lite", "glm-5.3-flash", "gpt-6-luna"],
    "advanced": ["deepseek-v4-pro", "gemini-3.8-flash", "gpt-5.4-mini"],
    "frontier": ["claude-opus-5-5", "deepseek-r1", "gemini-4-argon", "gpt-5", "gpt-6.1-sol"],
}
REQUEST = Request((Message("user", "ready?"),), Sampling(max_tokens=10), Address("r", 0, 0, Op.DRAFT), 1, 60.0)


def live_models() -> list[ModelSettings]:
    return [m for m in compose.models() if m.kind == "litellm" and m.name != "local"]


def test_the_grid_and_its_tiers() -> None:
    tiers: dict[str | None, list[str]] = {}
    for m in live_models():
        tiers.setdefault(m.tier, []).append(m.name)
        assert m.capability is None  # no number of ours: it has to come from outside the runs
    assert tiers == GRID
    assert [m.name for m in compose.models() if m.kind == "simulated"] == [f"sim_{i:02}" for i in range(1, 11)]


@pytest.mark.parametrize("m", live_models(), ids=lambda m: m.name)
def test_a_file_says_what_the_map_says_that_it_names(m: ModelSettings) -> None:
    price = m.params["price"]
    if not price["source"].startswith(map_version()):
        pytest.skip(f"the file was written from {price['source']}, this is {map_version()}")
    params = read_live(m.name, m.params)
    assert params.price == map_price(params.model)
    assert datetime.date.fromisoformat(price["as_of"])
    entry = map_entry(params.model)
    assert params.context_window == entry["max_input_tokens"]
    assert params.max_output_tokens == entry["max_output_tokens"]
    assert m.sampling.max_tokens <= entry["max_output_tokens"]


def test_every_file_can_be_asked_for_by_its_name() -> None:
    by_name = {m.name: m for m in compose.models()}
    for name in ("gemini-3.5-flash-lite", "gpt-6.1-sol", "claude-opus-5-5", "sim_10"):
        assert compose.jobs(compose.expand([f"model={name}"]), False).jobs[0].settings.model == by_name[name]


def test_long_prompts_have_their_own_price() -> None:
    price = Price(1.0, 2.0, 0.1, tiers=(PriceTier(10.0, 20.0, 0.5, above_tokens=1000),))
    assert price.cost_nusd(1000, 10, 100) == 900 * 1000 + 100 * 100 + 10 * 2000
    assert price.cost_nusd(1001, 10, 100) == 901 * 10_000 + 100 * 500 + 10 * 20_000
    given = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2, "cached_usd_per_mtok": 0.1}
    long = {"above_tokens": 1000, "input_usd_per_mtok": 10, "output_usd_per_mtok": 20, "cached_usd_per_mtok": 0.5}
    assert read_live("m", {"model": "gpt-5", "price": {**given, "long": long}}).price == price
    with pytest.raises(ConfigError, match="long needs above_tokens"):
        read_live("m", {"model": "gpt-5", "price": {**given, "long": {"above_tokens": 5}}})
    luna = map_price("gpt-6-luna")
    assert luna is not None
    assert luna.cost_nusd(300_000, 1000) == 300_000 * 200 + 1000 * 750


def test_what_a_provider_puts_into_its_cache_has_its_own_price() -> None:
    usual = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2, "cached_usd_per_mtok": 0.1}
    long = {"above_tokens": 1000, "input_usd_per_mtok": 10, "output_usd_per_mtok": 20}
    plain = read_live("m", {"model": "gpt-5", "price": {**usual, "long": long}}).price
    assert plain is not None
    assert plain.cost_nusd(1000, 10, 100, 500) == plain.cost_nusd(1000, 10, 100)  # not declared: as any other token
    written = {"cache_write_usd_per_mtok": 1.25, "long": {**long, "cache_write_usd_per_mtok": 12.5}}
    price = read_live("m", {"model": "gpt-5", "price": {**usual, **written}}).price
    assert price is not None
    assert price.cost_nusd(1000, 10, 100, 500) == 400 * 1000 + 100 * 100 + 500 * 1250 + 10 * 2000
    assert price.cost_nusd(1001, 10, 0, 500) == 501 * 10_000 + 500 * 12_500 + 10 * 20_000


@pytest.fixture
def map_is_read_anew() -> Iterator[None]:
    """litellm keeps what it has read of its map, by another test too."""

    def forget() -> None:
        for kept in vars(load_litellm().utils).values():
            if hasattr(kept, "cache_clear"):
                kept.cache_clear()

    load_litellm()
    forget()
    yield
    forget()


@pytest.mark.usefixtures("map_is_read_anew")
@pytest.mark.parametrize("prompt", [10_000, 300_000])
@pytest.mark.parametrize("m", live_models(), ids=lambda m: m.name)
def test_a_call_with_a_cache_costs_what_the_map_reckons(
    m: ModelSettings, prompt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts that were read from a cache, put into one, and neither; at the hours at which they cost most."""
    id = str(m.params["model"])
    monkeypatch.delitem(load_litellm().model_cost[id], "off_peak_pricing", raising=False)
    free = map_entry(id).get("cache_creation_input_token_cost") == 0  # such a provider reports none
    answer = Answer("ok", prompt, 10, cached_tokens=2000, cache_write_tokens=0 if free else 3000)
    with OpenAIStub(lambda _body: answer) as stub:
        own = {"model": "openai/x", "api_base": stub.base_url, "price": m.params["price"]}
        usage = make_model(m.name, "litellm", own).complete(REQUEST).usage
    details = {"cached_tokens": 2000, "cache_write_tokens": answer.cache_write_tokens}
    told = {"prompt_tokens": prompt, "completion_tokens": 10, "prompt_tokens_details": details}
    response = load_litellm().ModelResponse(model=id, usage=told)
    assert usage.cost_nusd == map_cost_nusd(response, id)
    assert usage.cost_nusd <= worst_case(prompt, 10, read_live(m.name, m.params).price).cost_nusd
