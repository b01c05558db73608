"""The loop and what fails: a program, a reply, a prompt, a model, a sandbox."""

from dataclasses import replace

import pytest

from mlesearch.budgets.meter import Budget
from mlesearch.engine.parts import RunStatus
from mlesearch.models.protocol import AuthFailed, ContentFilter, ContextOverflow, EmptyReply, RetriesExhausted
from mlesearch.types import (
    Op,
    SandboxUnavailable,
)
from tests.support import toy_run
from tests.support.journals import comparable, events
from tests.support.scripted_strategy import Scripted, drafts
from tests.support.toy_run import ToyModel, ToySandbox


def test_a_failed_program_is_data(tmp_path):
    end = toy_run.run(tmp_path, sandbox=ToySandbox(score=lambda id: None))
    assert end.status is RunStatus.COMPLETED
    assert end.selected is None
    assert not (tmp_path / "best").exists()
    assert all(e["outcome"]["status"] == "error" for e in events(tmp_path, "told"))


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_no_number_is_a_failure(tmp_path, score):
    end = toy_run.run(tmp_path, sandbox=ToySandbox(score=lambda id: score), budget=Budget(steps=2))
    assert end.selected is None
    assert {e["outcome"]["status"] for e in events(tmp_path, "told")} == {"invalid_submission"}


def test_an_unusable_reply_gets_one_repair_turn_and_then_costs_its_step(tmp_path):
    model = ToyModel(reply=lambda r: "I can't." if r.address.op.makes_program and r.address.proposal == 1 else None)
    strategy = Scripted(*drafts(3))
    toy_run.run(tmp_path, strategy=strategy, model=model, budget=Budget(steps=3))
    assert [o.status.value for o in strategy.told] == ["ok", "reply_unusable", "error"]
    tries = [r for r in model.requests if r.address.proposal == 1]
    assert [r.address.attempt for r in tries] == [0, 1]
    assert tries[1].messages[: len(tries[0].messages)] == tries[0].messages
    assert tries[1].messages[-2].content == "I can't."
    assert strategy.told[1].usage.calls == 2


def test_a_cut_reply_is_asked_again_with_twice_the_room(tmp_path):
    def cut(r):  # type: ignore[no-untyped-def]
        return "```python\nprint('never en" if r.address.attempt == 0 and r.address.op is Op.DRAFT else None

    class Cutting(ToyModel):
        def complete(self, request):  # type: ignore[no-untyped-def]
            reply = super().complete(request)
            return replace(reply, finish="length") if reply.text.endswith("never en") else reply

    model = Cutting(reply=cut)
    strategy = Scripted(*drafts(1))
    toy_run.run(tmp_path, strategy=strategy, model=model, budget=Budget(steps=1))
    asked = [r for r in model.requests if r.address.op is Op.DRAFT]
    assert [r.sampling.max_tokens for r in asked] == [200, 400]
    assert strategy.told[0].valid


def test_a_prompt_that_is_too_long_is_shrunk_once(tmp_path):
    def overflow(r):  # type: ignore[no-untyped-def]
        too_long = r.address.op is Op.DRAFT and r.address.proposal == 4 and r.address.attempt == 0
        return ContextOverflow("too long") if too_long else None

    model = ToyModel(fail=overflow)
    toy_run.run(
        tmp_path, strategy=Scripted(*drafts(5)), model=model, budget=Budget(steps=5), sandbox=ToySandbox(lambda i: 0.1)
    )
    first, second = (r for r in model.requests if r.address.proposal == 4 and r.address.op is Op.DRAFT)
    shown = [toy_run.prompt_text(r.messages).count("<attempt ") for r in (first, second)]
    assert shown == [4, 2]


@pytest.mark.parametrize("error", [ContentFilter("no"), EmptyReply("nothing"), ContextOverflow("too long")])
def test_a_prompt_that_gets_no_answer_costs_its_step(tmp_path, error):
    model = ToyModel(fail=lambda r: error if r.address.proposal == 1 else None)
    strategy = Scripted(*drafts(3))
    toy_run.run(tmp_path, strategy=strategy, model=model, budget=Budget(steps=3))
    assert [o.status.value for o in strategy.told] == ["ok", "reply_unusable", "error"]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("error", [RetriesExhausted("503"), AuthFailed("wrong key")])
def test_a_model_that_fails_stops_the_run_and_nothing_that_was_paid_is_lost(tmp_path, error, workers):
    model = ToyModel(fail=lambda r: error if r.address.proposal == 4 else None)
    with pytest.raises(type(error)):
        toy_run.run(tmp_path, model=model, workers=workers)
    replies = [e for e in events(tmp_path) if e["type"] in ("reply", "review")]
    answered = [r for r in model.requests if r.address.proposal != 4]
    assert len(replies) == len(answered)
    again = ToyModel()
    assert toy_run.run(tmp_path, model=again, workers=workers).status is RunStatus.COMPLETED
    first = {(r.address.proposal, r.address.op, r.address.attempt) for r in answered}
    assert not first & {(r.address.proposal, r.address.op, r.address.attempt) for r in again.requests}


def test_a_sandbox_that_fails_is_tried_again_and_never_charged(tmp_path):
    failures = iter([SandboxUnavailable("gone"), SandboxUnavailable("gone")])
    sandbox = ToySandbox(fail=lambda job: next(failures, None))
    assert toy_run.run(tmp_path / "a", sandbox=sandbox).status is RunStatus.COMPLETED
    toy_run.run(tmp_path / "b")
    assert comparable(tmp_path / "a") == comparable(tmp_path / "b")


def test_a_sandbox_that_stays_away_stops_the_run_to_be_resumed(tmp_path):
    with pytest.raises(SandboxUnavailable):
        toy_run.run(tmp_path, sandbox=ToySandbox(fail=lambda job: SandboxUnavailable("gone")))
    model = ToyModel()
    assert toy_run.run(tmp_path, model=model).status is RunStatus.COMPLETED
    assert not [r for r in model.requests if r.address.proposal == 0 and r.address.op is not Op.REVIEW]


def test_an_unusable_review_leaves_the_error_as_the_lesson(tmp_path):
    model = ToyModel(reply=lambda r: "hm" if r.address.op is Op.REVIEW else None)
    strategy = Scripted(*drafts(3))
    toy_run.run(tmp_path, strategy=strategy, model=model, budget=Budget(steps=3))
    assert [o.lesson for o in strategy.told] == ["", "", "ValueError: no such number"]
