"""The final choice by fresh validation splits: in a toy run."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlesearch.budgets.meter import Budget
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import Revalidate, RunStatus
from mlesearch.engine.revalidation import Rounds
from mlesearch.engine.selection import Selection
from mlesearch.types import (
    Direction,
    Node,
    Op,
    SandboxUnavailable,
    Status,
    Verdict,
    VerdictKind,
)
from tests.support import toy_run
from tests.support.journals import comparable, copy_cut, events
from tests.support.scripted_strategy import Scripted, drafts
from tests.support.toy_run import Killed, ToyModel, ToySplits


@dataclass
class FreshSandbox(toy_run.ToySandbox):
    """On a fresh split a program scores what `fresh` says of (number, split)."""

    fresh: object = lambda id, split: id + split / 10

    def run(self, slot, job):
        if slot.spec.split_seed:
            return replace(self, score=lambda id: self.fresh(id, slot.spec.split_seed), jobs=self.jobs)._run(slot, job)
        return self._run(slot, job)

    def _run(self, slot, job):
        return super().run(slot, job)


def run(folder, *, should_stop=lambda: False, k=3, splits=2, selection="revalidate", **options):
    options = {"sandbox": FreshSandbox(), "strategy": Scripted(*drafts(7)), "budget": Budget(steps=6)} | options
    parts = toy_run.parts(folder, selection=selection, **options)
    fresh = ToySplits(folder)
    parts = replace(parts, revalidate=Revalidate(fresh, k, splits))
    try:
        return Engine(parts, should_stop).run(), fresh
    finally:
        parts.folder.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_the_best_mean_on_fresh_splits_wins(tmp_path, workers):
    model, sandbox = ToyModel(), FreshSandbox()
    end, splits = run(tmp_path, model=model, sandbox=sandbox, workers=workers, virtual=workers > 1)
    valid = {e["id"]: e["outcome"]["score"] for e in events(tmp_path, "told") if e["outcome"]["status"] == "ok"}
    assert set(valid) == {0, 1, 3, 4}  # every draft is a root, so all of them are candidates
    assert max(valid, key=valid.get) != 4 == end.selected
    assert end.status is RunStatus.COMPLETED
    reruns = events(tmp_path, "revalidated")
    assert sorted((e["id"], e["split"]) for e in reruns) == sorted((n, s) for n in valid for s in (1, 2))
    assert {(e["id"], e["split"]): e["score"] for e in reruns} == {(n, s): n + s / 10 for n in valid for s in (1, 2)}
    assert all(not r.address.op.makes_program or r.address.proposal < 6 for r in model.requests)
    assert len(model.requests) == 6 + 6  # a reply and a review for each program of the search, none for a rerun
    assert (tmp_path / "best" / "solution.py").read_text() == "NUMBER = 4\n"
    assert json.loads((tmp_path / "best" / "node.json").read_text())["validation_score"] == valid[4]
    assert not (tmp_path / "submissions").exists()
    assert splits.closed == 1
    assert end.charged_us == events(tmp_path, "ended")[0]["t"] >= events(tmp_path, "closing")[0]["t"] + 2 * 2000


def test_it_changes_nothing_of_the_search(tmp_path):
    run(tmp_path / "a", selection="best_validation")
    run(tmp_path / "b")
    search = comparable(tmp_path / "a")[:-1]
    assert comparable(tmp_path / "b")[: len(search)] == search


@pytest.mark.parametrize("workers", [1, 3])
def test_cut_after_any_event_it_goes_on_to_the_same_journal(tmp_path, workers):
    whole = tmp_path / "whole"
    ended, _ = run(whole, workers=workers, virtual=workers > 1)
    lines = (whole / "journal.jsonl").read_bytes().splitlines(keepends=True)
    first = next(i for i, x in enumerate(lines) if json.loads(x)["type"] == "closing")
    assert len(lines) - first == 1 + 8 + 1
    for cut in range(first, len(lines)):
        folder, sandbox = tmp_path / f"cut{cut}", FreshSandbox()
        copy_cut(whole, folder, lines[:cut])
        again, _ = run(folder, workers=workers, virtual=workers > 1, sandbox=sandbox)
        assert again.selected == ended.selected
        if workers == 1:
            assert comparable(folder) == comparable(whole)
        reruns = [(e["id"], e["split"]) for e in events(folder, "revalidated")]
        assert len(reruns) == len(set(reruns)) == 8
        done = {
            f"toy/run/{e['id']}/split-{e['split']}" for x in lines[first + 1 : cut] if "split" in (e := json.loads(x))
        }
        assert not done & {j.address for j in sandbox.jobs}


def test_killed_within_a_rerun_it_is_run_again(tmp_path):
    def die(job):
        return Killed() if job.address.endswith("3/split-2") else None

    with pytest.raises(Killed):
        run(tmp_path, sandbox=FreshSandbox(fail=die))
    assert not events(tmp_path, "ended")
    end, _ = run(tmp_path)
    assert end.selected == 4
    assert len(events(tmp_path, "revalidated")) == 8


def test_asked_to_stop_it_is_not_ended_and_goes_on(tmp_path):
    sandbox = FreshSandbox()
    end, splits = run(tmp_path, sandbox=sandbox, should_stop=lambda: any("split" in j.address for j in sandbox.jobs))
    assert end.status is RunStatus.INTERRUPTED
    assert len(events(tmp_path, "revalidated")) == 1
    assert not events(tmp_path, "ended")
    assert splits.closed == 1
    end, _ = run(tmp_path)
    assert (end.status, end.selected) == (RunStatus.COMPLETED, 4)
    assert len(events(tmp_path, "revalidated")) == 8


def test_a_sandbox_that_stays_away_stops_it_to_be_resumed(tmp_path):
    def away(job):
        return SandboxUnavailable("no daemon") if "split" in job.address else None

    with pytest.raises(SandboxUnavailable):
        run(tmp_path, sandbox=FreshSandbox(fail=away))
    assert run(tmp_path)[0].selected == 4


def test_what_other_workers_run_again_is_journaled_when_a_split_can_not_be_made(tmp_path):
    class Broken(ToySplits):
        def make(self, seed):
            if seed == 2:
                raise OSError("the disk is full")
            return super().make(seed)

    options = {"strategy": Scripted(*drafts(7)), "budget": Budget(steps=6), "workers": 2}
    parts = toy_run.parts(tmp_path, selection="revalidate", sandbox=FreshSandbox(), **options)
    fresh = Broken(tmp_path)
    with pytest.raises(OSError, match="full"):
        Engine(replace(parts, revalidate=Revalidate(fresh))).run()
    parts.folder.close()
    assert [e["split"] for e in events(tmp_path, "revalidated")] == [1, 1, 1, 1]
    assert fresh.closed == 1
    assert run(tmp_path, workers=2)[0].selected == 4


def test_the_reserve_of_a_time_budget_pays_for_it_and_only_whole_rounds_count(tmp_path):
    # a program takes 2 ms, a call 1 ms: 6 drafts without reviews take 18 ms; 4 candidates a round take 8 ms
    by_validation, _ = run(tmp_path / "none", review=False, budget=Budget(steps=6, time_s=0.0181))
    assert not events(tmp_path / "none", "revalidated")[4:]
    one, _ = run(tmp_path / "one", review=False, budget=Budget(steps=6, time_s=0.0301, reserve_s=0.012))
    assert len(events(tmp_path / "one", "revalidated")) == 7  # the last is cut short by what is left
    assert one.selected == 4
    assert by_validation.selected != 4
    assert by_validation.status is one.status is RunStatus.COMPLETED


def test_a_candidate_that_fails_on_a_split_is_out(tmp_path):
    fresh = lambda id, split: None if (id, split) == (4, 2) else id + split / 10  # noqa: E731  # a function of the test
    assert run(tmp_path / "a", sandbox=FreshSandbox(fresh=fresh))[0].selected == 3
    nothing, _ = run(tmp_path / "b", sandbox=FreshSandbox(fresh=lambda id, split: None))
    plain, _ = run(tmp_path / "c", selection="best_validation")
    assert nothing.selected == plain.selected  # by validation alone, where no candidate stands


def test_without_a_valid_node_there_is_nothing_to_choose(tmp_path):
    end, _ = run(tmp_path, sandbox=FreshSandbox(score=lambda id: None))
    assert (end.status, end.selected) == (RunStatus.COMPLETED, None)
    assert not events(tmp_path, "revalidated")


def test_the_real_time_cap_leaves_no_time_for_it(tmp_path):
    end, _ = run(tmp_path, budget=Budget(steps=6, real_time_s=1e-9))
    assert end.status is RunStatus.REAL_TIME
    assert not events(tmp_path, "closing")


def node(id, score, base=None):
    status = Status.ERROR if score is None else Status.OK
    return Node(id, Op.DRAFT if base is None else Op.IMPROVE, base, (), 0, "", "", status, score, "", "", "")


def test_candidates_are_the_best_and_the_best_of_every_other_root():
    s = Selection("revalidate", Direction.MINIMIZE)
    for n in (
        node(0, 5.0),
        node(1, 4.0, 0),
        node(2, None),
        node(3, 9.0, 2),
        node(4, 3.0, 1),
        node(5, 4.0, 0),
        node(6, 1.0),
    ):
        s.add(n)
    s.decide([Verdict(6, VerdictKind.VOID)])
    assert s.candidates(2) == (4, 1, 3)  # ties go to the earlier; 3 is the best of root 2; 6 is void
    assert s.candidates(1) == (4, 3)
    assert s.best == s.chosen == 4
    for i in range(7, 30):
        s.add(node(i, float(i)))
    assert s.candidates(2) == (4, 1, 7, 8, 3, 9, 10, 11)


@given(
    scores=st.lists(st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=3, max_size=3), min_size=1, max_size=6),
    whole=st.integers(0, 3),
    direction=st.sampled_from(Direction),
)
@example(scores=[[0, 0, 0], [-1, -3, 4]], whole=3, direction=Direction.MINIMIZE)  # equal means, but not as floats
def test_the_winner_against_a_plain_mean(scores, whole, direction):
    rounds = Rounds(range(len(scores)), 3, direction)
    for seed in range(1, whole + 1):
        for n, row in enumerate(scores):
            rounds.add((n, seed), row[seed - 1])
    if whole < 3:  # a part of the next round changes nothing
        rounds.add((0, whole + 1), 1e9) if len(scores) > 1 else None
    means = {n: np.mean(row[:whole]) for n, row in enumerate(scores) if whole and None not in row[:whole]}
    best = (max if direction is Direction.MAXIMIZE else min)(means.values(), default=None)
    expected = next((n for n, m in means.items() if np.isclose(m, best)), None)
    assert rounds.winner == expected
    assert len(list(rounds.left())) == 3 * len(scores) - whole * len(scores) - (whole < 3 and len(scores) > 1)
