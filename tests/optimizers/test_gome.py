"""Gome: the steps of a trace, one after another, and of several traces beside each other."""

from __future__ import annotations

import numpy as np
import pytest

from mlesearch.optimizers.gome.propose import rank, stage_of
from mlesearch.types import (
    Component,
    GuidanceKind,
    Op,
    Status,
)
from tests.support.gome_driver import (
    ACC,
    LEAK,
    REJ,
    VOID,
    Driver,
    gome,
    hyp,
    texts,
)


def test_one_step_by_hand():
    d = Driver(gome())
    p0 = d.ask(0.0)
    assert (p0.op, p0.base, p0.subject, p0.parents, p0.context, p0.trace) == (Op.HYPOTHESIZE, None, None, (), (), 0)
    assert [g.kind for g in p0.guidance] == [GuidanceKind.PROBLEM_MIX, GuidanceKind.STAGE]
    assert texts(p0, GuidanceKind.PROBLEM_MIX) == ["scenario: 3, feedback: 0"]
    assert texts(p0, GuidanceKind.STAGE)[0].startswith("draft")
    d.ok(p0, hypotheses=(hyp("one"), hyp("two", Component.DATA)))
    p1 = d.ask()
    assert (p1.op, p1.base) == (Op.DRAFT, None)
    assert texts(p1, GuidanceKind.HYPOTHESIS) == ["one", "two"]  # the first node implements all of them
    d.fail(p1)
    p2 = d.ask()
    assert (p2.op, p2.base, p2.parents, p2.context) == (Op.DEBUG, 1, (1,), ())
    assert texts(p2, GuidanceKind.HYPOTHESIS) == ["one", "two"]
    d.fail(p2)
    p3 = d.ask()
    assert (p3.op, p3.base, p3.parents, p3.context) == (Op.DEBUG, 2, (2,), (1,))
    assert d.ok(p3, 0.5) == ()
    p4 = d.ask()
    assert (p4.op, p4.subject, p4.base) == (Op.DIAGNOSE, 3, None)
    assert texts(p4, GuidanceKind.HYPOTHESIS) == ["one", "two"]
    (verdict,) = d.ok(p4)
    assert (verdict.node, verdict.kind) == (3, ACC)
    assert [(e.text, e.score, e.node) for e in d.search.memory.entries] == [("one\ntwo", 0.5, 3)]


def test_a_rejected_or_void_program_is_never_the_base_of_the_next_edit():
    d = Driver(gome(n_traces=1))
    first, _ = d.step(0.5)
    second, verdicts = d.step(0.4)
    assert verdicts[0].kind is REJ
    third, verdicts = d.step(0.99, LEAK)
    assert (third.base, third.parents) == (first.id, (second.id,))  # from the trace, but editing the accepted one
    assert verdicts[0].kind is VOID
    fourth, verdicts = d.step(0.6)
    assert (fourth.base, fourth.parents) == (first.id, (third.id,))
    assert verdicts[0].kind is ACC  # the void 0.99 does not count
    assert [e.score for e in d.search.memory.entries] == [0.5, 0.6]
    fifth, _ = d.step(0.7)
    assert fifth.base == fourth.id


def test_a_void_score_is_never_shown():
    d = Driver(gome(n_traces=1))
    d.step(0.5)
    d.step(0.987654, LEAK)
    p = d.ask()
    assert p.op is Op.HYPOTHESIZE
    assert all(g.score != 0.987654 for g in p.guidance)
    assert [(g.verdict, g.score) for g in p.guidance if g.kind is GuidanceKind.HISTORY] == [(ACC, 0.5), (VOID, None)]


def test_first_node_void_leaves_the_trace_without_a_base():
    d = Driver(gome(n_traces=1))
    _, verdicts = d.step(0.9, LEAK)
    assert verdicts[0].kind is VOID
    program, verdicts = d.step(0.1)
    assert (program.op, program.base, program.parents) == (Op.DRAFT, None, (1,))
    assert verdicts[0].reason == "first valid program of its trace"


def test_a_step_fails_after_max_debug_and_costs_no_diagnosis():
    d = Driver(gome(n_traces=1, max_debug=2))
    d.ok(d.ask())
    ops, verdicts = [], ()
    while not verdicts:
        p = d.ask()
        ops.append(p.op)
        verdicts = d.fail(p)
    assert ops == [Op.DRAFT, Op.DEBUG, Op.DEBUG]
    assert (verdicts[0].node, verdicts[0].kind, verdicts[0].reason) == (p.id, REJ, "not valid after 2 debugs")
    p = d.ask()
    assert p.op is Op.HYPOTHESIZE
    (shown,) = [g for g in p.guidance if g.kind is GuidanceKind.HISTORY]
    assert (shown.text, shown.problem, shown.changes) == ("h0", "p", "")
    assert (shown.finding, shown.gain) == ("not valid after 2 debugs. broke", None)


def test_unusable_judgements_have_a_fallback():
    d = Driver(gome(n_traces=1, selection="llm"))
    d.step(0.5)
    d.fail(d.ask(), Status.REPLY_UNUSABLE)  # HYPOTHESIZE: a plain improvement
    p = d.ask()
    assert (p.op, texts(p, GuidanceKind.HYPOTHESIS)) == (Op.IMPROVE, [])
    d.ok(p, 0.6)
    p = d.ask()
    assert p.op is Op.DIAGNOSE
    (verdict,) = d.fail(p, Status.REPLY_UNUSABLE)  # DIAGNOSE: the numbers alone
    assert verdict.reason == "clearly better score"
    assert d.search.memory.entries[-1].text == f"plan {verdict.node}"
    d.ok(d.ask(), hypotheses=(hyp("x"), hyp("y")))
    p = d.ask()
    assert p.op is Op.SELECT
    assert texts(p, GuidanceKind.CANDIDATE) == ["x", "y"]
    assert texts(p, GuidanceKind.MEMORY)
    d.fail(p, Status.REPLY_UNUSABLE)  # SELECT: rank, and the entries retrieved for it
    p2 = d.ask()
    assert p2.op is Op.IMPROVE
    assert texts(p2, GuidanceKind.HYPOTHESIS)[0] in ("x", "y")
    assert texts(p2, GuidanceKind.MEMORY) == texts(p, GuidanceKind.MEMORY)


def test_select_may_create_a_hypothesis():
    d = Driver(gome(n_traces=1, selection="llm"))
    d.step(0.5)
    d.ok(d.ask())
    d.ok(d.ask(), hypotheses=(hyp("a new one"),))
    assert texts(d.ask(), GuidanceKind.HYPOTHESIS) == ["a new one"]


def test_an_unusable_program_reply_closes_the_step_without_a_node():
    d = Driver(gome(n_traces=1))
    d.ok(d.ask())
    assert d.fail(d.ask(), Status.REPLY_UNUSABLE) == ()
    p = d.ask()
    assert p.op is Op.HYPOTHESIZE
    assert [g.node for g in p.guidance if g.kind is GuidanceKind.HISTORY] == [None]


def test_traces_start_in_turn_and_differ():
    d = Driver(gome(n_traces=3))
    asked = [d.ask(0.0) for _ in range(3)]
    assert [(p.op, p.trace) for p in asked] == [(Op.HYPOTHESIZE, 0), (Op.HYPOTHESIZE, 1), (Op.HYPOTHESIZE, 2)]
    assert d.ask(0.0) is None
    d.ok(asked[1], hypotheses=(hyp("trees"),))
    d.ok(asked[0], hypotheses=(hyp("nets"),))
    p = d.ask(0.0)
    assert (p.op, p.trace) == (Op.DRAFT, 0)  # the oldest started step first
    assert texts(p, GuidanceKind.AVOID) == ["trees"]
    p = d.ask(0.0)
    assert (p.op, p.trace, texts(p, GuidanceKind.AVOID)) == (Op.DRAFT, 1, ["nets"])  # in flight included
    d.ok(asked[2], hypotheses=(hyp("kernels"),))
    p = d.ask(0.0)
    assert texts(p, GuidanceKind.AVOID) == ["nets", "trees"]
    assert all(g.score is None and g.node is None for g in p.guidance)


def test_with_steps_spent_a_pending_diagnosis_goes_first():
    d = Driver(gome(n_traces=2))
    a, b = d.ask(), d.ask()
    d.ok(b)
    d.ok(a)
    draft_a, draft_b = d.ask(), d.ask()
    d.fail(draft_a)
    d.ok(draft_b, 0.5)
    assert d.ask(1.0).op is Op.DIAGNOSE
    assert d.ask(1.0).op is Op.DEBUG


def test_every_step_of_the_window_is_a_merge_of_the_best_of_all():
    d = Driver(gome(n_traces=3))
    nodes = [d.step(s)[0].id for s in (0.5, 0.9, 0.7)]
    assert d.ask(0.899).context == ()
    d = Driver(gome(n_traces=3))
    assert [d.step(s)[0].id for s in (0.5, 0.9, 0.7)] == nodes
    p = d.ask(0.9)
    others = (nodes[0], nodes[2])
    assert (p.op, p.base, p.context, p.trace) == (Op.HYPOTHESIZE, nodes[1], others, 0)
    assert [g.node for g in p.guidance if g.kind is GuidanceKind.HISTORY] == nodes  # of all traces
    assert texts(p, GuidanceKind.STAGE)[0].startswith("merge")
    d.ok(p, hypotheses=(hyp("blend"),))
    p = d.ask(0.9)
    assert (p.op, p.base, p.context, p.trace) == (Op.MERGE, nodes[1], others, 0)
    assert p.parents == (nodes[0], nodes[1], nodes[2])  # the trace's own last program first
    assert texts(p, GuidanceKind.HYPOTHESIS) == ["blend"]
    assert [g.node for g in p.guidance if g.kind is GuidanceKind.HISTORY] == nodes  # its lessons
    second = d.ask(0.9)
    assert (second.op, second.base, second.trace) == (Op.HYPOTHESIZE, nodes[1], 1)  # the next trace merges as well
    d.ok(p, 0.95)
    p = d.ask(0.9)
    assert (p.op, p.base, p.trace) == (Op.DIAGNOSE, nodes[1], 0)
    d.ok(p)
    third = d.ask(0.9)
    assert (third.op, third.trace) == (Op.HYPOTHESIZE, 2)
    assert (third.base, third.context) == (p.subject, (nodes[1], nodes[2]))  # from the merged program on


def test_nothing_is_merged_before_two_traces_have_an_accepted_program():
    d = Driver(gome(n_traces=2))
    first, _ = d.step(0.5, used=0.95)
    p = d.ask(0.95)
    assert (p.op, p.base, p.trace) == (Op.HYPOTHESIZE, None, 1)
    d.ok(p)
    assert d.ask(0.95).op is Op.DRAFT
    assert first.op is Op.DRAFT


def test_stage_favours_ensembles_late():
    assert [stage_of(u) for u in (0.0, 0.099, 0.1, 0.7, 0.701)] == ["draft", "draft", "improve", "improve", "ensemble"]
    pair = (hyp("e", Component.ENSEMBLE), hyp("m", Component.MODEL))
    generator = np.random.default_rng(3)
    for used, share in ((0.5, 1 / 2), (0.8, 2 / 3)):
        hits = sum(rank(pair, used, lambda: generator).text == "e" for _ in range(4000))
        assert abs(hits / 4000 - share) < 0.035


def test_rank_samples_in_proportion_to_the_weighted_scores():
    pair = (hyp("low", impact=1.0), hyp("high", impact=10.0))  # weighted 3.4 and 7.0
    assert [h.scores.weighted for h in pair] == pytest.approx([3.4, 7.0])
    generator = np.random.default_rng(4)
    hits = sum(rank(pair, 0.5, lambda: generator).text == "high" for _ in range(4000))
    assert abs(hits / 4000 - 7.0 / 10.4) < 0.035
    six = [*(hyp(str(i), impact=9) for i in range(5)), hyp("sixth", impact=1)]
    assert all(rank(six, 0.5, lambda: generator).text != "sixth" for _ in range(300))
