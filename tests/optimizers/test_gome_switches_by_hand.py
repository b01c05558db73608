"""What each of Gome's switches changes, step by step by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlesearch.optimizers.base import factory
from mlesearch.testing.optimizer_contract import Scenario, Tell, simulate
from mlesearch.types import (
    GuidanceKind,
    Op,
    Problem,
)
from tests.support.gome_driver import (
    ACC,
    MAX,
    MIN,
    Driver,
    gome,
    history,
    proposals,
    texts,
)


@pytest.mark.parametrize("diversify", ["on", "off"])
@pytest.mark.parametrize("seed", range(4))
def test_without_momentum_no_accepted_hypothesis_crosses_traces(diversify, seed):
    events = history(seed=seed, workers=3, momentum="off", diversify=diversify, merge="off")
    by_id = {p.id: p for p in proposals(events)}
    accepted: dict[str, int] = {}
    for e in events:
        for v in e.verdicts if isinstance(e, Tell) else ():
            if v.kind is ACC:
                p = by_id[v.node]
                accepted.update((g.text, p.trace) for g in p.guidance if g.kind is GuidanceKind.HYPOTHESIS)
    assert len(set(accepted.values())) >= 2
    for p in by_id.values():
        assert not texts(p, GuidanceKind.MEMORY)
        for g in p.guidance:
            crossed = [t for t, trace in accepted.items() if trace != p.trace and t in g.text]
            assert not crossed or (diversify == "on" and g.kind is GuidanceKind.AVOID and g.score is None)
        own = {q.id for q in by_id.values() if q.trace == p.trace}
        assert set(p.context or ()) <= own
        assert all(g.verdict is not ACC for g in p.guidance if g.kind is GuidanceKind.HISTORY)


def test_momentum_shows_others_experiments_only_once_a_trace_has_its_own():
    for p in proposals(history(momentum="on")):
        if p.op in (Op.HYPOTHESIZE, Op.DRAFT) and p.base is None:
            assert not texts(p, GuidanceKind.MEMORY)
    assert any(texts(p, GuidanceKind.MEMORY) for p in proposals(history(momentum="on")))


def test_without_diagnosis_there_is_no_structured_reasoning():
    events = history(diagnosis="off", workers=2)
    for p in proposals(events):
        assert p.op.makes_program
        kinds = {g.kind for g in p.guidance}
        assert kinds <= {GuidanceKind.MEMORY, GuidanceKind.AVOID} | (
            {GuidanceKind.HISTORY} if p.op is Op.MERGE else set()
        )
        if p.op is Op.IMPROVE:
            shown = [g for g in p.guidance if g.kind is GuidanceKind.MEMORY]
            assert 1 <= len(shown) <= 3
            assert all(g.text.startswith("plan ") for g in shown)
    reasons = {v.reason for e in events if isinstance(e, Tell) for v in e.verdicts}
    assert "clearly better score" in reasons


def test_without_diagnosis_memory_shows_the_global_best_and_the_two_best_of_others():
    d = Driver(gome(n_traces=2, diagnosis="off"))
    for used_score in (0.5, 0.3, 0.6, 0.4, 0.7, 0.2):  # trace 0: 0.5 0.6 0.7; trace 1: 0.3 0.4 (0.2 is rejected)
        d.ok(d.ask(), used_score)
    p = d.ask()
    assert p.trace == 0
    assert [g.score for g in p.guidance if g.kind is GuidanceKind.MEMORY] == [0.7, 0.4, 0.3]
    p = d.ask()
    assert p.trace == 1
    assert [g.score for g in p.guidance if g.kind is GuidanceKind.MEMORY] == [0.7, 0.6]


def test_bare_gome_falls_back_to_the_shared_context():
    for p in proposals(history(momentum="off", diagnosis="off")):
        assert p.context is None or p.op is Op.MERGE
    for p in proposals(history(momentum="off")) + proposals(history(diagnosis="off")):
        assert p.context is not None


def test_one_trace_has_no_merge_and_nothing_to_avoid():
    for p in proposals(history(n_traces=1)):
        assert p.trace == 0
        assert p.op is not Op.MERGE
        assert not texts(p, GuidanceKind.AVOID)


def test_merge_and_diversify_switches_change_only_their_own():
    on, off = proposals(history()), proposals(history(merge="off"))
    assert any(p.op is Op.MERGE for p in on)
    assert all(p.op is not Op.MERGE for p in off)
    before = next(i for i, p in enumerate(on) if p.op is Op.HYPOTHESIZE and p.context)  # the first step that merges
    assert on[:before] == off[:before]
    assert any(texts(p, GuidanceKind.AVOID) for p in on)
    assert not any(texts(p, GuidanceKind.AVOID) for p in proposals(history(diversify="off")))


def test_histories_in_prompts_are_bounded():
    events = history(steps=400, history=2, p_fail=0.5)
    assert max(len(texts(p, GuidanceKind.HISTORY)) for p in proposals(events)) == 4
    assert max(len(p.context or ()) for p in proposals(events)) == 3  # the base is not among them


@pytest.mark.parametrize("scale", ["raw", "robust"])
def test_flipping_scores_and_direction_changes_no_decision(scale):
    scenario = Scenario(8, steps=80)

    def run(direction):
        def outcome(p):
            o = scenario.outcome(p)
            return o if o.score is None else replace(o, score=direction.sign * o.score)

        search = factory("gome")({"scale": scale, "acceptance": "numeric"}, Problem(direction, 80), scenario.rng)
        shown = []
        for p in proposals(simulate(search, outcome, steps=80)):
            guidance = tuple((g.kind, g.text, g.node, g.verdict) for g in p.guidance)
            shown.append((p.op, p.base, p.subject, p.parents, p.context, p.trace, guidance))
        return shown

    assert run(MAX) == run(MIN)
