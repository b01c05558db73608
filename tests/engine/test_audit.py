"""The audit (`run.audit`): a valid program that its review calls a bug has failed, for every strategy alike."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mlesearch.budgets.meter import Budget
from mlesearch.engine.loop import Engine
from mlesearch.study.runs.fold import fold
from mlesearch.study.runs.summary import node_rows
from mlesearch.types import Direction, Op
from tests.support import toy_run
from tests.support.journals import comparable, copy_cut, events
from tests.support.scripted_strategy import Scripted, drafts
from tests.support.toy_run import ToyModel, ToySandbox, prompt_text

STRATEGIES = ("random", "greedy", "mcts", "gome")
FINDING = "It fits on the rows that it is scored on."


def bugs(*ids):
    """A model whose reviews call these programs a bug (all of them where none is named)."""

    def reply(request):
        if request.address.op is Op.REVIEW and (not ids or request.address.proposal in ids):
            return json.dumps({"is_bug": True, "lesson": FINDING})
        return None

    return ToyModel(reply=reply)


def run(folder, *, audit=True, **options):
    options = {"sandbox": ToySandbox(score=lambda id: None if id % 5 == 4 else id / 10)} | options
    parts = toy_run.parts(folder, **options)
    parts = replace(parts, context=replace(parts.context, audit=audit))
    try:
        return Engine(parts).run()
    finally:
        parts.folder.close()


@pytest.mark.parametrize("review", [True, False])
def test_what_the_review_calls_a_bug_is_no_valid_program(tmp_path, review):
    strategy, model = Scripted(*drafts(6)), bugs(3, 5)
    end = run(tmp_path, strategy=strategy, model=model, review=review, budget=Budget(steps=6))
    assert [o.status.value for o in strategy.told] == ["ok", "ok", "ok", "judged_bug", "error", "judged_bug"]
    assert [o.score for o in strategy.told] == [0.0, 0.1, 0.2, None, None, None]
    assert end.selected == 2
    told = events(tmp_path, "told")
    assert told[3]["problem"] == f"its review calls it a bug: {FINDING}"
    assert told[3]["outcome"]["lesson"] == (FINDING if review else f"its review calls it a bug: {FINDING}")
    assert [e["outcome"].get("lesson", "") for e in told[:2]] == (
        ["Lesson of 0.", "Lesson of 1."] if review else ["", ""]
    )
    grades = [json.loads(x)["id"] for x in (tmp_path / "grades.jsonl").read_text().splitlines()]
    assert grades == [0, 1, 2]
    reviewed = [r.address.proposal for r in model.requests if r.address.op is Op.REVIEW]
    assert reviewed == ([0, 1, 2, 3, 4, 5] if review else [0, 1, 2, 3, 5])  # a failed one needs no audit
    rows = node_rows(fold(tmp_path), "r", Direction.MAXIMIZE)
    assert [r["reason"] for r in rows] == [
        "",
        "",
        "",
        told[3]["problem"],
        "ValueError: no such number",
        told[5]["problem"],
    ]
    assert [r["valid"] for r in rows] == [True, True, True, False, False, False]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("review", [True, False])
def test_it_is_the_same_for_every_strategy(tmp_path, strategy, review):
    """The same question of every valid program, the same consequence, whatever the strategy has for reviews."""
    model = bugs()
    end = run(tmp_path, strategy=strategy, model=model, review=review, budget=Budget(steps=10))
    assert end.selected is None
    statuses = {e["outcome"]["status"] for e in events(tmp_path, "told") if Op(e["outcome"]["op"]).makes_program}
    assert statuses <= {"judged_bug", "error"}
    assert "judged_bug" in statuses
    ran = {e["id"] for e in events(tmp_path, "executed") if e["result"]["status"] == "ok"}
    assert ran <= {r.address.proposal for r in model.requests if r.address.op is Op.REVIEW}


def test_two_strategies_are_audited_with_the_same_bytes(tmp_path):
    sent = []
    for name, review in (("greedy", True), ("gome", False)):
        model = ToyModel(
            reply=lambda r: "Plan.\n\n```python\nNUMBER = 0\n```\n" if r.address.op.makes_program else None
        )
        params = {"diagnosis": "off", "momentum": "off", "diversify": "off"} if name == "gome" else {}
        run(tmp_path / name, strategy=name, params=params, model=model, review=review, budget=Budget(steps=1))
        sent.append([prompt_text(r.messages) for r in model.requests if r.address.op is Op.REVIEW])
    assert len(sent[0]) == 1
    assert sent[0] == sent[1]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("review", [True, False])
def test_cut_after_any_event_it_goes_on_to_the_same_journal(tmp_path, strategy, review):
    whole, options = tmp_path / "whole", {"strategy": strategy, "review": review, "budget": Budget(steps=5)}
    first = bugs(0, 3, 5)
    run(whole, model=first, **options)
    prompts = {str(r.address): prompt_text(r.messages) for r in first.requests}
    lines = (whole / "journal.jsonl").read_bytes().splitlines(keepends=True)
    assert any(b"judged_bug" in x for x in lines)
    for cut in range(1, len(lines)):
        folder, model = tmp_path / f"cut{cut}", bugs(0, 3, 5)
        copy_cut(whole, folder, lines[:cut])
        run(folder, model=model, **options)
        assert comparable(folder) == comparable(whole)
        assert {str(r.address): prompt_text(r.messages) for r in model.requests}.items() <= prompts.items()


def test_a_debug_prompt_shows_the_finding(tmp_path):
    model, params = bugs(), {"num_drafts": 1, "debug_prob": 1.0}
    run(tmp_path, strategy="greedy", params=params, model=model, budget=Budget(steps=3))
    text = next(prompt_text(r.messages) for r in model.requests if r.address.op is Op.DEBUG)
    assert "its review found a bug" in text
    assert f"its review calls it a bug: {FINDING}" in text


@pytest.mark.parametrize("audit", [True, False])
def test_without_a_usable_review_a_program_counts(tmp_path, audit):
    def reply(request):
        return "no verdict" if request.address.op is Op.REVIEW else None

    model = ToyModel(reply=reply)
    end = run(tmp_path, audit=audit, strategy=Scripted(*drafts(3)), model=model, budget=Budget(steps=3))
    assert end.selected == 2


def test_without_an_audit_the_word_of_the_review_changes_nothing(tmp_path):
    for name, model in (("bug", bugs()), ("none", ToyModel(reply=lambda r: None))):
        run(tmp_path / name, audit=False, strategy="greedy", model=model, budget=Budget(steps=8))
    statuses = [[e["outcome"]["status"] for e in events(tmp_path / n, "told")] for n in ("bug", "none")]
    assert statuses[0] == statuses[1]
    assert "problem" not in (tmp_path / "bug" / "journal.jsonl").read_text()
