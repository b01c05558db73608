"""Gome: the kernel, the decision list, the state machine of a step, and what each switch changes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from mlesearch.optimizers.base import factory
from mlesearch.optimizers.gome.accept import Scores, decide
from mlesearch.optimizers.gome.memory import Memory, draw, keep, probabilities
from mlesearch.optimizers.gome.propose import rank, scenario_weight, stage_of
from mlesearch.testing.optimizer_contract import Asked, Scenario, Told, simulate
from mlesearch.types import (
    Component,
    Diagnosis,
    Direction,
    GuidanceKind,
    Hypothesis,
    HypothesisScores,
    Op,
    Outcome,
    Problem,
    ProblemKind,
    Status,
    VerdictKind,
)

MAX, MIN = Direction.MAXIMIZE, Direction.MINIMIZE
SOUND = Diagnosis(True, False, "c", "seen", None, False, False, "r")


def hyp(text="h", component=Component.MODEL, impact=5.0, embedding=None):
    return Hypothesis(text, "p", ProblemKind.SCENARIO, component, HypothesisScores(5, impact, 5, 5, 5), embedding)


def gome(direction=MAX, steps=100, **params):
    return factory("gome")(params, Problem(direction, steps), lambda id: np.random.default_rng([5, id]))


class Driver:
    """Answers a strategy one proposal at a time."""

    def __init__(self, search):
        self.search = search

    def ask(self, used=0.3):
        return self.search.ask(used)

    def ok(self, p, score=None, diagnosis=SOUND, hypotheses=None):
        if p.op is Op.DIAGNOSE:
            return self.search.tell(Outcome(p.id, p.op, Status.OK, diagnosis=diagnosis))
        if not p.op.makes_program:
            given = (hyp(f"h{p.id}"),) if hypotheses is None else hypotheses
            return self.search.tell(Outcome(p.id, p.op, Status.OK, hypotheses=given))
        return self.search.tell(Outcome(p.id, p.op, Status.OK, score, f"plan {p.id}"))

    def fail(self, p, status=Status.ERROR):
        return self.search.tell(Outcome(p.id, p.op, status, lesson="broke"))

    def step(self, score, diagnosis=SOUND, used=0.3, hypotheses=None):
        """One whole step without bugs; returns (program proposal, verdicts)."""
        p, program = self.ask(used), None
        while True:
            if p.op.makes_program:
                program = p
            verdicts = self.ok(p, score, diagnosis, hypotheses)
            if verdicts:
                return program, verdicts
            p = self.ask(used)


def texts(p, kind):
    return [g.text for g in p.guidance if g.kind is kind]


# momentum


def worked(direction=MAX):
    memory = Memory(direction)
    sign = direction.sign
    memory.add("a", sign * 0.7, 0, 1, (1.0, 0.0))
    memory.add("b", sign * 0.9, 1, 2, (0.6, 0.8))
    memory.add("c", sign * 0.5, 1, 3, None)
    return memory


@pytest.mark.parametrize("direction", [MAX, MIN])
def test_kernel_on_worked_numbers_raw(direction):
    memory = worked(direction)
    # L = 30: exp(-gamma L) = 1/2. Candidate (0, 1): cosines 0, 0.8, 0. s_cur = 0.7: tanh(0, 0.2, -0.2)
    # U = (0, 0.4 + 0.1973753, -0.1973753); exp = 1, 1.8173423, 0.8208825; sum 3.6382248
    p = probabilities(memory.similarity([(0.0, 1.0)]), memory.gains(direction.sign * 0.7, 1.0), 30, 1.0, 1.0, 30.0)
    u = [0.0, 0.5 * 0.8 + math.tanh(0.2), math.tanh(-0.2)]
    by_formula = [math.exp(x) / sum(map(math.exp, u)) for x in u]
    assert p[0] == pytest.approx(by_formula, abs=1e-12)
    assert p[0] == pytest.approx([0.2748593, 0.4995135, 0.2256272], abs=2e-6)


def test_kernel_robust_scale_divides_by_the_interquartile_range():
    scores = Scores()
    for s in (0.1, 0.2, 0.3):
        scores.add(s)
    assert scores.interquartile_range == 0.0  # fewer than four
    scores.add(0.9)
    assert scores.interquartile_range == pytest.approx(0.45 - 0.175)  # as numpy's default
    assert scores.interquartile_range == pytest.approx(np.subtract(*np.percentile([0.1, 0.2, 0.3, 0.9], [75, 25])))
    memory = worked()
    gains = memory.gains(0.7, scores.interquartile_range)
    assert gains == pytest.approx([0.0, 0.2 / 0.275, -0.2 / 0.275])
    assert list(memory.gains(0.7, 0.0)) == [0, 0, 0]  # a range of 0: beta = 0
    assert list(memory.gains(None, 1.0)) == [0, 0, 0]  # nothing accepted: beta = 0
    scores.discard(0.9)
    assert scores.interquartile_range == 0.0


def test_kernel_clips_and_stays_finite():
    memory = Memory(MAX)
    for i, s in enumerate((-1e308, 1e308, 0.0)):
        memory.add(str(i), s, 0, i, (1.0,) if i else (-1.0,))
    p = probabilities(memory.similarity([(1.0,)]), memory.gains(1e308, 1e-300), 0, 5.0, 1.0, 30.0)
    u = [-2.0, 2.0, 2.0]
    assert p[0] == pytest.approx([math.exp(x) / sum(map(math.exp, u)) for x in u])


def test_memory_without_or_with_other_embeddings_is_similar_to_nothing():
    memory = worked()
    assert memory.similarity([None, (1.0, 0.0, 0.0), (0.0, 0.0)]).tolist() == [[0.0] * 3] * 3
    empty = Memory(MAX)
    empty.add("x", 1.0, 0, 0, None)
    empty.add("y", 1.0, 0, 1, (0.0, 2.0))
    assert empty.similarity([(0.0, 1.0)]).tolist() == [[0.0, 1.0]]
    for i in range(50):
        empty.add(str(i), 1.0, 0, i, (3.0, 4.0))
    assert empty.similarity([(0.0, 1.0)])[0, -1] == pytest.approx(0.8)
    assert empty.best is not None
    assert empty.best.text == "x"  # ties go to the earlier


def test_draw_without_replacement_follows_the_probabilities():
    p = np.array([[0.5, 0.3, 0.15, 0.05]])
    generator, n = np.random.default_rng(11), 20_000
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(n):
        pair = tuple(draw(p, lambda: generator))
        counts[pair] = counts.get(pair, 0) + 1
    q = p[0]
    expected = {(i, j): n * q[i] * q[j] * (1 / (1 - q[i]) + 1 / (1 - q[j])) for i in range(4) for j in range(i + 1, 4)}
    assert set(counts) == set(expected)
    chi2 = sum((counts[k] - e) ** 2 / e for k, e in expected.items())
    assert chi2 < 20.5  # 99.9 % of chi-square with 5 degrees of freedom
    assert draw(p[:, :2], lambda: pytest.fail("nothing to draw")) == [0, 1]


def test_pool_by_probability_or_as_released():
    p = np.array([[0.1, 0.2, 0.6, 0.1], [0.1, 0.5, 0.1, 0.3]])
    assert keep([0, 1, 2, 3], p, "by_probability") == [1, 2]  # sums .2 .7 .7 .4: the tie goes to the older
    assert keep([0, 2, 3], p, "by_probability") == [2, 3]
    assert keep([0, 2, 3], p, "as_released") == [0, 2]


def test_retrieval_prepends_the_global_best_and_draws_one_generator():
    calls = []
    search = factory("gome")(
        {"n_traces": 1}, Problem(MAX, 100), lambda id: calls.append(id) or np.random.default_rng(id)
    )
    d = Driver(search)
    two = (hyp("x", embedding=(1.0, 0.0)), hyp("y", embedding=(0.0, 1.0)))
    for i in range(6):
        d.step(0.1 * i, hypotheses=two)
    assert [e.score for e in search.memory.entries] == pytest.approx([0.1 * i for i in range(6)])
    assert len(calls) == len(set(calls))
    p = d.ask()
    assert p.op is Op.HYPOTHESIZE
    d.ok(p, hypotheses=two)
    p = d.ask()
    shown = [g.score for g in p.guidance if g.kind is GuidanceKind.MEMORY]
    assert shown[0] == pytest.approx(0.5)
    assert len(shown) in (2, 3)
    assert len(set(shown)) == len(shown)


# decisions


BAD_FORMAT, LEAK = replace(SOUND, format_valid=False), replace(SOUND, severely_misaligned=True)
BETTER_CODE, REPLACE = replace(SOUND, quality_better=True), replace(SOUND, replace=True)
ACC, REJ, VOID = VerdictKind.ACCEPTED, VerdictKind.REJECTED, VerdictKind.VOID


@pytest.mark.parametrize(
    ("diagnosis", "score", "reference", "direction", "by_model", "kind"),
    [
        (BAD_FORMAT, 0.9, None, MAX, False, REJ),
        (replace(BAD_FORMAT, severely_misaligned=True), 0.9, None, MAX, False, REJ),
        (LEAK, 0.9, None, MAX, False, VOID),
        (LEAK, 0.9, 0.1, MAX, True, VOID),
        (SOUND, 0.1, None, MAX, False, ACC),
        (SOUND, 0.9, 0.5, MAX, False, ACC),
        (SOUND, 0.1, 0.5, MAX, False, REJ),
        (SOUND, 0.9, 0.5, MIN, False, REJ),
        (SOUND, 0.1, 0.5, MIN, False, ACC),
        (BETTER_CODE, 0.495, 0.5, MAX, False, ACC),
        (SOUND, 0.505, 0.5, MAX, False, REJ),
        (BETTER_CODE, 0.485, 0.5, MAX, False, REJ),
        (None, 0.505, 0.5, MAX, False, REJ),
        (None, 0.515, 0.5, MAX, False, ACC),
        (REPLACE, 0.1, 0.5, MAX, True, ACC),
        (SOUND, 0.9, 0.5, MAX, True, REJ),
        (None, 0.9, 0.5, MAX, True, ACC),
    ],
)
def test_decision_list(diagnosis, score, reference, direction, by_model, kind):
    assert decide(diagnosis, score, reference, direction, 0.01, by_model).kind is kind


def test_any_change_is_clear_while_fewer_than_two_are_accepted():
    assert decide(SOUND, 0.5 + 1e-12, 0.5, MAX, 0.0, False).kind is ACC
    assert decide(BETTER_CODE, 0.5, 0.5, MAX, 0.0, False).kind is ACC  # no change at all is a tie
    scores = Scores()
    scores.accept(3.0)
    assert scores.spread == 0.0
    scores.accept(-1.0)
    assert scores.spread == 4.0


def test_tie_tolerance_is_a_share_of_the_spread_of_accepted_scores():
    d = Driver(gome(n_traces=1, tie_tolerance=0.1))
    d.step(0.0)
    d.step(1.0)  # spread 1: changes up to 0.1 are near-ties
    _, verdicts = d.step(1.05)
    assert (verdicts[0].kind, verdicts[0].reason) == (REJ, "near-tie without better code")
    _, verdicts = d.step(0.95, BETTER_CODE)
    assert (verdicts[0].kind, verdicts[0].reason) == (ACC, "near-tie with better code")
    _, verdicts = d.step(1.2)
    assert verdicts[0].reason == "clearly better score"


@pytest.mark.parametrize(
    ("accepted", "failed", "m"),
    [(0, 0, 3), (1, 0, 3), (2, 0, 3), (3, 0, 2), (0, 3, 3), (0, 4, 2), (2, 1, 2), (4, 2, 1), (5, 5, 0), (9, 9, 0)],
)
def test_scenario_weight(accepted, failed, m):
    # e.g. accepted 4, failed 2: (12 + 4) // 2 = 8, 8 // 4 = 2, 3 - 2 = 1
    assert scenario_weight(accepted, failed) == m


# the steps of a trace


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
    history = texts(p, GuidanceKind.HISTORY)
    assert history == ["h0\nResult: not valid after 2 debugs. broke"]


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


def test_merge_window():
    d = Driver(gome(n_traces=3))
    nodes = [d.step(s)[0].id for s in (0.5, 0.9, 0.7)]
    p = d.ask(0.9)
    assert (p.op, p.base, p.context, p.trace) == (Op.MERGE, nodes[1], (nodes[0], nodes[2]), 1)
    assert p.parents == (nodes[1], nodes[0], nodes[2])
    other = d.ask(0.9)
    assert other.op is Op.HYPOTHESIZE  # once for each set; the other traces go on
    d.ok(p, 0.95)
    p = d.ask(0.9)
    assert (p.op, p.subject, p.base, p.trace) == (Op.DIAGNOSE, p.subject, nodes[1], 1)
    d.ok(p)
    again = d.ask(0.9)
    assert (again.op, again.base) == (Op.MERGE, p.subject)  # a new set of accepted programs


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


# switches


def history(steps=60, p_fail=0.2, seed=1, workers=1, **params):
    scenario = Scenario(seed, steps=steps, p_fail=p_fail, workers=workers)
    search = factory("gome")(params, scenario.problem, scenario.rng)
    return simulate(search, scenario.outcome, steps=steps, workers=workers, pick=scenario.pick)


def proposals(events):
    return [e.proposal for e in events if isinstance(e, Asked)]


@pytest.mark.parametrize("diversify", ["on", "off"])
@pytest.mark.parametrize("seed", range(4))
def test_without_momentum_no_accepted_hypothesis_crosses_traces(diversify, seed):
    events = history(seed=seed, workers=3, momentum="off", diversify=diversify, merge="off")
    by_id = {p.id: p for p in proposals(events)}
    accepted: dict[str, int] = {}
    for e in events:
        for v in e.verdicts if isinstance(e, Told) else ():
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
        assert kinds <= {GuidanceKind.MEMORY, GuidanceKind.AVOID}
        if p.op is Op.IMPROVE:
            shown = [g for g in p.guidance if g.kind is GuidanceKind.MEMORY]
            assert 1 <= len(shown) <= 3
            assert all(g.text.startswith("plan ") for g in shown)
    reasons = {v.reason for e in events if isinstance(e, Told) for v in e.verdicts}
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
    before = next(i for i, p in enumerate(on) if p.op is Op.MERGE)
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

        search = factory("gome")({"scale": scale}, Problem(direction, 80), scenario.rng)
        shown = []
        for p in proposals(simulate(search, outcome, steps=80)):
            guidance = tuple((g.kind, g.text, g.node, g.verdict) for g in p.guidance)
            shown.append((p.op, p.base, p.subject, p.parents, p.context, p.trace, guidance))
        return shown

    assert run(MAX) == run(MIN)
