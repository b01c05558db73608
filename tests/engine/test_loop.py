"""The only loop: budgets, verdicts, workers, and what a journal makes repeatable."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mlesearch.budgets.meter import JUDGEMENTS_PER_STEP, Budget
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import RunStatus
from mlesearch.engine.proposals import BadProposal
from mlesearch.engine.strategy_fold import ReplayMismatch
from mlesearch.models.price import Price
from mlesearch.storage.files import read_lines
from mlesearch.types import (
    Direction,
    Op,
    Proposal,
    Usage,
    Verdict,
    VerdictKind,
)
from tests.support import toy_run
from tests.support.journals import comparable, copy_cut, events
from tests.support.scripted_strategy import Scripted, drafts
from tests.support.toy_run import ToyModel, ToySandbox

STRATEGIES = ("random", "greedy", "mcts", "gome")


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("workers", [1, 4])
def test_a_run_spends_its_steps_and_selects_the_best(tmp_path, strategy, workers):
    end = toy_run.run(tmp_path, strategy=strategy, workers=workers, budget=Budget(steps=12), virtual=workers > 1)
    told = events(tmp_path, "told")
    programs = [e for e in told if Op(e["outcome"]["op"]).makes_program]
    assert end.status is RunStatus.COMPLETED
    assert end.steps == len(programs) == len(events(tmp_path, "executed")) == 12
    scores = {e["id"]: e["outcome"]["score"] for e in programs if e["outcome"]["status"] == "ok"}
    assert scores[end.selected] == max(scores.values())
    best = tmp_path / "best"
    assert (best / "solution.py").read_text() == f"NUMBER = {end.selected}\n"
    assert json.loads((best / "node.json").read_text()) == {
        "id": end.selected,
        "validation_score": max(scores.values()),
    }
    assert {g["id"] for g in read_lines(tmp_path / "grades.jsonl")} == set(scores)
    assert not (tmp_path / "submissions").exists()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_equal_runs_have_equal_journals(tmp_path, strategy):
    for name, us in (("a", 1000), ("b", 77)):
        toy_run.run(
            tmp_path / name, strategy=strategy, model=ToyModel(service_us=us), sandbox=ToySandbox(wall_us=3 * us)
        )
    assert comparable(tmp_path / "a") == comparable(tmp_path / "b")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_virtual_workers_are_repeatable(tmp_path, strategy):
    for name in "ab":
        toy_run.run(tmp_path / name, strategy=strategy, workers=3, virtual=True)
    assert events(tmp_path / "a") == [
        {**e, "real_us": f["real_us"]} if "real_us" in f else e
        for e, f in zip(events(tmp_path / "b"), events(tmp_path / "a"), strict=True)
    ]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("review", [True, False])
def test_a_run_cut_after_any_event_goes_on_to_the_same_journal(tmp_path, strategy, review):
    whole = tmp_path / "whole"
    toy_run.run(whole, strategy=strategy, review=review, budget=Budget(steps=6))
    lines = (whole / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for cut in range(1, len(lines)):
        folder = tmp_path / f"cut{cut}"
        model, sandbox = ToyModel(), ToySandbox()
        copy_cut(whole, folder, lines[:cut])
        done = [json.loads(x) for x in lines[1:cut]]
        toy_run.run(folder, strategy=strategy, review=review, budget=Budget(steps=6), model=model, sandbox=sandbox)
        assert comparable(folder) == comparable(whole)
        # nothing that the journal held is called or executed again
        replied = {(e["id"], e["op"], e["attempt"]) for e in done if e["type"] in ("reply", "review")}
        called = [(r.address.proposal, r.address.op.value, r.address.attempt) for r in model.requests]
        assert not replied & set(called)
        assert len(called) == len(set(called))
        executed = {f"toy/run/{e['id']}" for e in done if e["type"] == "executed"}
        assert not executed & {j.address for j in sandbox.jobs}
        grades = list(read_lines(folder / "grades.jsonl"))
        assert len({g["id"] for g in grades}) == len(grades)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_run_of_four_threads_replays_from_any_prefix_of_its_own_journal(tmp_path, strategy):
    whole = tmp_path / "whole"
    toy_run.run(whole, strategy=strategy, workers=4, budget=Budget(steps=16))
    lines = (whole / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for cut in range(1, len(lines), 7):
        folder = tmp_path / f"cut{cut}"
        copy_cut(whole, folder, lines[:cut])
        end = toy_run.run(folder, strategy=strategy, workers=4, budget=Budget(steps=16))
        assert end.status is RunStatus.COMPLETED
        kept = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
        assert kept[:cut] == lines[:cut]
        told = [e["id"] for e in events(folder, "told")]
        executed = [e["id"] for e in events(folder, "executed")]
        assert len(told) == len(set(told))
        assert len(executed) == len(set(executed)) == 16


def test_a_finished_run_is_not_touched(tmp_path):
    first = toy_run.run(tmp_path)
    before = (tmp_path / "journal.jsonl").read_bytes()
    model = ToyModel()
    assert toy_run.run(tmp_path, model=model) == first
    assert not model.requests
    assert (tmp_path / "journal.jsonl").read_bytes() == before


def test_another_strategy_s_journal_is_refused_with_the_first_difference(tmp_path):
    toy_run.run(tmp_path, strategy="greedy", should_stop=_after(5))
    with pytest.raises(ReplayMismatch, match=r"line \d+: the strategy decides otherwise.*journal has.*variant="):
        toy_run.run(tmp_path, strategy="gome")


def _after(n: int):  # type: ignore[no-untyped-def]
    """Stop before the n-th proposal."""
    seen = iter(range(10**6))
    return lambda: next(seen) >= n


def test_a_stopped_run_is_not_ended_and_goes_on(tmp_path):
    end = toy_run.run(tmp_path / "a", should_stop=_after(4))
    assert end.status is RunStatus.INTERRUPTED
    assert not events(tmp_path / "a", "ended")
    assert len(events(tmp_path / "a", "told")) == 4
    toy_run.run(tmp_path / "a")
    toy_run.run(tmp_path / "b")
    assert comparable(tmp_path / "a") == comparable(tmp_path / "b")


# budgets


def test_time_ends_a_run_and_deadlines_shrink(tmp_path):
    model, sandbox = ToyModel(service_us=2_000_000), ToySandbox(wall_us=3_000_000)
    end = toy_run.run(tmp_path, budget=Budget(time_s=30.0), model=model, sandbox=sandbox, review=False)
    assert end.status is RunStatus.BUDGET
    assert end.charged_us == 30_000_000
    assert [j.deadline_s for j in sandbox.jobs] == [30.0, 25.0, 20.0, 15.0, 10.0, 5.0]
    assert [e["used"] for e in events(tmp_path, "asked")][:4] == [0.0, 0.166, 0.333, 0.5]


def test_a_reserve_is_kept_for_finalising(tmp_path):
    model, sandbox = ToyModel(service_us=2_000_000), ToySandbox(wall_us=3_000_000)
    end = toy_run.run(tmp_path, budget=Budget(time_s=30.0, reserve_s=6.0), model=model, sandbox=sandbox, review=False)
    assert end.charged_us == 25_000_000


@pytest.mark.parametrize("limit", [Budget(tokens=20_000), Budget(cost_usd=0.012)])
def test_a_call_that_fits_no_more_ends_the_run_and_its_proposal_is_not_told(tmp_path, limit):
    end = toy_run.run(tmp_path, budget=limit)
    assert end.status is RunStatus.BUDGET
    asked, told = events(tmp_path, "asked"), events(tmp_path, "told")
    assert len(asked) == len(told) + 1
    usage = [e["usage"] for e in events(tmp_path) if "usage" in e]
    assert len(usage) > 10
    assert sum(u["input_tokens"] + u["output_tokens"] for u in usage) <= (limit.tokens or 10**9)
    assert sum(u["cost_nusd"] for u in usage) <= (limit.cost_nusd or 10**18)
    assert toy_run.run(tmp_path, budget=limit) == end


def test_a_reply_of_unknown_cost_counts_at_its_worst_case(tmp_path):
    class Unpriced(ToyModel):
        def complete(self, request):  # type: ignore[no-untyped-def]
            reply = super().complete(request)
            return replace(reply, usage=replace(reply.usage, cost_nusd=None))

    end = toy_run.run(tmp_path, budget=Budget(cost_usd=0.1), model=Unpriced(), should_stop=_after(200))
    assert end.status is RunStatus.BUDGET
    charged = [e["charged_nusd"] for e in events(tmp_path) if "charged_nusd" in e]
    assert 0.08 < sum(charged) / 1e9 <= 0.1
    assert toy_run.run(tmp_path, budget=Budget(cost_usd=0.1)) == end


def test_embeddings_are_paid_from_the_same_budget(tmp_path):
    made = toy_run.parts(tmp_path, strategy="gome", budget=Budget(cost_usd=0.5))
    embedder = made.context.embedder

    class Paid:
        name, live, price = "paid", True, Price(10_000.0, 0.0)

        def check(self) -> None:
            pass

        def embed(self, request):  # type: ignore[no-untyped-def]
            return replace(embedder.embed(request), usage=Usage(1, 20, 0, 0, 0, 200_000_000, 5))

    made = replace(made, context=replace(made.context, embedder=Paid()))
    try:
        end = Engine(made).run()
    finally:
        made.folder.close()
    assert end.status is RunStatus.BUDGET
    assert sum(e["usage"]["cost_nusd"] for e in events(tmp_path) if "usage" in e) <= 500_000_000


def test_half_a_surrogate_pair_is_paid_for_once(tmp_path):
    model = ToyModel(reply=lambda r: "cut \ud83d" if r.address.op is Op.DRAFT and r.address.attempt == 0 else None)
    end = toy_run.run(tmp_path, strategy=Scripted(*drafts(2)), model=model, budget=Budget(steps=2))
    assert end.steps == 2
    assert events(tmp_path, "reply")[0]["text"] == "cut ?"


@pytest.mark.parametrize("where", ["ask", "tell"])
def test_what_other_workers_are_paying_for_is_journaled_when_a_strategy_breaks(tmp_path, where):
    class Broken(Scripted):
        def tell(self, outcome):  # type: ignore[no-untyped-def]
            if where == "tell" and outcome.id == 1:
                raise RuntimeError("a bug of the plug-in")
            return super().tell(outcome)

    bad = Proposal(9, Op.DRAFT) if where == "ask" else Proposal(3, Op.DRAFT)
    model = ToyModel()
    with pytest.raises((BadProposal, RuntimeError)):
        toy_run.run(tmp_path, strategy=Broken(*drafts(3), bad), model=model, workers=2, budget=Budget(steps=9))
    called = {(r.address.proposal, r.address.op.value) for r in model.requests}
    journaled = {(e["id"], e["op"]) for e in events(tmp_path) if e["type"] in ("reply", "review")}
    assert called == journaled


def test_a_grade_that_a_power_cut_took_is_made_again(tmp_path):
    sandbox = ToySandbox(score=lambda id: 0.5 + id / 100)
    toy_run.run(tmp_path, sandbox=sandbox, should_stop=_after(6), budget=Budget(steps=9))
    path = tmp_path / "grades.jsonl"
    whole = path.read_text().splitlines(keepends=True)
    path.write_text("".join(whole[:3]) + whole[3][:10])
    for i in range(6):
        (tmp_path / "submissions" / str(i)).mkdir(parents=True, exist_ok=True)
    toy_run.run(tmp_path, sandbox=sandbox, budget=Budget(steps=9))
    ids = [g["id"] for g in read_lines(path)]
    assert sorted(ids) == list(range(9))


def test_the_real_time_cap_has_a_status_of_its_own(tmp_path):
    end = toy_run.run(tmp_path, budget=Budget(steps=10**6, real_time_s=0.3))
    assert end.status is RunStatus.REAL_TIME


def test_judgements_are_capped_so_that_steps_alone_end_a_run(tmp_path):
    strategy = Scripted(Proposal(0, Op.DRAFT), *(Proposal(i, Op.HYPOTHESIZE, base=0) for i in range(1, 100)))
    end = toy_run.run(tmp_path, strategy=strategy, budget=Budget(steps=2))
    assert end.status is RunStatus.BUDGET
    assert len(strategy.told) == 1 + 2 * JUDGEMENTS_PER_STEP


def test_with_the_steps_spent_only_a_diagnosis_is_accepted(tmp_path):
    strategy = Scripted(
        *drafts(2),
        Proposal(2, Op.DIAGNOSE, subject=1, base=0),
        Proposal(3, Op.HYPOTHESIZE, base=0),
        Proposal(4, Op.DRAFT),
    )
    end = toy_run.run(tmp_path, strategy=strategy, budget=Budget(steps=2))
    assert end.status is RunStatus.COMPLETED
    assert [o.id for o in strategy.told] == [0, 1, 2]
    assert [e["p"]["id"] for e in events(tmp_path, "asked")] == [0, 1, 2, 3]


def test_a_plug_in_with_nothing_more_to_say_is_finished(tmp_path):
    assert toy_run.run(tmp_path, strategy=Scripted(*drafts(3)), budget=Budget(steps=9)).status is RunStatus.FINISHED


# what the engine refuses of a strategy


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (Proposal(5, Op.DRAFT), "ids are dense, so 1 was expected"),
        (Proposal(1, Op.REVIEW), "is a review"),
        (Proposal(1, Op.IMPROVE, base=7), "its base names 7"),
        (Proposal(1, Op.IMPROVE, base=0, context=(0, 3)), "its context names 3"),
        (Proposal(1, Op.DIAGNOSE, subject=1), "its subject names 1"),
        (Proposal(1, Op.DIAGNOSE), "needs a subject"),
        (Proposal(1, Op.IMPROVE), "needs a base"),
        (Proposal(1, Op.IMPROVE, base=np.int64(0)), "holds a int64"),
    ],
)
def test_a_strategy_that_breaks_the_contract_is_stopped(tmp_path, bad, words):
    with pytest.raises(BadProposal, match=words):
        toy_run.run(tmp_path, strategy=Scripted(Proposal(0, Op.DRAFT), bad))


# verdicts


def test_a_void_node_is_not_selected_and_best_falls_back(tmp_path):
    void = {1: (Verdict(1, VerdictKind.VOID, "it leaks"),)}
    sandbox = ToySandbox(score=lambda id: [0.6, 0.9, 0.3][id])
    end = toy_run.run(tmp_path, strategy=Scripted(*drafts(3), verdicts=void), budget=Budget(steps=3), sandbox=sandbox)
    assert end.selected == 0
    assert (tmp_path / "best" / "solution.py").read_text() == "NUMBER = 0\n"


def test_best_holds_nothing_once_the_only_valid_node_is_void(tmp_path):
    void = {1: (Verdict(0, VerdictKind.VOID, "it leaks"),)}
    strategy = Scripted(Proposal(0, Op.DRAFT), Proposal(1, Op.DIAGNOSE, subject=0), verdicts=void)
    end = toy_run.run(tmp_path, strategy=strategy, budget=Budget(steps=1))
    assert end.selected is None
    assert not (tmp_path / "best").exists()


def test_latest_accepted_is_what_lies_in_best_at_the_end(tmp_path):
    accepted = {i: (Verdict(i, VerdictKind.ACCEPTED),) for i in (0, 2)}
    sandbox = ToySandbox(score=lambda id: [0.6, 0.9, 0.3][id])
    strategy = Scripted(*drafts(3), verdicts=accepted)
    end = toy_run.run(tmp_path, strategy=strategy, budget=Budget(steps=3), sandbox=sandbox, selection="latest_accepted")
    assert end.selected == 2
    assert (tmp_path / "best" / "solution.py").read_text() == "NUMBER = 2\n"


def test_lower_is_better_where_the_task_says_so(tmp_path):
    end = toy_run.run(tmp_path, direction=Direction.MINIMIZE)
    scores = {e["id"]: e["outcome"]["score"] for e in events(tmp_path, "told") if "score" in e["outcome"]}
    assert scores[end.selected] == min(scores.values())


# what a model is shown


def test_no_prompt_holds_a_test_score(tmp_path):
    """The toy test score is the validation score less 0.1: none of them may stand in a prompt."""
    model = ToyModel()
    toy_run.run(tmp_path, model=model, budget=Budget(steps=12))
    test_scores = {f"{g['score']:.6g}" for g in read_lines(tmp_path / "grades.jsonl")}
    validation = {f"{g['score'] + 0.1:.6g}" for g in read_lines(tmp_path / "grades.jsonl")}
    text = "\n".join(toy_run.prompt_text(r.messages) for r in model.requests)
    assert any(f'score="{v}"' in text for v in validation)
    assert not any(f'"{t}"' in text for t in test_scores - validation)


def test_prompts_are_equal_where_state_is_equal(tmp_path):
    """Durations and folders of a run never reach a prompt."""
    models = [ToyModel(service_us=10), ToyModel(service_us=99_000)]
    for name, model in zip("ab", models, strict=True):
        toy_run.run(tmp_path / name, model=model, strategy="gome", sandbox=ToySandbox(wall_us=model.service_us))
    assert [r.messages for r in models[0].requests] == [r.messages for r in models[1].requests]


def test_workers_work_at_the_same_time(tmp_path):
    import threading

    barrier = threading.Barrier(3, timeout=30)

    def together(r):  # type: ignore[no-untyped-def]
        if r.address.op is Op.DRAFT:
            barrier.wait()

    model = ToyModel(fail=together)
    end = toy_run.run(tmp_path, strategy=Scripted(*drafts(6)), model=model, workers=3, budget=Budget(steps=6))
    assert end.steps == 6
    assert {e["worker"] for e in events(tmp_path, "asked")} == {0, 1, 2}


def test_an_engine_runs_once(tmp_path):
    made = toy_run.parts(tmp_path)
    engine = Engine(made)
    engine.run()
    made.folder.close()
    assert len(events(tmp_path, "ended")) == 1
