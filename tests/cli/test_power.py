"""`mlesearch power`: what it prints of assumptions, a pilot study and a launch, and what it refuses."""

from __future__ import annotations

import json
import math
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlesearch.analysis.results import analyse
from mlesearch.cli.main import main
from tests.support.synthetic_study import synthetic, write


def run(command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["power", *shlex.split(command)])
    out, err = capsys.readouterr()
    return code, out, err


def as_json(command: str, capsys: pytest.CaptureFixture[str]) -> Any:
    code, out, _ = run(f"{command} --json", capsys)
    assert code == 0
    return json.loads(out)


def test_assumed_variances_and_a_gap_that_no_number_of_seeds_finds(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("--models 10 --tasks 75 --seeds 3 --gap 3", capsys)
    assert code == 0
    assert "variances assumed: 30 % of the baseline's runs succeed" in out
    assert "no number of seeds finds it in 80 % on 75 tasks" in out
    assert "with 3 seeds it takes" in out
    assert "what a run costs is not known" in out


def test_more_seeds_than_anybody_runs_are_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run("--models 10 --tasks 75 --seeds 3 --gap 6", capsys)
    (line,) = [line for line in out.splitlines() if line.startswith("a gap of 6 points")]
    assert "no practical number of seeds finds it in 80 % on 75 tasks: it would take 1,050, and 100 are taken" in line
    assert line.endswith("with 3 seeds it takes 352 tasks")


def test_a_gap_that_seeds_find_says_how_many_and_what_they_take(capsys: pytest.CaptureFixture[str]) -> None:
    got = as_json("--models 10 --tasks 75 --seeds 3 --gap 9", capsys)
    assert got["gap"]["seeds"] == 10
    assert got["gap"]["taken"]["runs"] == 10 * 2 * 75 * 10
    by_seeds = {row["seeds"]: row for row in got["detectable"]}
    assert by_seeds[10]["family"] <= 0.09 < by_seeds[5]["family"]
    assert by_seeds[10]["power"] >= 0.8 > by_seeds[5]["power"]
    own, noise = got["design"]["spread"]["own"], got["design"]["spread"]["noise"]
    assert by_seeds[3]["error"] == pytest.approx(math.sqrt((own + noise / 3) / 75))
    assert by_seeds[3]["family"] / by_seeds[3]["error"] == pytest.approx(3.76, abs=0.02)  # 3.65, and t with 74 df
    assert by_seeds[None]["benchmark"] == 0.0


def test_the_crossover_says_what_looks_save(capsys: pytest.CaptureFixture[str]) -> None:
    got = as_json("--models 10 --tasks 75 --seeds 3 --crossover -6 9", capsys)["crossover"]
    assert got["taken"]["runs"] == 6 * 2 * 75 * 3
    assert got["sequential_taken"]["runs"] < got["taken"]["runs"]
    assert got["sequential"] > 0.75
    _, out, _ = run("--models 10 --tasks 22 --seeds 3 --crossover -3 9", capsys)
    assert "no number of seeds brings it to 80 % on 22 tasks" in out


@pytest.fixture
def pilot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write(synthetic(models=6, strategies=("greedy", "gome"), tasks=12, seeds=3), tmp_path / "pilot")


def test_a_pilot_gives_variances_numbers_and_costs(pilot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    got = as_json("--from pilot --crossover -20 20", capsys)
    design, board = got["design"], analyse(synthetic(models=6, strategies=("greedy", "gome"), tasks=12, seeds=3)).board
    assert [design[name] for name in ("models", "low", "high", "tasks", "seeds")] == [6, 2, 2, 12, 3]
    p = board.counts.hits / board.counts.counts
    noise = (p * (1 - p) * 3 / 2).mean(axis=-1).sum(axis=-1)
    assert design["spread"]["noise"] == pytest.approx(noise.mean())
    gaps = p[:, 1] - p[:, 0]
    assert design["spread"]["own"] == pytest.approx(max(0.0, np.mean(gaps.var(axis=-1, ddof=1) - noise / 3)))
    assert got["detectable"][0]["taken"]["usd"] == pytest.approx(design["cost"]["usd"] * 6 * 2 * 12)
    _, out, _ = run("--from pilot --tasks 75", capsys)
    assert "measured: gome and greedy in pilot, 6 models, 12 tasks, 3 seeds" in out
    assert "costs: as measured in 432 runs of pilot (virtual)" in out


def test_one_of_a_kind_is_said_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = synthetic(models=6, strategies=("greedy", "gome"), tasks=12, seeds=3)
    tables.runs["gpu_h"] = 1 / (6 * 2 * 12 * 5)
    folder = write(tables, tmp_path / "pilot")
    _, out, _ = run(f"--from {folder} --gap 60 --seeds 5 --crossover -40 40", capsys)
    assert re.search(r", 1 GPU hour\b", out)
    assert not re.search(r"\b1 (\w*s|GPU hours)\b", out)


def test_a_launch_gives_numbers_and_prices(capsys: pytest.CaptureFixture[str]) -> None:
    launch = "-m clock=virtual model=sim_01,sim_02,sim_09,sim_10 strategy=greedy,gome"
    got = as_json(f"{launch} 'tasks=[rentals,demand]' 'seeds=[0,1,2]'", capsys)
    assert [got["design"][name] for name in ("models", "low", "high", "tasks", "seeds")] == [4, 2, 2, 2, 3]
    assert got["design"]["cost"]["usd"] > 0
    assert "estimated" in got["design"]["cost"]["source"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("--tasks 75 --seeds 3", "--models: give a number, or name a pilot study (--from STUDY) or an experiment"),
        ("--models 10 --tasks 1 --seeds 3", "--tasks: 1; at least 2 are needed"),
        ("--models 0 --tasks 9 --seeds 3", "--models: 0; at least 1 is needed"),
        ("--models 10 --tasks 9 --seeds 3 --gap 0", "--gap: 0; it is in percentage points"),
        ("--models 10 --tasks 9 --seeds 3 --rate 0", "--rate: 0; it is in percent"),
        ("--models 10 --tasks 9 --seeds 3 --crossover 5 6", "the low group's gap is below 0"),
        ("--models 3 --tasks 9 --seeds 3 --crossover -5 6", "two models at each end are needed"),
        ("--from nowhere", "no study here"),
        ("--from pilot --rate 3", "--rate: a rate is assumed where there is no pilot"),
    ],
)
def test_what_is_refused(command: str, said: str, pilot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(command, capsys)
    assert (code, out) == (2, "")
    assert said in err.splitlines()[-1]
    assert err.count("mlesearch: error") == 1


def test_a_pilot_of_one_seed_or_one_strategy_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one_seed = write(synthetic(models=2, strategies=("greedy", "gome"), tasks=4, seeds=1), tmp_path / "one")
    alone = write(synthetic(models=2, strategies=("greedy",), tasks=4, claim=False), tmp_path / "alone")
    for folder, said in ((one_seed, "single seed"), (alone, "single strategy")):
        code, _, err = run(f"--from {folder}", capsys)
        assert code == 2
        assert said in err
