"""A replay that follows a recorded journal: the same bytes, whatever the workers, the waiting and the interruptions."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlesearch.budgets.meter import Budget
from mlesearch.engine.clock import Timelines
from mlesearch.engine.folder import RunFolder
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import EngineParts, Execution, Revalidate, RunStatus
from mlesearch.engine.replay import Recording, ReplayDiffers
from mlesearch.engine.work import Result
from mlesearch.engine.workers import FollowingWorkers, Workers
from mlesearch.models.protocol import Reply, Request
from mlesearch.models.recorded.keys import prompt_digest
from mlesearch.sandbox.protocol import Job, Slot
from mlesearch.storage.codec import dumps
from mlesearch.storage.journal import read
from mlesearch.types import ExecResult, ModelUnavailable
from tests.support import toy_run


class Kept:
    """Replies and results by address: made at random the first time, found again after."""

    def __init__(self, seed: int, fail_often: bool) -> None:
        self._random = random.Random(seed)
        self._fail_often = fail_often
        self._lock = threading.Lock()
        self.prompts: dict[str, str] = {}
        self.replies: dict[str, Reply] = {}
        self.results: dict[str, ExecResult] = {}
        self.live = True

    def pause(self) -> int:
        with self._lock:
            us = self._random.randrange(1, 3000)
        if self.live:
            time.sleep(us / 1e6)
        return us

    def fails(self) -> bool:
        with self._lock:
            return self.live and self._fail_often and self._random.random() < 0.05


class Killed(BaseException):
    """Stands for kill -9: nothing is written any more."""


def _kill_after(made: EngineParts, events: int) -> None:
    append, left = made.folder.journal.append, iter(range(events))

    def dying(event: Mapping[str, object], durable: bool = False) -> None:
        if next(left, None) is None:
            raise Killed
        append(event, durable)

    made.folder.journal.append = dying  # type: ignore[method-assign]  # the test's own way to die


class Model(toy_run.ToyModel):
    kept: Kept

    def complete(self, request: Request) -> Reply:
        key = str(request.address)
        prompt = prompt_digest(request.messages)
        assert self.kept.prompts.setdefault(key, prompt) == prompt, f"{key}: another prompt than was sent before"
        if key not in self.kept.replies:
            assert self.kept.live, f"{key} was not recorded"
            if self.kept.fails():
                raise ModelUnavailable("down for a moment")
            reply = super().complete(request)
            us = self.kept.pause()
            self.kept.replies.setdefault(key, replace(reply, usage=replace(reply.usage, service_us=us)))
        return self.kept.replies[key]


class Sandbox(toy_run.ToySandbox):
    kept: Kept

    def run(self, slot: Slot, job: Job) -> ExecResult:
        if job.address not in self.kept.results:
            assert self.kept.live, f"{job.address} was not recorded"
            made = replace(super().run(slot, job), wall_us=self.kept.pause())
            self.kept.results.setdefault(job.address, made)  # a thread of a killed engine may have been here meanwhile
        return self.kept.results[job.address]


def _parts(folder: Path, kept: Kept, recording: Recording | None = None, **options: object) -> EngineParts:
    model, sandbox = Model(), Sandbox()
    model.kept = sandbox.kept = kept
    made = toy_run.parts(folder, model=model, sandbox=sandbox, **options)  # type: ignore[arg-type]
    made = replace(made, revalidate=Revalidate(toy_run.ToySplits(folder)))
    if recording is None:
        return made
    made.folder.close()
    (folder / "journal.jsonl").unlink()
    record = RunFolder(folder, {}, durable=False, keep_prompts=False, recording=recording)
    return replace(made, folder=record, execution=replace(made.execution, recording=recording))


def _record(folder: Path, kept: Kept, stops: list[int], kills: list[int] | None = None, **options: object) -> RunStatus:
    """To the end, asked to stop after so many proposals now and then, killed and failed, and begun again each time."""
    left, dying = list(stops), list(kills or ())
    while True:
        made = _parts(folder, kept, **options)
        if dying:
            _kill_after(made, dying.pop(0))
        looks = iter(range(left.pop(0))) if left else None
        try:
            end = Engine(made, lambda looks=looks: looks is not None and next(looks, None) is None).run()
        except (ModelUnavailable, Killed):
            continue
        finally:
            made.folder.close()
        if end.status is not RunStatus.INTERRUPTED:
            return end.status


def _replay(folder: Path, kept: Kept, recorded: Path, **options: object) -> RunStatus:
    kept.live = False
    made = _parts(folder, kept, Recording(recorded / "journal.jsonl"), **options)
    try:
        return Engine(made).run().status
    finally:
        made.folder.close()


BUDGETS = st.sampled_from(
    [Budget(steps=7), Budget(time_s=0.02), Budget(cost_usd=0.006), Budget(tokens=9000), Budget(steps=4, time_s=0.03)]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 2**20),
    st.fixed_dictionaries(
        {
            "workers": st.integers(1, 4),
            "strategy": st.sampled_from(["greedy", "mcts", "gome", "random"]),
            "budget": BUDGETS,
            "selection": st.sampled_from(["best_validation", "revalidate"]),
        }
    ),
    st.lists(st.integers(0, 5), max_size=3),
    st.lists(st.integers(0, 25), max_size=4),
    st.booleans(),
)
def test_a_replay_writes_the_recorded_journal(
    tmp_path: Path, seed: int, options: dict, stops: list[int], kills: list[int], fail_often: bool
) -> None:
    budget = options["budget"]
    if options["workers"] > 1 and (budget.tokens or budget.cost_usd):
        kills = []  # a kill between a refused call and the end of such a run makes it go on: see docs/replay.md
    folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
    kept = Kept(seed, fail_often)
    status = _record(folder / "recorded", kept, stops, kills, **options)
    assert _replay(folder / "replayed", kept, folder / "recorded", **options) is status
    journals = [(folder / name / "journal.jsonl").read_bytes() for name in ("recorded", "replayed")]
    assert journals[0] == journals[1]


class AnyOrder(Execution):
    """Work ends in an order that is drawn, whatever time it is charged: as with threads, and the same every time."""

    def make_workers(self, time: Timelines) -> Workers[Result]:
        drawn = random.Random(self.workers)
        return FollowingWorkers(lambda waiting: drawn.choice(sorted(waiting)))


@pytest.mark.parametrize("seed", range(6))
def test_reruns_that_were_cut_off_are_begun_by_the_same_workers_again(tmp_path: Path, seed: int) -> None:
    """Killed at every event of the final choice: a replay, which knows nothing of the kill, comes to the same."""

    def run(folder: Path, kept: Kept, dies_after: int | None = None) -> None:
        made = replace(_parts(folder, kept, **options), execution=AnyOrder(3))
        if dies_after is not None:
            _kill_after(made, dies_after)
        try:
            Engine(made).run()
        except Killed:
            pass
        finally:
            made.folder.close()

    options = {"workers": 3, "budget": Budget(steps=9), "selection": "revalidate"}
    run(tmp_path / "whole", Kept(seed, False))
    events = (tmp_path / "whole/journal.jsonl").read_text().splitlines()
    closing = next(i for i, line in enumerate(events) if line.startswith('{"type":"closing"'))
    assert len(events) - closing >= 2 + 2 * 2  # with the end, and two candidates or more on two splits
    for dies_after in range(closing, len(events)):
        folder, kept = tmp_path / str(dies_after), Kept(seed, False)
        run(folder / "recorded", kept, dies_after)
        run(folder / "recorded", kept)
        _replay(folder / "replayed", kept, folder / "recorded", **options)
        journals = [(folder / name / "journal.jsonl").read_bytes() for name in ("recorded", "replayed")]
        assert journals[0] == journals[1], dies_after


def test_reruns_that_another_version_shared_out_are_still_done_once_each(tmp_path: Path) -> None:
    options = {"workers": 3, "budget": Budget(steps=9), "selection": "revalidate", "virtual": True}
    kept = Kept(0, False)
    _record(tmp_path, kept, [], **options)
    journal = tmp_path / "journal.jsonl"
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    first = next(i for i, e in enumerate(events) if e["type"] == "revalidated")
    events[first]["worker"] = (events[first]["worker"] + 1) % 3
    journal.write_text("".join(dumps(e) + "\n" for e in events[: first + 1]))
    _record(tmp_path, kept, [], **options)
    again = [json.loads(line) for line in journal.read_text().splitlines()]
    done = [sorted((e["id"], e["split"]) for e in run if e["type"] == "revalidated") for run in (events, again)]
    assert done[0] == done[1]
    assert again[-1]["type"] == "ended"


def test_a_run_that_the_wall_clock_ended_ends_there_again(tmp_path: Path) -> None:
    kept = Kept(3, False)
    budget = Budget(steps=200, real_time_s=0.15)
    status = _record(tmp_path / "recorded", kept, [], workers=3, budget=budget)
    assert status is RunStatus.REAL_TIME
    replayed = _replay(tmp_path / "replayed", kept, tmp_path / "recorded", workers=3, budget=Budget(steps=200))
    assert replayed is RunStatus.REAL_TIME


def test_a_killed_replay_goes_on(tmp_path: Path) -> None:
    kept = Kept(5, False)
    _record(tmp_path / "recorded", kept, [], workers=2)
    whole = (tmp_path / "recorded/journal.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "replayed").mkdir()
    kept.live = False
    for cut in (1, 2, 9, len(whole) - 1):
        made = _parts(tmp_path / "replayed", kept, Recording(tmp_path / "recorded/journal.jsonl"), workers=2)
        made.folder.close()
        (tmp_path / "replayed/journal.jsonl").write_bytes(b"".join(whole[:cut]))
        record = RunFolder(
            tmp_path / "replayed",
            {},
            durable=False,
            keep_prompts=False,
            recording=(recording := Recording(tmp_path / "recorded/journal.jsonl")),
        )
        execution = replace(made.execution, recording=recording)
        Engine(replace(made, folder=record, execution=execution)).run()
        record.close()
        assert (tmp_path / "replayed/journal.jsonl").read_bytes() == b"".join(whole)


@pytest.mark.parametrize(
    ("kind", "change", "named"),
    [
        ("asked", lambda e: e["p"].update(trace=9), r"asked differs in p\.trace \(stored 9"),
        ("told", lambda e: e["outcome"].update(status="error", lesson="x"), r"told differs in outcome\.lesson"),
        ("reply", lambda e: e.update(text="Another plan."), r"reply differs in text \(stored \"Another plan"),
        ("executed", lambda e: e["result"].update(wall_us=1), r"executed differs in result\.wall_us \(stored 1,"),
        ("ended", lambda e: e.update(selected=99), r"ended differs in selected \(stored 99"),
    ],
)
def test_the_first_event_that_differs_is_named(tmp_path: Path, kind: str, change, named: str) -> None:  # type: ignore[no-untyped-def]
    kept = Kept(1, False)
    _record(tmp_path / "recorded", kept, [])
    path = tmp_path / "recorded/journal.jsonl"
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if json.loads(line)["type"] == kind)
    event = json.loads(lines[at])
    change(event)
    lines[at] = json.dumps(event, separators=(",", ":"))
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ReplayDiffers, match=rf"journal\.jsonl, line {at + 1}: .*{named}"):
        _replay(tmp_path / "replayed", kept, tmp_path / "recorded")


def test_an_order_that_can_not_be_is_an_error(tmp_path: Path) -> None:
    kept = Kept(1, False)
    _record(tmp_path / "recorded", kept, [])
    path = tmp_path / "recorded/journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    assert json.loads(lines[2])["type"] == "reply"
    path.write_text("".join(lines[:2] + lines[3:]))  # a reply is missing
    with pytest.raises(ReplayDiffers, match=r"line 3: its executed differs in"):
        _replay(tmp_path / "replayed", kept, tmp_path / "recorded")
    path.write_text("".join(lines[:4]))
    with pytest.raises(ReplayDiffers, match=r"line 5: the recording ends there"):
        _replay(tmp_path / "again", kept, tmp_path / "recorded")
    assert len(read(tmp_path / "again/journal.jsonl")[1]) == 3
