"""Gome's bars as properties over many histories, and in the prompts of a real engine: what each switch changes."""

from __future__ import annotations

import json
import re
from collections import defaultdict

import house
import numpy as np
import pytest
from house import ToyModel, ToySandbox
from test_optimizers_gome import ACC, MAX, SOUND, VOID, history, proposals

from mlesearch import markup
from mlesearch.budget import Budget
from mlesearch.optimizers.base import factory
from mlesearch.testing.optimizer_contract import Asked, Told, a_hypothesis, simulate
from mlesearch.types import GuidanceKind, Op, Outcome, Problem, Status, VerdictKind

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
            if isinstance(e, Asked):
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

        search = factory("gome")({"diagnosis": diagnosis}, Problem(MAX, 60), lambda id: np.random.default_rng(id))
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
        assert all(not a[2] for a in on)
        assert all(b[2] <= {GuidanceKind.STAGE} for b in off)  # which HYPOTHESIZE is told otherwise


# the prompts of a real engine


def run_engine(folder, reply=lambda request: None, sandbox=None, steps=24, selection="best_validation", **params):
    """A run of gome with hypotheses that can be told apart; gives its end and all requests."""

    def answer(request):
        said = reply(request)
        if said is not None or request.address.op is not Op.HYPOTHESIZE:
            return said
        found = json.loads(house.answer(request))["hypotheses"]
        for i, h in enumerate(found):
            h["hypothesis"] = f"Idea-{request.address.proposal}-{i}-"
        return json.dumps({"hypotheses": found})

    model = ToyModel(reply=answer)
    end = house.run(
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
        text = house.prompt_text(r.messages)
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
        said = json.loads(house.answer(request))
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
        return json.dumps(json.loads(house.answer(request)) | {"severely_misaligned": True})

    end, _ = run_engine(tmp_path, reply, ToySandbox(score=lambda id: 0.5), steps=6)
    assert end.selected is None
    assert not (tmp_path / "best").exists()


def test_histories_hold_what_the_properties_need():
    verdicts = {v.kind for e in history(steps=80) if isinstance(e, Told) for v in e.verdicts}
    assert verdicts == set(VerdictKind)
