"""Proposals and outcomes survive JSON."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlesearch.storage import codec
from mlesearch.types import (
    Component,
    Diagnosis,
    Guidance,
    GuidanceKind,
    Hypothesis,
    HypothesisScores,
    Op,
    Outcome,
    ProblemKind,
    Proposal,
    Status,
    Usage,
    VerdictKind,
)

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
