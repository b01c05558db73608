"""`mlesearch next`: looks are taken once, recorded in order, and what to run next is said."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from mlesearch.cli.main import main
from mlesearch.storage.layout import not_planned
from mlesearch.storage.sequential import LOOKS, read_looks
from tests.support.sequential_study import ENDS, sequential_study
from tests.support.synthetic_study import write


def study(folder: Path, seeds_there: int, shift: float = 0.35, declared: bool = True) -> Path:
    return write(sequential_study(seeds_there, shift, declared), folder)


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["next", *map(str, words)])
    return code, *capsys.readouterr()


def test_a_look_says_what_to_run_next_and_is_recorded_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study(tmp_path / "s", 1, 0.12)
    code, out, _ = run(capsys, folder)
    assert code == 0
    assert "looks after 1, 2, 3 seeds, each condition one-sided at 5 % over all of them" in out
    assert "next: both groups up to 2 seeds on all 20 tasks; 160 runs to make before the look after 2 seeds" in out
    assert "model=sim/model-01,sim/model-02,sim/model-05,sim/model-06 strategy=gome,greedy 'seeds=[1]'" in out
    written = (folder / LOOKS).read_bytes()
    assert len(read_looks(folder)) == 1
    assert run(capsys, folder)[1] == out
    assert (folder / LOOKS).read_bytes() == written


def test_before_the_first_run_the_ends_come_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study(tmp_path / "s", 0)
    code, out, _ = run(capsys, folder, "--json")
    got = json.loads(out)
    assert code == 0
    assert (got["looks"], got["decided"], got["next_seeds"]) == ([], False, 1)
    models = {key["model"] for key in got["to_run"]}
    assert models == {f"sim/model-{m:02d}" for m in (*ENDS["low"], *ENDS["high"])}
    assert not (folder / LOOKS).exists()


def test_a_decided_study_has_nothing_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study(tmp_path / "s", 3)
    code, out, _ = run(capsys, folder)
    assert code == 0
    assert "the crossover is established for these models" in out
    assert "nothing has to be run" in out
    assert "biased" in out
    got = json.loads(run(capsys, folder, "--json")[1])
    assert got["decided"]
    assert got["established"]
    assert not got["to_run"]
    looks = read_looks(folder)
    assert [look["seeds"] for look in looks] == list(range(1, len(looks) + 1))
    assert looks[-1]["crossed"] == ["low", "high", "slope"]


def test_without_a_crossover_it_is_given_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, study(tmp_path / "s", 3, 0.0))
    assert "by the declared rule of futility: no crossover is established" in out


def test_runs_of_a_stopped_group_are_not_planned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study(tmp_path / "s", 1, 0.2)
    _, out, _ = run(capsys, folder)
    assert "next: the low group up to 2 seeds on all 20 tasks; 80 runs" in out
    left_out = not_planned(folder)
    assert {key.model for key in left_out} == {"sim/model-05", "sim/model-06"}
    assert {key.seed for key in left_out} == {1}  # nobody has the third seed yet: that is no hole of the grid
    assert len(left_out) == 2 * 2 * 20
    assert set(left_out.values()) == {"high group stopped by its look after 1 seed, so its rates are biased"}


@pytest.mark.parametrize(
    ("seeds", "declared", "words", "said"),
    [
        (1, False, (), "study.json declares no looks"),
        (1, True, ("--after", "4"), "--after 4: no look after 4 seeds was declared; declared are looks after 1, 2, 3"),
        (1, True, ("--after", "2"), "--after 2: that look can't be taken: next: both groups up to 2 seeds"),
    ],
)
def test_what_is_refused(
    seeds: int, declared: bool, words: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, study(tmp_path / "s", seeds, 0.12, declared), *words)
    assert code == 2
    assert said in err.splitlines()[-1]
    assert err.count("mlesearch: error") == 1


def test_runs_that_changed_after_a_look_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study(tmp_path / "s", 1, 0.2)
    run(capsys, folder)
    file = folder / "runs.parquet"
    runs = pd.read_parquet(file)
    first = runs.index[(runs["model"] == "sim/model-01") & (runs["seed"] == 0)][0]
    runs.loc[first, "gold"] = not runs.loc[first, "gold"]
    runs.to_parquet(file, index=False)
    code, _, err = run(capsys, folder)
    assert code == 2
    assert "the look after 1 seed (line 1) would come out otherwise now" in err
