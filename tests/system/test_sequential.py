"""`mlesearch run --sequential` on a virtual clock: it runs what the declared looks ask for, and then stops."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from mlesearch.storage.sequential import LOOKS, read_looks
from tests.support.command import cli

WORDS = (
    "study.dir=study",
    "clock=virtual",
    "model=sim_01,sim_02,sim_05,sim_09,sim_10",
    "strategy=random,greedy",
    "tasks=[rentals,demand,strides,wear,tickets]",
    "seeds=[0,1,2]",
    "budget.steps=12",
    "claim.treatment=greedy",
    "claim.baseline=random",
    "claim.capability=true",
    "claim.outcome=above_median",
    "claim.sequential.looks=[1,2,3]",
    "claim.sequential.futility=0",
    "claim.sequential.alpha=0.2",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sequential")
    ran = cli(folder, "run", "-m", "--sequential", *WORDS)
    assert ran.returncode == 0, ran.stderr
    assert "study main: at most 120 runs, 0 of them finished" in ran.stdout
    assert "next: both groups up to 1 seed on all 5 tasks; 40 runs to make" in ran.stdout
    assert "next: the low group up to 3 seeds on all 5 tasks; 20 runs to make" in ran.stdout
    assert "100 runs on a virtual clock" in ran.stdout
    return folder / "study"


def test_a_group_that_was_shown_is_run_no_more_and_the_middle_never(place: Path) -> None:
    runs = pd.read_parquet(place / "runs.parquet")
    assert set(runs["model"]) == {"sim_01", "sim_02", "sim_09", "sim_10"}
    seeds = runs[runs["status"] == "ok"].groupby("model")["seed"].nunique()
    assert seeds.to_dict() == {"sim_01": 3, "sim_02": 3, "sim_09": 2, "sim_10": 2}
    left_out = runs[runs["status"] == "not_planned"]
    assert set(left_out["reason"]) == {"high group stopped by its look after 2 seeds, so its rates are biased"}
    assert len(left_out) == 20
    assert "missing" not in set(runs["status"])


def test_looks_are_recorded_in_order_and_read_by_next(place: Path) -> None:
    looks = read_looks(place)
    assert [(look["seeds"], look["crossed"]) for look in looks] == [(1, []), (2, ["high"]), (3, ["high"])]
    before = (place / LOOKS).read_bytes()
    found = json.loads(cli(place.parent, "next", "study", "--json").stdout)
    assert (found["decided"], found["established"], found["to_run"]) == (True, False, [])
    assert (place / LOOKS).read_bytes() == before


def test_launched_again_it_runs_nothing(place: Path) -> None:
    again = cli(place.parent, "run", "-m", "--sequential", *WORDS)
    assert again.returncode == 0, again.stderr
    assert "decided after 3 seeds, at the last look: no crossover is established" in again.stdout
    assert "runs on a virtual clock" not in again.stdout


def test_the_report_has_the_verdict_of_the_looks(place: Path) -> None:
    page = (place / "report.html").read_text(encoding="utf-8")
    assert "no crossover is established: the study ended after 3 seeds, at the last look" in page
    assert "stopped here: biased" in page
    assert "20 runs not run by design (high group stopped by its look after 2 seeds" in page


def test_what_is_refused(tmp_path: Path) -> None:
    without = cli(tmp_path, "run", "-m", "--sequential", *(w for w in WORDS if "sequential" not in w))
    assert without.returncode == 2
    assert "--sequential: no looks are declared" in without.stderr
    few = cli(tmp_path, "run", "-m", "--sequential", *(w for w in WORDS if not w.startswith("model")), "model=sim_01")
    assert few.returncode == 2
    assert "launch at least four models of different capability together" in few.stderr
