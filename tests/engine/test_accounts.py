"""Money, time and the final choice: budgets, timelines, workers, selection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.budgets.meter import Budget, Meter, Reservation
from mlesearch.engine.clock import Timelines
from mlesearch.engine.selection import Selection
from mlesearch.engine.workers import InlineWorkers, ThreadWorkers, VirtualWorkers
from mlesearch.models.protocol import Price
from mlesearch.storage import codec
from mlesearch.types import (
    Component,
    ConfigError,
    Diagnosis,
    Direction,
    Guidance,
    GuidanceKind,
    Hypothesis,
    HypothesisScores,
    Node,
    Op,
    Outcome,
    ProblemKind,
    Proposal,
    Status,
    Usage,
    Verdict,
    VerdictKind,
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
    r = m.worst_case(500, 300, None)
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
    assert Meter.worst_case(936, 10, dearer).cost_nusd == 1000 * 1250 + 10 * 2000
    assert Meter.worst_case(936, 10, cheaper).cost_nusd == 1000 * 1000 + 10 * 2000


def test_attempts_that_were_cut_off_are_spent_at_their_worst_case():
    m = Meter(Budget(cost_usd=1.0))
    assert m.settle(Usage(cost_nusd=100_000_000, lost_nusd=600_000_000)) == 100_000_000
    assert (m.spent_nusd, m.used(0), m.usage.cost_nusd) == (700_000_000, 0.7, 100_000_000)
    assert not m.reserve(Reservation(0, 300_000_001), 0)
    assert codec.usage_from_json(codec.usage_to_json(m.usage + m.usage)).lost_nusd == 1_200_000_000


def test_dollars_are_kept_under_the_limit_for_any_sequence_of_calls():
    @given(st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 2000), st.floats(0, 1), st.booleans()), max_size=40))
    def check(calls):
        price = Price(3.0, 15.0)
        m = Meter(Budget(cost_usd=0.05))
        for prompt_bytes, max_tokens, share, unknown in calls:
            r = m.worst_case(prompt_bytes, max_tokens, price)
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


def test_timelines():
    t = Timelines(2)
    assert t.charge(0, 10) == 10
    assert t.charge(1, 4) == 4
    assert t.next_idle(set()) == 1
    assert t.start(1, 7) == 7
    assert t.start(0, 7) == 10
    assert t.furthest == 10


def test_virtual_lanes_end_in_charged_order_with_ties_by_proposal():
    at = {0: 0, 1: 0, 2: 3}
    workers = VirtualWorkers(at.__getitem__, lambda us: us)
    workers.submit(0, lambda: 5, (4, 0))
    workers.submit(1, lambda: 5, (3, 0))
    workers.submit(2, lambda: 1, (9, 0))
    assert [workers.next().worker for _ in range(3)] == [2, 1, 0]


@pytest.mark.parametrize("workers", [InlineWorkers(), ThreadWorkers(1), VirtualWorkers(lambda w: 0, lambda r: 0)])
def test_lanes_bring_errors_back(workers):
    def broken() -> None:
        raise ValueError("inside")

    workers.submit(0, broken, (0, 0))
    done = workers.next()
    assert isinstance(done.error, ValueError)
    workers.submit(0, lambda: 7, (0, 1))
    assert workers.next().result == 7
    workers.close()


def _node(id: int, score: float | None) -> Node:
    return Node(id, Op.DRAFT, None, (), 0, "", "", Status.OK if score is not None else Status.ERROR, score, "", "")


def _verdict(id: int, kind: VerdictKind) -> Verdict:
    return Verdict(id, kind)


@pytest.mark.parametrize(("direction", "best"), [(Direction.MAXIMIZE, 2), (Direction.MINIMIZE, 1)])
def test_the_best_on_validation_wins_and_ties_go_to_the_earlier(direction, best):
    s = Selection("best_validation", direction)
    for id, score in enumerate([0.5, 0.1, 0.9, 0.9, 0.1, None]):
        s.add(_node(id, score))
    assert s.best == s.chosen == best


def test_a_void_node_is_never_chosen():
    s = Selection("best_validation", Direction.MAXIMIZE)
    s.add(_node(0, 0.1))
    s.add(_node(1, 0.9))
    assert s.best == 1
    s.decide([_verdict(1, VerdictKind.VOID)])
    assert s.best == 0
    s.decide([_verdict(0, VerdictKind.VOID)])
    assert s.best is None
    assert s.chosen is None
    assert s.void == {0, 1}


def test_latest_accepted_follows_the_verdicts():
    s = Selection("latest_accepted", Direction.MAXIMIZE)
    for id, score in enumerate([0.5, 0.9, 0.2]):
        s.add(_node(id, score))
    assert s.chosen == 1  # nothing accepted yet: the best
    s.decide([_verdict(0, VerdictKind.ACCEPTED), _verdict(2, VerdictKind.ACCEPTED), _verdict(1, VerdictKind.REJECTED)])
    assert s.chosen == 2
    s.decide([_verdict(2, VerdictKind.VOID)])
    assert s.chosen == 0
    assert s.best == 1


def test_an_unknown_rule_lists_the_known():
    with pytest.raises(ConfigError, match="best_validation, revalidate, latest_accepted"):
        Selection("bset", Direction.MAXIMIZE)


scores = st.floats(1, 10)
texts = st.text(max_size=20)
hypotheses = st.builds(
    Hypothesis,
    texts,
    texts,
    st.sampled_from(ProblemKind),
    st.sampled_from(Component),
    st.builds(HypothesisScores, scores, scores, scores, scores, scores),
    st.none(),
)
guidance = st.builds(
    Guidance,
    st.sampled_from(GuidanceKind),
    texts,
    st.none() | st.integers(0, 99),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.sampled_from(Component),
    st.none() | st.sampled_from(VerdictKind),
)
ids = st.integers(0, 99)
proposals = st.builds(
    Proposal,
    ids,
    st.sampled_from(Op),
    st.none() | ids,
    st.none() | ids,
    st.lists(ids, max_size=3).map(tuple),
    st.none() | st.lists(ids, max_size=3).map(tuple),
    st.lists(guidance, max_size=3).map(tuple),
    ids,
)
usages = st.builds(Usage, ids, ids, ids, ids, ids, st.none() | ids, ids, ids)
diagnoses = st.builds(
    Diagnosis,
    st.booleans(),
    st.booleans(),
    texts,
    texts,
    st.none() | st.booleans(),
    st.booleans(),
    st.booleans(),
    texts,
)
outcomes = st.builds(
    Outcome,
    st.just(3),
    st.sampled_from(Op),
    st.sampled_from(Status),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    texts,
    texts,
    st.none() | diagnoses,
    st.lists(hypotheses, max_size=3).map(tuple),
    usages,
)


@given(proposals)
def test_a_proposal_survives_json(p):
    import json

    assert codec.proposal_from_json(json.loads(codec.dumps(codec.proposal_to_json(p)))) == p


@given(outcomes)
def test_an_outcome_survives_json(o):
    import json

    assert codec.outcome_from_json(3, json.loads(codec.dumps(codec.outcome_to_json(o)))) == o
