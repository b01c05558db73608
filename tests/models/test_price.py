"""What a call costs: the same to the nano-dollar as ever; and a price as files hold it, byte for byte."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.models.price import Price, PriceTier, WorstCase, price_fields, price_from_json, price_to_json, worst_case
from mlesearch.models.protocol import Address, EmbedRequest, Message, Request, Sampling
from mlesearch.storage.codec import dumps
from mlesearch.types import Op


@dataclass(frozen=True)
class Flat:
    """A price in one flat record with one tier, as studies before the tiers have recorded it; and its formula."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_usd_per_mtok: float | None = None
    long_above_tokens: int | None = None
    long_input_usd_per_mtok: float | None = None
    long_output_usd_per_mtok: float | None = None
    long_cached_usd_per_mtok: float | None = None
    cache_write_usd_per_mtok: float | None = None
    long_cache_write_usd_per_mtok: float | None = None

    def cost_nusd(self, input_tokens: int, output_tokens: int, cached: int, written: int) -> int:
        usd_in, usd_out, usd_cached = self.input_usd_per_mtok, self.output_usd_per_mtok, self.cached_usd_per_mtok
        usd_write = self.cache_write_usd_per_mtok
        if self.long_above_tokens is not None and input_tokens > self.long_above_tokens:
            usd_in = usd_in if self.long_input_usd_per_mtok is None else self.long_input_usd_per_mtok
            usd_out = usd_out if self.long_output_usd_per_mtok is None else self.long_output_usd_per_mtok
            usd_cached, usd_write = self.long_cached_usd_per_mtok, self.long_cache_write_usd_per_mtok
        nusd = (
            (input_tokens - cached - written) * usd_in
            + cached * (usd_in if usd_cached is None else usd_cached)
            + written * (usd_in if usd_write is None else usd_write)
            + output_tokens * usd_out
        ) * 1000
        return -int(-nusd // 1)


AT = Address("r", 0, 0, Op.DRAFT)
USD = st.floats(0, 200, allow_nan=False).map(lambda usd: round(usd, 6))
MAYBE_USD = st.none() | USD
TOKENS = st.integers(0, 400_000)
TIERS = st.none() | st.tuples(st.integers(1, 300_000), USD, USD, MAYBE_USD, MAYBE_USD)


def both(usual: tuple, tier: tuple | None) -> tuple[Price, Flat]:
    usd_in, usd_out, cached, written = usual
    if tier is None:
        return Price(usd_in, usd_out, cached, written), Flat(usd_in, usd_out, cached, cache_write_usd_per_mtok=written)
    above, *rates = tier
    tiers = (PriceTier(*rates, above_tokens=above),)
    long_in, long_out, long_cached, long_written = rates
    flat = Flat(usd_in, usd_out, cached, above, long_in, long_out, long_cached, written, long_written)
    return Price(usd_in, usd_out, cached, written, tiers), flat


@given(st.tuples(USD, USD, MAYBE_USD, MAYBE_USD), TIERS, TOKENS, TOKENS, st.floats(0, 1), st.floats(0, 1))
def test_a_call_costs_what_it_did_before_the_tiers(
    usual: tuple, tier: tuple | None, tokens_in: int, tokens_out: int, cached: float, written: float
) -> None:
    price, flat = both(usual, tier)
    n_cached = int(cached * tokens_in)
    usage = (tokens_in, tokens_out, n_cached, int(written * (tokens_in - n_cached)))
    assert price.cost_nusd(*usage) == flat.cost_nusd(*usage)


@given(st.tuples(USD, USD, MAYBE_USD, MAYBE_USD), TIERS)
def test_a_price_is_stored_as_it_was_before_the_tiers(usual: tuple, tier: tuple | None) -> None:
    price, flat = both(usual, tier)
    assert dumps(price_to_json(price)) == dumps({k: v for k, v in vars(flat).items() if v is not None})
    assert list(price_fields(price).items()) == list(vars(flat).items())
    assert price_from_json(json.loads(dumps(price_to_json(price)))) == price


def test_of_several_tiers_that_of_the_longest_prompts_counts() -> None:
    tiers = tuple(PriceTier(usd, 0.0, above_tokens=above) for above, usd in ((200, 3.0), (100, 2.0)))
    price = Price(1.0, 0.0, tiers=tiers)
    assert [price.cost_nusd(n, 0) for n in (100, 101, 200, 201)] == [100_000, 202_000, 400_000, 603_000]
    assert price_from_json(price_to_json(price)) == price


@pytest.mark.parametrize(("price", "cost_nusd"), [(None, 0), (Price(1.0, 2.0), (6 + 64) * 1000 + 300 * 2000)])
def test_the_worst_case_is_a_token_a_byte_and_the_longest_answer(price: Price | None, cost_nusd: int) -> None:
    request = Request((Message("user", "a"), Message("user", "ßxyz")), Sampling(max_tokens=300), AT, 0, 1.0)
    assert request.worst_case(price) == worst_case(6, 300, price) == WorstCase(6 + 64 + 300, cost_nusd)


def test_a_model_that_answers_with_less_costs_less_at_worst() -> None:
    request = Request((Message("user", "abc"),), Sampling(max_tokens=300), AT, 0, 1.0)
    assert request.worst_case(Price(0.0, 1.0), ceiling=200) == WorstCase(3 + 64 + 200, 200_000)
    assert request.worst_case(None, ceiling=400) == request.worst_case(None)


def test_the_worst_case_of_texts_has_no_answer() -> None:
    assert EmbedRequest(("abc", "half a pair \ud83d"), AT).worst_case(Price(1.0, 9.0)) == WorstCase(80, 80_000)
