"""The chosen program on the full data, where the search sees a part of it: in a toy run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mlesearch.budgets.meter import Budget
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import FullRunTerms, Revalidate, RunEnd, RunStatus
from mlesearch.sandbox.protocol import Job, Limits, Slot, Spec
from mlesearch.types import ExecResult, ExecStatus, SandboxUnavailable
from tests.support import toy_run
from tests.support.journals import comparable, copy_cut, events
from tests.support.scripted_strategy import Scripted, drafts
from tests.support.toy_run import Killed, ToyScorer, ToySplits

FULL = "toy@1 in full"
ORDER = [1, 3, 4, 0]
"""Of the valid nodes 0, 1, 3 and 4, the best on validation first."""


@dataclass
class Sandbox(toy_run.ToySandbox):
    """On the full data a program prints what `full` says of its number, and leaves a submission."""

    full: Callable[[int], float | None] = lambda id: id / 10

    def run(self, slot: Slot, job: Job) -> ExecResult:
        if slot.spec.task != FULL:
            return super().run(slot, job)
        return replace(self, score=self.full, jobs=self.jobs)._printed(slot, job)

    def _printed(self, slot: Slot, job: Job) -> ExecResult:
        result = super().run(slot, job)
        if result.status is ExecStatus.OK:
            job.outbox.mkdir(parents=True, exist_ok=True)
            (job.outbox / "submission.csv").write_text(f"{job.program} in full")
        return result


class Particular(ToyScorer):
    """Finds what number 1 submits of the wrong form."""

    def submission_problem(self, result: ExecResult) -> str:
        return "a row is missing" if result.stdout.head == "score 0.1" else ""


def run(
    folder: Path,
    *,
    runners_up: int = 3,
    scorer: ToyScorer | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    selection: str = "best_validation",
    **options: object,
) -> RunEnd:
    given: dict[str, object] = {"sandbox": Sandbox(), "strategy": Scripted(*drafts(7)), "budget": Budget(steps=6)}
    parts = toy_run.parts(folder, selection=selection, **given | options)  # type: ignore[arg-type]  # a test's own
    spec = Spec(FULL, folder, limits=Limits(time_s=60.0))
    parts = replace(parts, full=FullRunTerms(spec, scorer or ToyScorer(), runners_up))
    if selection == "revalidate":
        parts = replace(parts, revalidate=Revalidate(ToySplits(folder), 3, 2))
    try:
        return Engine(parts, should_stop).run()
    finally:
        parts.folder.close()


def graded(folder: Path) -> dict[int, float]:
    lines = (folder / "grades.jsonl").read_text().splitlines()
    return {line["id"]: line["score"] for line in map(json.loads, lines)}


@pytest.mark.parametrize("workers", [1, 3])
def test_the_chosen_program_is_run_again_and_what_it_submits_there_counts(tmp_path: Path, workers: int) -> None:
    sandbox = Sandbox()
    end = run(tmp_path, sandbox=sandbox, workers=workers, virtual=workers > 1)
    assert (end.status, end.selected) == (RunStatus.COMPLETED, 1)
    assert [j.address for j in sandbox.jobs if j.address.endswith("/full")] == ["toy/run/1/full"]
    (closing,), (full,) = events(tmp_path, "closing"), events(tmp_path, "full_run")
    assert closing["candidates"] == ORDER
    assert (full["id"], full["worker"]) == (1, 0)
    assert full["t"] == closing["t"] + 2000 == end.charged_us
    assert graded(tmp_path) == {1: pytest.approx(0.0)}, "the grade is that of the full run, and there is no other"
    assert (tmp_path / "best/submission.csv").read_text() == "NUMBER = 1\n in full"
    assert (tmp_path / "best/solution.py").read_text() == "NUMBER = 1\n"
    assert not (tmp_path / "submissions").exists()


def test_it_changes_nothing_of_the_search(tmp_path: Path) -> None:
    toy_run.run(tmp_path / "a", strategy=Scripted(*drafts(7)), budget=Budget(steps=6))
    run(tmp_path / "b")
    search = comparable(tmp_path / "a")[:-1]
    assert comparable(tmp_path / "b")[: len(search)] == search


def test_what_fails_or_is_invalid_gives_its_place_to_the_next(tmp_path: Path) -> None:
    sandbox = Sandbox(full=lambda id: None if id == 3 else id / 10)
    end = run(tmp_path, sandbox=sandbox, scorer=Particular())
    assert [(e["id"], e.get("problem", "")) for e in events(tmp_path, "full_run")] == [
        (1, "a row is missing"),
        (3, "ValueError: no such number"),
        (4, ""),
    ]
    assert end.selected == 4
    assert set(graded(tmp_path)) == {4}
    assert (tmp_path / "best/submission.csv").read_text() == "NUMBER = 4\n in full"


@pytest.mark.parametrize("runners_up", [1, 2, 5])
def test_after_the_last_runner_up_nothing_is_submitted(tmp_path: Path, runners_up: int) -> None:
    end = run(tmp_path, sandbox=Sandbox(full=lambda id: None), runners_up=runners_up)
    assert [e["id"] for e in events(tmp_path, "full_run")] == ORDER[: 1 + runners_up]
    assert (end.status, end.selected) == (RunStatus.COMPLETED, None)
    assert graded(tmp_path) == {}
    assert not (tmp_path / "best/submission.csv").exists()


def test_without_a_valid_program_nothing_is_run_again(tmp_path: Path) -> None:
    end = run(tmp_path, sandbox=Sandbox(score=lambda id: None))
    assert end.selected is None
    assert not events(tmp_path, "closing")
    assert not events(tmp_path, "full_run")


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("selection", ["best_validation", "revalidate"])
def test_cut_after_any_event_it_goes_on_to_the_same_journal(tmp_path: Path, workers: int, selection: str) -> None:
    """Programs that ran on the full data are not run there again; grades that a kill took are made up for."""
    options = {"workers": workers, "virtual": workers > 1, "selection": selection, "scorer": Particular()}
    whole = tmp_path / "whole"
    ended = run(whole, sandbox=Sandbox(), **options)  # type: ignore[arg-type]  # a test's own
    lines = (whole / "journal.jsonl").read_bytes().splitlines(keepends=True)
    first = next(i for i, x in enumerate(lines) if json.loads(x)["type"] == "closing")
    assert len(events(whole, "full_run")) > 1
    for cut in range(first, len(lines)):
        folder, sandbox = tmp_path / f"cut{cut}", Sandbox()
        copy_cut(whole, folder, lines[:cut])
        (folder / "grades.jsonl").write_text("")
        left = folder / f"submissions/{ended.selected}-full"
        left.mkdir(parents=True)
        (left / "submission.csv").write_bytes((whole / "best/submission.csv").read_bytes())
        again = run(folder, sandbox=sandbox, **options)  # type: ignore[arg-type]  # a test's own
        assert again.selected == ended.selected
        if workers == 1:
            assert comparable(folder) == comparable(whole)
        ran = [e["id"] for e in events(folder, "full_run")]
        assert ran == [e["id"] for e in events(whole, "full_run")]
        assert set(graded(folder)) == {ended.selected}
        assert (folder / "best/submission.csv").read_bytes() == (whole / "best/submission.csv").read_bytes()
        done = {f"toy/run/{e['id']}/full" for x in lines[first:cut] if (e := json.loads(x))["type"] == "full_run"}
        assert not done & {j.address for j in sandbox.jobs}


def test_killed_within_it_it_is_run_again_and_stopped_before_it_it_goes_on(tmp_path: Path) -> None:
    def fails(with_what: BaseException) -> Callable[[Job], BaseException | None]:
        return lambda job: with_what if job.address.endswith("/full") else None

    with pytest.raises(Killed):
        run(tmp_path, sandbox=Sandbox(fail=fails(Killed())))  # type: ignore[arg-type]  # a kill is no Exception
    with pytest.raises(SandboxUnavailable):
        run(tmp_path, sandbox=Sandbox(fail=fails(SandboxUnavailable("away"))))  # type: ignore[arg-type]  # as above
    assert run(tmp_path, should_stop=lambda: True).status is RunStatus.INTERRUPTED
    assert not events(tmp_path, "full_run")
    assert not events(tmp_path, "ended")
    assert run(tmp_path).selected == 1
    assert len(events(tmp_path, "full_run")) == 1


def test_after_fresh_splits_it_is_the_winner_there_that_runs(tmp_path: Path) -> None:
    sandbox = Sandbox()
    end = run(tmp_path, sandbox=sandbox, selection="revalidate")
    assert len(events(tmp_path, "closing")) == 1
    assert len(events(tmp_path, "revalidated")) == 8
    assert [e["id"] for e in events(tmp_path, "full_run")] == [end.selected]


def test_its_time_is_that_of_the_reserve_whatever_the_search_has_overdrawn(tmp_path: Path) -> None:
    """Calls that are under way when the time is spent are paid for; the reserve is left whole all the same."""
    deadlines: list[float] = []

    def note(job: Job) -> None:
        if job.address.endswith("/full"):
            deadlines.append(job.deadline_s)

    budget = Budget(time_s=0.1, reserve_s=0.02)
    model = toy_run.ToyModel(service_us=30_000)
    end = run(tmp_path, budget=budget, model=model, sandbox=Sandbox(fail=note))
    assert end.status is RunStatus.BUDGET
    assert end.selected is not None
    (closing,) = events(tmp_path, "closing")
    left = 0.1 - closing["t"] / 1e6
    assert left < 0.02, "the search went over its time"
    assert deadlines == [pytest.approx(0.02)]


def test_fresh_splits_leave_it_half_of_the_reserve(tmp_path: Path) -> None:
    """Reruns that would take all of the time are cut where the half begins that is not theirs."""
    deadlines: dict[str, float] = {}

    def note(job: Job) -> None:
        deadlines[job.address] = job.deadline_s

    budget = Budget(time_s=0.1, reserve_s=0.04)
    run(tmp_path, budget=budget, sandbox=Sandbox(fail=note, wall_us=8000), selection="revalidate")
    (closing,) = events(tmp_path, "closing")
    reruns = [e["t"] for e in events(tmp_path, "revalidated")]
    assert reruns
    first = next(s for address, s in deadlines.items() if "split-1" in address)
    assert first == pytest.approx(0.1 - 0.02 - closing["t"] / 1e6, abs=1e-3) or closing["t"] > 60_000
    (full,) = events(tmp_path, "full_run")
    assert deadlines[f"toy/run/{full['id']}/full"] >= 0.02 - 0.008
    assert "problem" not in full


def test_a_search_that_the_wall_clock_ends_has_its_run_too(tmp_path: Path) -> None:
    end = run(tmp_path, budget=Budget(steps=10_000, real_time_s=0.5), strategy="greedy", selection="revalidate")
    assert end.status is RunStatus.REAL_TIME
    assert not events(tmp_path, "revalidated"), "there is no time for the choice on fresh splits"
    assert [e["id"] for e in events(tmp_path, "full_run")] == [end.selected]
