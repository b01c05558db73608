"""The simulated engineer's judgements: diagnoses, hypotheses, selections, reviews; right as often as its dial says."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest

from mlesearch import operators
from mlesearch.models import markup
from mlesearch.models.simulated import truth
from mlesearch.models.simulated.bugs import BUGS
from mlesearch.models.simulated.spaces import apply, space
from mlesearch.types import Direction, Op
from tests.support.simulated_prompts import call, engineer, program, written


def diagnosis(model, task, subject, base=None, status="ok", bugs=(), hint="", **address):
    parts = [program(task, subject, "subject", status, "0.5" if status == "ok" else "", bugs)]
    parts += [program(task, base)] if base else []
    parts += [markup.block("guidance", hint, kind="hypothesis")] if hint else []
    return (
        operators.make(direction=Direction.MAXIMIZE)[0]
        .parse(Op.DIAGNOSE, call(model, task, Op.DIAGNOSE, *parts, **address).text)
        .diagnosis
    )


@pytest.mark.parametrize("c", [0.0, 0.6, 1.0])
def test_a_diagnosis_is_right_as_often_as_capability_says(c):
    table, where, rng = truth.load("canvas"), space("canvas"), random.Random(1)
    right, total = 0, 500
    for i in range(total):
        base = rng.choice(where.pipelines)
        subject = apply(base, rng.choice(where.edits(base)))
        while table.gain(base, subject) == 0:
            subject = apply(base, rng.choice(where.edits(base)))
        said = diagnosis(engineer(c, f"m{i}"), "canvas", subject, base, hint="x")
        assert said.format_valid
        if not said.severely_misaligned:
            assert said.replace is said.hypothesis_supported
        right += said.hypothesis_supported == (table.gain(base, subject) > 0)
    expected = 0.5 + math.asin(c) / math.pi
    assert right / total == pytest.approx(expected, abs=0.09)


def test_a_diagnosis_of_a_failure_rejects_it_and_of_a_first_program_accepts_it():
    model = engineer(1.0, debug_skill=1.0)
    where = space("tickets")
    failed = diagnosis(model, "tickets", where.baseline, where.pipelines[9], "invalid_submission", ("nan",))
    assert not failed.format_valid
    assert not failed.replace
    assert failed.hypothesis_supported is None
    assert failed.reason == BUGS["nan"].symptom
    first = diagnosis(model, "tickets", where.baseline)
    assert first.replace
    assert first.format_valid


def test_a_leak_is_noticed_by_capability_and_seldom_seen_where_there_is_none():
    p, q = space("canvas").pipelines[3:5]
    able = [diagnosis(engineer(1.0), "canvas", p, q, bugs=("leak",), proposal=i) for i in range(20)]
    assert all(d.severely_misaligned and not d.replace for d in able)
    sound = [diagnosis(engineer(0.0), "canvas", p, q, proposal=i) for i in range(400)]
    assert 0.005 < np.mean([d.severely_misaligned for d in sound]) < 0.12


def test_hypotheses_at_full_capability_are_the_best_steps_in_order():
    table, where = truth.load("tickets"), space("tickets")
    base = where.baseline
    text = call(engineer(1.0), "tickets", Op.HYPOTHESIZE, program("tickets", base)).text
    found = operators.make(direction=Direction.MAXIMIZE)[0].parse(Op.HYPOTHESIZE, text).hypotheses
    assert len(found) == 5
    gains = sorted((table.gain(base, apply(base, e)) for e in where.edits(base)), reverse=True)
    steps = [where.instructions(h.text)[0] for h in found]
    assert [table.gain(base, apply(base, e)) for e in steps] == gains[:5]
    impacts = [h.scores.impact for h in found]
    assert impacts == sorted(impacts, reverse=True)
    assert all(1 <= i <= 10 for i in impacts)
    assert all(h.component is where.choices[e.choice].component for h, e in zip(found, steps, strict=True))


def test_first_hypotheses_are_about_different_choices():
    where = space("tickets")
    for i in range(20):
        told = json.loads(call(engineer(0.2), "tickets", Op.HYPOTHESIZE, proposal=i).text)["hypotheses"]
        choices = [where.instructions(h["hypothesis"])[0].choice for h in told]
        assert 1 <= len(choices) == len(set(choices)) <= 3


@pytest.mark.parametrize("text", ["Take 2 scenario problems and 1 feedback problem.", "scenario: 2, feedback: 1"])
def test_the_mix_of_problems_is_kept_to(text):
    base = program("canvas", space("canvas").baseline)
    mix = markup.block("guidance", text, kind="problem_mix")
    found = markup.block("guidance", "Found things.", kind="diagnosis")
    told = json.loads(call(engineer(0.5), "canvas", Op.HYPOTHESIZE, base, found, mix).text)["hypotheses"]
    assert [h["problem_kind"] for h in told][:4] == ["scenario", "scenario", "feedback", "scenario"]
    told = json.loads(call(engineer(0.5), "canvas", Op.HYPOTHESIZE, base, mix).text)["hypotheses"]
    assert {h["problem_kind"] for h in told} == {"scenario"}


def test_a_selection_at_full_capability_takes_the_best_candidate_or_memory():
    table, where = truth.load("canvas"), space("canvas")
    base = where.baseline
    edits = where.edits(base)[:4]
    kinds = ("candidate", "candidate", "candidate", "memory")
    hints = [markup.block("guidance", where.instruct(e), kind=k) for e, k in zip(edits, kinds, strict=True)]
    told = json.loads(call(engineer(1.0), "canvas", Op.SELECT, program("canvas", base), *hints).text)["hypotheses"]
    assert len(told) == 1
    best = max(edits, key=lambda e: table.gain(base, apply(base, e)))
    assert told[0]["hypothesis"] == where.instruct(best)


def test_a_selection_among_unknown_candidates_takes_one_of_them():
    hints = [markup.block("guidance", text, kind="candidate") for text in ("Dance.", "Sing.")]
    told = json.loads(
        call(engineer(0.5), "canvas", Op.SELECT, program("canvas", space("canvas").baseline), *hints).text
    )
    assert told["hypotheses"][0]["hypothesis"] in ("Dance.", "Sing.")


@pytest.mark.parametrize(("status", "bugs"), [("ok", ()), ("error", ("name",)), ("timeout", ("timeout",))])
def test_a_review_says_whether_it_failed(status, bugs):
    p = program("canvas", space("canvas").baseline, "subject", status, "0.4" if status == "ok" else "", bugs)
    told = json.loads(call(engineer(1.0, debug_skill=1.0), "canvas", Op.REVIEW, p).text)
    assert told["is_bug"] is (status != "ok")
    assert ("0.4" in told["lesson"]) is (status == "ok")
    if bugs:
        assert BUGS[bugs[0]].symptom in told["lesson"]


def review(model, task, pipeline, bugs=(), **address):
    p = program(task, pipeline, "subject", "ok", "0.4", bugs)
    return json.loads(call(model, task, Op.REVIEW, p, **address).text)


def test_a_review_calls_a_leak_a_bug_by_capability_and_seldom_a_sound_program():
    p = space("canvas").pipelines[4]
    rates = [
        np.mean([review(engineer(c), "canvas", p, ("leak",), proposal=i)["is_bug"] for i in range(200)])
        for c in (0.0, 0.5, 1.0)
    ]
    assert rates[0] < rates[1] < rates[2] == 1.0
    assert BUGS["leak"].symptom in review(engineer(1.0), "canvas", p, ("leak",))["lesson"]
    sound = [np.mean([review(engineer(c), "canvas", p, proposal=i)["is_bug"] for i in range(400)]) for c in (0.0, 1.0)]
    assert 0.005 < sound[0] < 0.12
    assert sound[1] == 0.0


@pytest.mark.parametrize("status", ["judged_bug", "error"])
def test_a_leak_is_repaired_where_the_review_has_found_it(status):
    """What nobody has found stays where it is: a debug looks for what ended the program."""
    p = space("canvas").pipelines[4]
    bugs = ("leak",) if status == "judged_bug" else ("name", "leak")
    shown = program("canvas", p, "base", status, "", bugs)
    made = written(call(engineer(1.0, debug_skill=1.0), "canvas", Op.DEBUG, shown))
    assert made.pipeline == p
    assert made.bugs == (() if status == "judged_bug" else ("leak",))
