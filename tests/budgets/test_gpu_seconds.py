"""GPU seconds as a budget of their own: metered, part of `used`, a limit on each program, the same after a kill."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.budgets.meter import Budget, Meter
from mlesearch.cli.main import main
from mlesearch.engine.parts import RunStatus
from mlesearch.sandbox.protocol import Job, Slot
from mlesearch.types import ExecResult
from tests.support import toy_run
from tests.support.journals import comparable, copy_cut, events
from tests.support.toy_run import ToySandbox


class OnGpu(ToySandbox):
    """Every program had a GPU for its whole run time, and waited ten times as long for it."""

    def run(self, slot: Slot, job: Job) -> ExecResult:
        result = super().run(slot, job)
        return replace(result, gpu_us=result.wall_us, gpu_wait_us=10 * result.wall_us)


def test_gpu_seconds_end_a_run_and_deadlines_shrink(tmp_path: Path) -> None:
    sandbox = OnGpu(wall_us=3_000_000)
    end = toy_run.run(tmp_path, budget=Budget(steps=100, gpu_s=10.0), sandbox=sandbox, review=False)
    assert end.status is RunStatus.BUDGET
    assert [job.deadline_s for job in sandbox.jobs] == [10.0, 7.0, 4.0, 1.0]
    assert [e["used"] for e in events(tmp_path, "asked")] == [0.0, 0.3, 0.6, 0.9]
    assert end.charged_us == 4 * 3_000_000 + 4 * 1000  # waiting for a GPU is not in it


def test_without_a_gpu_budget_gpu_time_changes_nothing(tmp_path: Path) -> None:
    toy_run.run(tmp_path / "with", sandbox=OnGpu(wall_us=3_000_000))
    toy_run.run(tmp_path / "without", sandbox=ToySandbox(wall_us=3_000_000))
    asked = [[(e["used"], e["p"]) for e in events(tmp_path / name, "asked")] for name in ("with", "without")]
    assert asked[0] == asked[1]


def test_a_killed_run_has_spent_what_its_journal_says(tmp_path: Path) -> None:
    limit = Budget(steps=100, gpu_s=10.0)
    whole = tmp_path / "whole"
    toy_run.run(whole, budget=limit, sandbox=OnGpu(wall_us=3_000_000))
    lines = (whole / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for cut in range(1, len(lines)):
        folder = tmp_path / f"cut{cut}"
        copy_cut(whole, folder, lines[:cut])
        sandbox = OnGpu(wall_us=3_000_000)
        toy_run.run(folder, budget=limit, sandbox=sandbox)
        assert comparable(folder) == comparable(whole)
        executed = sum(json.loads(line)["type"] == "executed" for line in lines[1:cut])
        assert [job.deadline_s for job in sandbox.jobs] == [10.0, 7.0, 4.0, 1.0][executed:]


def test_the_tighter_of_time_and_gpu_time_bounds_a_program() -> None:
    meter = Meter(Budget(time_s=100.0, reserve_s=10.0, gpu_s=20.0))
    assert meter.program_left_us(0) == 20_000_000
    assert meter.program_left_us(85_000_000) == 5_000_000
    meter.gpu_us = 18_000_000
    assert meter.program_left_us(85_000_000) == 2_000_000
    assert not meter.spent(85_000_000)
    meter.gpu_us = 21_000_000
    assert meter.program_left_us(85_000_000) == 0
    assert meter.spent(0)
    assert meter.used(0) == 1.0
    assert Meter(Budget(steps=1)).program_left_us(10**15) is None


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("budget.gpu_s=60", "no program gets a GPU, so none of it is spent"),
        ("budget.gpu_s=0", "a number above 0 is needed"),
    ],
)
def test_a_gpu_budget_that_means_nothing_is_refused(
    override: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = ["run", "model=sim_05", "strategy=greedy", "tasks=[rentals]", "seeds=[0]", "budget.steps=2"]
    assert main([*run, override, "--check"]) == 2
    assert said in capsys.readouterr().err
