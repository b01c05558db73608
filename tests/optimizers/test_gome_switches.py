"""Gome's bars as properties over many histories, and in the prompts of a real engine: what each switch changes."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict

import numpy as np
import pytest

from mlesearch.budgets.meter import Budget
from mlesearch.models import markup
from mlesearch.optimizers.base import factory
from mlesearch.testing.optimizer_contract import Ask, Tell, a_hypothesis, simulate
from mlesearch.types import GuidanceKind, Op, Outcome, Problem, Status, VerdictKind
from tests.support import toy_run
from tests.support.gome_driver import (
    ACC,
    BETTER_CODE,
    BY_NUMBERS,
    LEAK,
    MAX,
    REPLACE,
    SOUND,
    VOID,
    Driver,
    gome,
    history,
    hyp,
    proposals,
    texts,
)
from tests.support.toy_run import ToyModel, ToySandbox

SWITCHES = [
    {}, {"momentum": "off"}, {"diagnosis": "off"}, {"n_traces": 1}, {"n_traces": 8, "merge_window": 0.7},
    {"acceptance": "llm", "selection": "llm", "scale": "raw", "pool": "as_released"},
    {"momentum": "off", "diagnosis": "off", "merge": "off", "diversify": "off"},
]  # fmt: skip


@pytest.mark.parametrize("params", SWITCHES, ids=lambda p: ",".join(p) or "default")
def test_only_accepted_programs_are_edited_whatever_happens(params):
    voids = 0
    for seed in range(12):
        latest: dict[int, int] = {}  # trace -> its latest accepted program
        accepted, told, asked = set(), {}, {}
        for e in history(steps=80, seed=seed, workers=1 + seed % 8, p_fail=(0.0, 0.2, 0.5)[seed % 3], **params):
            if isinstance(e, Ask):
                p = asked[e.proposal.id] = e.proposal
                if p.op in (Op.DRAFT, Op.IMPROVE):
                    assert p.base == latest.get(p.trace)
                    assert (p.op is Op.DRAFT) == (p.base is None)
                elif p.op is Op.DEBUG:
                    assert not told[p.base].valid
                    assert asked[p.base].trace == p.trace
                elif p.op is Op.MERGE:
                    assert {p.base, *p.context} <= accepted
                    assert len({asked[n].trace for n in (p.base, *p.context)}) == len(p.context) + 1
                elif p.op is Op.DIAGNOSE:
                    assert p.base is None or p.base in accepted
                    assert told[p.subject].valid
                continue
            told[e.outcome.id] = e.outcome
            for v in e.verdicts:
                if v.kind is ACC:
                    assert told[v.node].valid
                    latest[asked[v.node].trace] = v.node
                    accepted.add(v.node)
                voids += v.kind is VOID
            d = e.outcome.diagnosis
            if d is not None and d.format_valid and d.severely_misaligned:
                assert [(v.node, v.kind) for v in e.verdicts] == [(asked[e.outcome.id].subject, VOID)]
    assert (voids > 0) == (params.get("diagnosis") != "off")


# what a step is shown


@pytest.mark.parametrize(("scale", "divisor"), [("raw", 1.0), ("robust", 0.3)])
def test_the_kernel_is_fed_what_the_formula_names(scale, divisor):
    """L counts all closed steps; the gains are against the best accepted; a void score is in no range."""
    d = Driver(gome(n_traces=1, acceptance="llm", alpha=2.0, beta=0.5, half_life=7.0, scale=scale))
    x, y = (1.0, 0.0), (0.0, 1.0)
    d.step(0.5, REPLACE, hypotheses=(hyp("a", embedding=x),))
    d.step(0.9, REPLACE, hypotheses=(hyp("b", embedding=y),))
    d.step(0.7, REPLACE, hypotheses=(hyp("accepted, but worse than what it edits", embedding=y),))
    d.step(0.1, SOUND, hypotheses=(hyp("rejected", embedding=y),))
    d.step(100.0, LEAK, hypotheses=(hyp("void", embedding=y),))
    d.step(0.8, REPLACE, hypotheses=(hyp("c", embedding=x),))  # better than the 0.7 that it edits
    assert [(e.text, e.score) for e in d.search.memory.entries] == [("a", 0.5), ("b", 0.9), ("c", 0.8)]
    # valid scores 0.1 0.5 0.7 0.8 0.9: the quartiles are 0.5 and 0.8. L = 6, s_cur = 0.9
    d.ok(d.ask(), hypotheses=(hyp("one", embedding=(0.6, 0.8)), hyp("two", embedding=(0.0, -1.0))))
    (trace,) = d.search._traces
    p = d.search._momentum.kernel(trace, trace.step)
    for row, cosines in zip(p, ((0.6, 0.8, 0.6), (0.0, -1.0, 0.0)), strict=True):
        gains = [(s - 0.9) / divisor for s in (0.5, 0.9, 0.8)]
        u = [2.0 * c * 2.0 ** (-6 / 7) + 0.5 * math.tanh(g) for c, g in zip(cosines, gains, strict=True)]
        assert row == pytest.approx([math.exp(v) / sum(map(math.exp, u)) for v in u], abs=1e-12)


def test_each_prompt_of_a_step_by_hand():
    d = Driver(gome(n_traces=1))
    many = tuple(hyp(f"many {i}") for i in range(7))
    d.ok(d.ask(), hypotheses=many)
    draft = d.ask()
    assert texts(draft, GuidanceKind.HYPOTHESIS) == [f"many {i}" for i in range(5)]  # at most five are used
    d.ok(draft, 0.5)
    first = d.ask()
    assert (first.op, texts(first, GuidanceKind.DIAGNOSIS)) == (Op.DIAGNOSE, [])
    d.ok(first)
    found = "Changes: c\nObservations: seen\nHypothesis: undecided\nReason: r"
    p = d.ask()
    assert (p.op, texts(p, GuidanceKind.DIAGNOSIS)) == (Op.HYPOTHESIZE, [found])
    assert [g.score for g in p.guidance if g.kind is GuidanceKind.MEMORY] == [0.5]
    d.ok(p, hypotheses=(hyp("next"),))
    p = d.ask()
    assert (p.op, texts(p, GuidanceKind.DIAGNOSIS)) == (Op.IMPROVE, [found])
    d.ok(p, 0.4)
    p = d.ask()
    assert (p.op, texts(p, GuidanceKind.HYPOTHESIS), texts(p, GuidanceKind.DIAGNOSIS)) == (
        Op.DIAGNOSE,
        ["next"],
        [found],
    )
    d.ok(p)
    shown = [(g.verdict, g.score) for g in d.search.ask(0.3).guidance if g.kind is GuidanceKind.HISTORY]
    assert shown == [(ACC, 0.5), (VerdictKind.REJECTED, 0.4)]


def test_failures_are_shown_until_the_next_acceptance():
    d = Driver(gome(n_traces=1))
    for score in (0.5, 0.4, 0.3, 0.6):
        d.step(score)
    p = d.ask()
    assert [g.score for g in p.guidance if g.kind is GuidanceKind.HISTORY] == [0.5, 0.6]


def test_hypothesize_is_shown_what_the_step_before_retrieved():
    d = Driver(gome(n_traces=1))
    for i in range(8):
        d.step(0.1 * i, hypotheses=(hyp(f"h{i}", embedding=(1.0, float(i))),))
    d.ok(d.ask(), hypotheses=(hyp("x", embedding=(1.0, 2.0)),))
    program = d.ask()
    retrieved = texts(program, GuidanceKind.MEMORY)
    assert retrieved[0] == "h7"
    assert len(retrieved) >= 2
    d.ok(program, 0.0)
    d.ok(d.ask())
    p = d.ask()
    assert (p.op, texts(p, GuidanceKind.MEMORY)) == (Op.HYPOTHESIZE, retrieved)


def test_a_trace_with_nothing_accepted_avoids_what_the_others_do_now():
    d = Driver(gome(n_traces=2))
    a, b = d.ask(), d.ask()
    d.ok(a, hypotheses=(hyp("nets"),))
    d.ok(d.ask(), 0.5)
    d.ok(d.ask())
    p = d.ask()
    assert (p.trace, p.op, texts(p, GuidanceKind.AVOID)) == (0, Op.HYPOTHESIZE, [])
    d.ok(p, hypotheses=(hyp("boosting"),))
    assert texts(d.ask(), GuidanceKind.HYPOTHESIS) == ["boosting"]  # in flight
    d.ok(b, hypotheses=(hyp("trees"),))
    p = d.ask()
    assert (p.trace, p.op, texts(p, GuidanceKind.AVOID)) == (1, Op.DRAFT, ["nets", "boosting"])
    d.fail(p, Status.REPLY_UNUSABLE)
    p = d.ask()
    assert (p.trace, p.op, texts(p, GuidanceKind.AVOID)) == (1, Op.HYPOTHESIZE, ["nets", "boosting"])


def test_only_a_trace_with_nothing_accepted_is_told_to_differ():
    asked = [p for seed in range(6) for p in proposals(history(seed=seed, workers=3, p_fail=0.4))]
    assert any(texts(p, GuidanceKind.AVOID) for p in asked)
    for p in asked:
        assert p.base is None or not texts(p, GuidanceKind.AVOID)
        assert all(g.score is None for g in p.guidance if g.kind is GuidanceKind.AVOID)


@pytest.mark.parametrize("seed", range(4))
def test_without_momentum_no_accepted_experiment_is_shown(seed):
    accepted, others = set(), 0
    for e in history(steps=80, seed=seed, momentum="off", merge="off"):
        if isinstance(e, Tell):
            accepted |= {v.node for v in e.verdicts if v.kind is ACC}
        elif e.proposal.op in (Op.DRAFT, Op.IMPROVE, Op.HYPOTHESIZE):
            assert not accepted & set(e.proposal.context)
            others += len(e.proposal.context)
    assert others


def test_a_rejected_merge_leaves_the_base_and_is_tried_again():
    d = Driver(gome(n_traces=2))
    nodes = [d.step(s)[0].id for s in (0.5, 0.9)]
    for _ in range(3):
        merge, (verdict,) = d.step(0.1, used=0.95)
        assert (merge.op, merge.base, verdict.kind) == (Op.MERGE, nodes[1], VerdictKind.REJECTED)


def test_a_near_tie_is_a_share_of_the_spread_its_end_included():
    d = Driver(gome(n_traces=1, tie_tolerance=0.125))
    d.step(0.0)
    d.step(2.0)  # spread 2: changes up to 0.25 are near-ties
    assert d.step(2.25)[1][0].reason == "near-tie without better code"
    assert d.step(1.75, BETTER_CODE)[1][0].reason == "near-tie with better code"
    assert d.step(2.125)[1][0].reason == "clearly better score"  # than the 1.75 that it edits


# switches that change exactly what they say


def one_hypothesis(key):
    return (a_hypothesis(key, 0, np.random.default_rng(key)),)


def test_without_what_they_share_each_trace_goes_its_own_way():
    """momentum, diversify and merge off: every trace of three proposes what it would propose alone (`n_traces=1`)."""
    params = {"momentum": "off", "diversify": "off", "merge": "off", "tie_tolerance": 0}

    def outcome_of(trace, k, p):
        draws = np.random.default_rng([trace, k])
        if p.op is Op.DIAGNOSE:
            return Outcome(p.id, p.op, Status.OK, diagnosis=SOUND)
        if not p.op.makes_program:
            return Outcome(p.id, p.op, Status.OK, hypotheses=one_hypothesis(100 * trace + k))
        if draws.random() < 0.3:
            return Outcome(p.id, p.op, Status.ERROR, lesson=f"lesson {k}")
        return Outcome(p.id, p.op, Status.OK, float(draws.normal()), f"plan {k}")

    def run(n_traces, only=None):
        counts, place = defaultdict(int), {}

        def outcome(p):
            trace = p.trace if only is None else only
            place[p.id] = counts[trace]
            counts[trace] += 1
            return outcome_of(trace, place[p.id], p)

        search = factory("gome")({"n_traces": n_traces, **params}, Problem(MAX), lambda id: np.random.default_rng(0))
        made = defaultdict(list)
        at = {None: None}
        for i in range(90 * n_traces):
            p = search.ask(0.3)
            search.tell(outcome(p))
            at[p.id] = place[p.id]
            guidance = tuple((g.kind, g.text, at[g.node], g.score, g.verdict) for g in p.guidance)
            nodes = (at[p.base], at[p.subject], tuple(at[n] for n in p.parents), tuple(at[n] for n in p.context))
            made[p.trace].append((p.op, nodes, guidance))
            assert i == p.id
        return made

    together = run(3)
    for trace in range(3):
        alone = run(1, only=trace)[0]
        n = min(len(alone), len(together[trace]))
        assert n >= 80
        assert together[trace][:n] == alone[:n]


def test_diagnosis_off_removes_the_reasoning_and_nothing_else():
    """One history of programs, decided by the numbers in both runs: the same edits, less the structured guidance."""
    reasoning = {GuidanceKind.HYPOTHESIS, GuidanceKind.DIAGNOSIS}
    by_rule = {GuidanceKind.MEMORY, GuidanceKind.AVOID}  # hypotheses and the kernel, or plans and the best

    def run(seed, diagnosis):
        programs, ordinal, shown = [], {None: None}, []

        def outcome(p):
            if p.op is Op.DIAGNOSE:
                return Outcome(p.id, p.op, Status.OK, diagnosis=SOUND)
            if not p.op.makes_program:
                return Outcome(p.id, p.op, Status.OK, hypotheses=one_hypothesis(p.id))
            draws = np.random.default_rng([seed, len(programs)])
            ordinal[p.id] = len(programs)
            programs.append(p)
            if draws.random() < 0.3:
                return Outcome(p.id, p.op, Status.ERROR, plan="plan", lesson="lesson")
            return Outcome(p.id, p.op, Status.OK, float(draws.normal()), f"plan {len(programs)}")

        search = factory("gome")(
            {**BY_NUMBERS, "diagnosis": diagnosis}, Problem(MAX, 60), lambda id: np.random.default_rng(id)
        )
        ops = set()
        for p in proposals(simulate(search, outcome, steps=60))[:None]:
            ops.add(p.op)
            if p.op.makes_program and p.id in ordinal:
                edit = (p.op, ordinal[p.base], tuple(ordinal[n] for n in p.parents),
                        tuple(ordinal[n] for n in p.context), p.trace)  # fmt: skip
                kinds = [g.kind for g in p.guidance]
                assert diagnosis == "on" or not reasoning & set(kinds)
                shown.append((edit, {k for k in kinds if k in by_rule}, {*kinds} - reasoning - by_rule))
        return shown, ops

    for seed in range(8):
        (on, ops_on), (off, ops_off) = run(seed, "on"), run(seed, "off")
        assert {Op.DIAGNOSE, Op.HYPOTHESIZE} <= ops_on
        assert not {Op.DIAGNOSE, Op.HYPOTHESIZE, Op.SELECT} & ops_off
        assert len(on) == len(off) == 60
        assert [edit for edit, _, _ in on] == [edit for edit, _, _ in off]
        drafts = [(a, b) for a, b in zip(on, off, strict=True) if a[0][0] is Op.DRAFT]
        assert all(a[1] == b[1] for a, b in drafts)  # forced diversity in the same drafts
        for a, b in zip(on, off, strict=True):  # a merge is shown what led to the programs that it merges
            assert a[2] == b[2] == ({GuidanceKind.HISTORY} if a[0][0] is Op.MERGE else set())


# the prompts of a real engine


def run_engine(folder, reply=lambda request: None, sandbox=None, steps=24, selection="best_validation", **params):
    """A run of gome with hypotheses that can be told apart; gives its end and all requests."""

    def answer(request):
        said = reply(request)
        if said is not None or request.address.op is not Op.HYPOTHESIZE:
            return said
        found = json.loads(toy_run.answer(request))["hypotheses"]
        for i, h in enumerate(found):
            h["hypothesis"] = f"Idea-{request.address.proposal}-{i}-"
        return json.dumps({"hypotheses": found})

    model = ToyModel(reply=answer)
    end = toy_run.run(
        folder, strategy="gome", params=params, budget=Budget(steps=steps), model=model, sandbox=sandbox,
        review=False, selection=selection,
    )  # fmt: skip
    return end, model.requests


def verdicts_of(folder):
    """(node, verdict) in the order they were journaled."""
    lines = (json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines())
    return [(v["node"], v["kind"]) for e in lines if e["type"] == "told" for v in e.get("verdicts", ())]


@pytest.mark.parametrize("diversify", ["on", "off"])
def test_without_momentum_no_real_prompt_holds_an_accepted_hypothesis_of_another_trace(tmp_path, diversify):
    _, requests = run_engine(tmp_path, momentum="off", merge="off", diversify=diversify)
    trace_of = {r.address.proposal: r.address.trace for r in requests}
    tested = defaultdict(set)  # program -> the hypotheses that its own prompt gave it
    for r in requests:
        if r.address.op.makes_program:
            tested[r.address.proposal] = set(re.findall(r"Idea-\d+-\d+-", _guidance(r, "hypothesis")))
    accepted = {
        idea: trace_of[node] for node, kind in verdicts_of(tmp_path) if kind == "accepted" for idea in tested[node]
    }
    assert len(set(accepted.values())) == 3
    avoided = 0
    for r in requests:
        text = toy_run.prompt_text(r.messages)
        avoid = _guidance(r, "avoid")
        assert "score" not in avoid
        for idea, trace in accepted.items():
            if trace != r.address.trace:
                assert text.count(idea) == avoid.count(idea)
                avoided += avoid.count(idea)
    assert (avoided > 0) == (diversify == "on")


def _guidance(request, kind):
    """All blocks of guidance of one kind in a prompt, as they stand there."""
    found = (b for m in request.messages for b in markup.blocks(m.content) if b.tag == "guidance")
    return "\n".join(f"{b.attrs} {b.body}" for b in found if b.attrs.get("kind") == kind)


@pytest.mark.parametrize("selection", ["best_validation", "latest_accepted"])
@pytest.mark.parametrize("n_traces", [1, 3])
def test_a_severely_misaligned_first_node_is_void_and_never_submitted(tmp_path, selection, n_traces):
    subjects = []

    def reply(request):
        if request.address.op is not Op.DIAGNOSE:
            return None
        said = json.loads(toy_run.answer(request))
        said["severely_misaligned"] = not subjects
        subjects.append(request.address.proposal)
        return json.dumps(said)

    sandbox = ToySandbox(score=lambda id: 0.99 if id == 1 else 0.1 + id / 1000)  # 1 is the first program: too good
    end, _ = run_engine(tmp_path, reply, sandbox, selection=selection, n_traces=n_traces)
    assert verdicts_of(tmp_path)[0] == (1, VerdictKind.VOID.value)
    assert end.selected not in (None, 1)
    assert (tmp_path / "best" / "solution.py").read_text() == f"NUMBER = {end.selected}\n"


def test_with_all_programs_misaligned_nothing_is_submitted(tmp_path):
    def reply(request):
        if request.address.op is not Op.DIAGNOSE:
            return None
        return json.dumps(json.loads(toy_run.answer(request)) | {"severely_misaligned": True})

    end, _ = run_engine(tmp_path, reply, ToySandbox(score=lambda id: 0.5), steps=6)
    assert end.selected is None
    assert not (tmp_path / "best").exists()


def test_histories_hold_what_the_properties_need():
    verdicts = {v.kind for e in history(steps=80) if isinstance(e, Tell) for v in e.verdicts}
    assert verdicts == set(VerdictKind)
