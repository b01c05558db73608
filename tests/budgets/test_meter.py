"""What may be spent: the meter of a run, reservations at their worst case, prices."""

from hypothesis import given
from hypothesis import strategies as st

from mlesearch.budgets.meter import Budget, Meter
from mlesearch.models.price import Price, WorstCase, worst_case
from mlesearch.storage import codec
from mlesearch.types import (
    Usage,
)


def test_used_is_the_largest_fraction_rounded_down():
    m = Meter(Budget(steps=7, time_s=100.0, cost_usd=1.0, tokens=1000))
    assert m.used(0) == 0.0
    m.steps = 1
    assert m.used(0) == 0.142  # 1/7 = 0.14285...
    assert m.used(50_000_000) == 0.5
    m.settle(Usage(1, 300, 0, 399, 0, 100_000_000, 5))
    assert m.used(0) == 0.699
    assert m.used(10**12) == 1.0


def test_the_reserve_is_kept_back():
    b = Budget(time_s=100.0, reserve_s=10.0)
    assert Meter(b).time_left_us(89_999_999) == 1
    assert Meter(b).time_left_us(95_000_000) == 0
    assert Meter(Budget(steps=1)).time_left_us(10**15) is None


def test_calls_are_reserved_at_their_worst_case():
    m = Meter(Budget(tokens=1300))
    r = worst_case(500, 300, None)
    assert r.tokens == 500 + 64 + 300
    assert r.cost_nusd == 0
    assert m.reserve(r, 0)
    assert not m.reserve(r, 0)
    m.release(r)
    assert m.reserve(r, 0)
    m.release(r)
    m.settle(Usage(1, 500, 0, 0, 0, 0, 0))
    assert not m.reserve(r, 0)


def test_the_worst_case_of_a_prompt_is_that_it_is_put_into_the_cache():
    dearer, cheaper = (Price(1.0, 2.0, 0.1, cache_write_usd_per_mtok=usd) for usd in (1.25, 0.5))
    assert worst_case(936, 10, dearer).cost_nusd == 1000 * 1250 + 10 * 2000
    assert worst_case(936, 10, cheaper).cost_nusd == 1000 * 1000 + 10 * 2000


def test_attempts_that_were_cut_off_are_spent_at_their_worst_case():
    m = Meter(Budget(cost_usd=1.0))
    assert m.settle(Usage(cost_nusd=100_000_000, lost_nusd=600_000_000)) == 100_000_000
    assert (m.spent_nusd, m.used(0), m.usage.cost_nusd) == (700_000_000, 0.7, 100_000_000)
    assert not m.reserve(WorstCase(0, 300_000_001), 0)
    assert codec.usage_from_json(codec.usage_to_json(m.usage + m.usage)).lost_nusd == 1_200_000_000


def test_dollars_are_kept_under_the_limit_for_any_sequence_of_calls():
    @given(st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 2000), st.floats(0, 1), st.booleans()), max_size=40))
    def check(calls):
        price = Price(3.0, 15.0)
        m = Meter(Budget(cost_usd=0.05))
        for prompt_bytes, max_tokens, share, unknown in calls:
            r = worst_case(prompt_bytes, max_tokens, price)
            if m.reserve(r, 0):
                m.release(r)
                spent_in, spent_out = prompt_bytes, int(max_tokens * share)
                cost = None if unknown else price.cost_nusd(spent_in, spent_out)
                m.settle(Usage(1, spent_in, 0, spent_out, 0, cost, 1), r.cost_nusd)
        assert m.spent_nusd <= 50_000_000

    check()


def test_a_price_is_rounded_up_to_a_nano_dollar():
    assert Price(1.0, 2.0).cost_nusd(100, 50) == 200_000
    assert Price(0.0001, 0.0).cost_nusd(1, 0) == 1
    assert Price(1.0, 0.0, 0.1).cost_nusd(100, 0, 60) == 46_000


def test_an_unknown_cost_stays_unknown():
    assert (Usage(cost_nusd=5) + Usage(cost_nusd=None)).cost_nusd is None
