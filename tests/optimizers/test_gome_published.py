"""Gome as published: one test for each point in which the published configuration is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlesearch.optimizers.gome.memory import Memory
from mlesearch.optimizers.gome.propose import stage_of, step_stage
from mlesearch.optimizers.gome.traces import Stage, Step
from mlesearch.types import Component, Guidance, GuidanceKind, HypothesisScores, Op, ProblemKind, Proposal, Status
from tests.support.gome_driver import ACC, MAX, MIN, REJ, REPLACE, SOUND, Driver, hyp, published, texts

KEEP = replace(SOUND, observations="fold 3 is worst", reason="look at fold 3")
TAKE = replace(KEEP, replace=True)


def kinds(p: Proposal) -> set[GuidanceKind]:
    return {g.kind for g in p.guidance}


def until(d: Driver, op: Op, score: float, diagnosis=TAKE, used: float = 0.3) -> Proposal:
    """Answer until this operator is asked; returns the proposal, not told yet."""
    while True:
        p = d.ask(used)
        assert p is not None
        if p.op is op:
            return p
        d.ok(p, score, diagnosis, (hyp(f"h{p.id}", embedding=(1.0, 0.0)),))


def test_choice_the_model_selects_modifies_or_creates_one():
    d = Driver(published(n_traces=1))
    d.step(0.5, TAKE)
    offered = (hyp("first"), hyp("second"))
    p = d.ask()
    assert p.op is Op.HYPOTHESIZE
    d.ok(p, hypotheses=offered)
    for chosen in ("second", "second, on scaled inputs", "something else"):
        p = d.ask()
        assert (p.op, texts(p, GuidanceKind.CANDIDATE)) == (Op.SELECT, ["first", "second"])
        d.ok(p, hypotheses=(hyp(chosen),))
        p = d.ask()
        assert (p.op, texts(p, GuidanceKind.HYPOTHESIS)) == (Op.IMPROVE, [chosen])
        d.ok(p, 0.6)
        d.ok(d.ask(), diagnosis=TAKE)
        d.ok(d.ask(), hypotheses=offered)


def test_choice_select_sees_what_hypothesize_saw_and_the_candidates_in_full():
    d = Driver(published(n_traces=1))
    d.step(0.5, TAKE)
    d.step(0.4, KEEP)
    asked = until(d, Op.HYPOTHESIZE, 0.6)
    scores = HypothesisScores(2, 3, 4, 5, 6)
    offered = replace(hyp("an idea", Component.DATA), problem="a gap", scores=scores, problem_kind=ProblemKind.FEEDBACK)
    d.ok(asked, hypotheses=(offered,))
    p = d.ask()
    assert p.op is Op.SELECT
    assert (p.base, p.context) == (asked.base, asked.context)
    shown = [g for g in asked.guidance if g.kind is not GuidanceKind.PROBLEM_MIX]
    assert {g.kind for g in shown} == {GuidanceKind.DIAGNOSIS, GuidanceKind.HISTORY, GuidanceKind.STAGE}
    assert [g for g in p.guidance if g in shown] == shown
    (candidate,) = [g for g in p.guidance if g.kind is GuidanceKind.CANDIDATE]
    expected = Guidance(
        GuidanceKind.CANDIDATE,
        "an idea",
        component=Component.DATA,
        problem="a gap",
        problem_kind=ProblemKind.FEEDBACK,
        ratings=scores,
    )
    assert candidate == expected


@pytest.mark.parametrize(("diagnosis", "score", "kind"), [(TAKE, 0.1, ACC), (KEEP, 0.9, REJ)])
def test_acceptance_is_the_word_of_the_model(diagnosis, score, kind):
    d = Driver(published(n_traces=1))
    d.step(0.5, TAKE)
    _, (verdict,) = d.step(score, diagnosis)
    assert verdict.kind is kind


def test_acceptance_of_a_first_program_is_the_word_of_the_model_too():
    d = Driver(published(n_traces=1))
    _, (verdict,) = d.step(0.5, KEEP)
    assert verdict.kind is REJ
    program, (verdict,) = d.step(0.5, REPLACE)
    assert (program.op, program.base, verdict.kind) == (Op.DRAFT, None, ACC)


def test_kernel_takes_raw_differences_and_the_oldest_of_the_pool():
    d = Driver(published(n_traces=1))
    scores = (0.1, 0.2, 0.3, 0.4, 0.9)
    for i, score in enumerate(scores):
        d.step(score, TAKE, hypotheses=(hyp(f"idea {i}", embedding=(1.0, 0.0)),))
    asked = until(d, Op.HYPOTHESIZE, 0.5)
    many = tuple(hyp(f"new {i}", embedding=(1.0, 0.0)) for i in range(5))
    d.ok(asked, hypotheses=many)
    shown = [g.text for g in d.ask().guidance if g.kind is GuidanceKind.MEMORY]
    # the draws of five candidates cover the oldest entries; the global best stands first
    assert shown == ["idea 4", "idea 0", "idea 1"]
    (trace,) = d.search._traces
    gains = d.search.memory.gains(trace.best_score, 1.0)
    assert gains == pytest.approx([s - 0.9 for s in scores])


@pytest.mark.parametrize("direction", [MAX, MIN])
def test_memory_keeps_hypothesis_finding_and_gain(direction):
    d = Driver(published(direction, n_traces=1))
    d.step(direction.sign * 0.5, TAKE, hypotheses=(hyp("start"),))
    d.step(direction.sign * 0.75, TAKE, hypotheses=(hyp("better"),))
    first, second = d.search.memory.entries
    assert (first.text, first.gain, first.finding) == ("start", None, "fold 3 is worst look at fold 3")
    assert (second.text, second.gain) == ("better", 0.25)  # positive is better, whichever way the metric points
    shown = [g for g in until(d, Op.SELECT, 0.0).guidance if g.kind is GuidanceKind.MEMORY]
    assert [(g.text, g.gain, g.finding) for g in shown] == [
        ("better", 0.25, second.finding),
        ("start", None, first.finding),
    ]


def test_memory_keeps_no_text_twice():
    memory = Memory(MAX)
    memory.add("a", 0.5, 0, 1, (1.0, 0.0))
    memory.add("b", 0.6, 1, 2, (0.0, 1.0))
    memory.add("a", 0.4, 1, 3, (1.0, 0.0))  # the earlier one is better
    assert [(e.text, e.score, e.node) for e in memory.entries] == [("a", 0.5, 1), ("b", 0.6, 2)]
    memory.add("a", 0.9, 1, 4, (1.0, 0.0), gain=0.3)
    assert [(e.index, e.text, e.score, e.node, e.gain) for e in memory.entries] == [
        (0, "a", 0.9, 4, 0.3),  # at its old place: the pool still calls it the oldest
        (1, "b", 0.6, 2, None),
    ]
    assert memory.best is memory.entries[0]
    assert memory.gains(0.5, 1.0) == pytest.approx([0.4, 0.1])
    assert memory.similarity([(1.0, 0.0)]).tolist() == [[1.0, 0.0]]
    assert [e.node for e in memory.best_of_others(0, 5)] == [4, 2]  # it moved from trace 0 to trace 1
    assert memory.best_of_others(1, 5) == []


def test_memory_reaches_the_selection_only():
    d = Driver(published(n_traces=2))
    seen: dict[Op, bool] = {}
    for _ in range(60):
        p = d.ask()
        assert p is not None
        seen[p.op] = seen.get(p.op, False) or GuidanceKind.MEMORY in kinds(p)
        d.ok(p, 0.01 * p.id, TAKE, (hyp(f"h{p.id}"),))
    assert seen == {
        Op.HYPOTHESIZE: False,
        Op.SELECT: True,
        Op.DRAFT: False,
        Op.IMPROVE: False,
        Op.DIAGNOSE: False,
    }


def test_merge_is_off():
    d = Driver(published(n_traces=3))
    for _ in range(3):
        d.step(0.5, TAKE)
    ops = set()
    for _ in range(30):
        p = d.ask(0.97)
        assert p is not None
        ops.add(p.op)
        d.ok(p, 0.6, KEEP)
    assert ops == {Op.HYPOTHESIZE, Op.SELECT, Op.IMPROVE, Op.DIAGNOSE}


@pytest.mark.parametrize(("trial_runs", "rounds"), [(False, 3), (True, 10)])
def test_debugging_takes_ten_rounds_where_programs_run_on_a_sample_first(trial_runs, rounds):
    d = Driver(published(n_traces=1, trial_runs=trial_runs))
    d.ok(d.ask())
    ops: list[Op] = []
    verdicts = ()
    while not verdicts:
        p = d.ask()
        assert p is not None
        ops.append(p.op)
        verdicts = d.fail(p, Status.ERROR)
    assert ops == [Op.DRAFT] + [Op.DEBUG] * rounds


def test_diagnosis_sees_the_stage():
    d = Driver(published(n_traces=1))
    d.step(0.5, TAKE)
    p = until(d, Op.DIAGNOSE, 0.6, used=0.8)
    assert texts(p, GuidanceKind.STAGE)[0].startswith("ensemble")


def test_stage_texts_name_actions_and_folds_and_force_an_ensemble_late():
    d = Driver(published(n_traces=1))
    (draft,) = texts(d.ask(0.9), GuidanceKind.STAGE)
    assert draft.startswith("draft:")  # a first program is a draft whenever it is made
    assert "two to three folds" in draft
    d = Driver(published(n_traces=1))
    d.step(0.5, TAKE)
    shown = {}
    for used in (0.5, 0.71):
        p = until(d, Op.HYPOTHESIZE, 0.6, used=used)
        (shown[used],) = texts(p, GuidanceKind.STAGE)
        d.ok(p)
        p = d.ask(used)
        assert (p.op, texts(p, GuidanceKind.STAGE)) == (Op.SELECT, [shown[used]])
        d.ok(p)
        d.step(0.6, TAKE, used)
    assert "five folds" in " ".join(shown[0.5].split())
    assert "has to be of the component ensemble" in shown[0.71]
    late = Step(0, Op.IMPROVE, Stage.SELECT, 1, 0.5, ())
    assert [step_stage(late, u) for u in (0.05, 0.5, 0.9)] == [stage_of(u) for u in (0.05, 0.5, 0.9)]
