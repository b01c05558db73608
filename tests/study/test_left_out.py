"""What a study leaves out by design stays out of the launch that goes on with it, unless it is asked for as such."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlesearch as ml
from mlesearch.cli.main import main
from mlesearch.storage.layout import RunKey, declared, not_planned, note_not_planned
from mlesearch.types import ConfigError

WORDS = ("clock=virtual", "model=sim_02", "strategy=random", "tasks=[rentals]", "seeds=[0,1,2]", "budget.steps=2")
WHY = "two seeds are enough for random"


def launch(folder: Path, *options: str) -> int:
    return main(["run", *options, *WORDS, f"study.dir={folder}"])


@pytest.fixture
def study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """One of three seeds was carried out; the last one was left out then."""
    folder = tmp_path / "study"
    assert main(["run", *WORDS, f"study.dir={folder}", "seeds=[0]"]) == 0
    note_not_planned(folder, [RunKey("sim_02", "random", "base", "rentals", 2)], WHY)
    capsys.readouterr()
    return folder


def seeds(folder: Path) -> list[int]:
    runs = ml.read(folder).runs
    return sorted(runs.loc[runs["status"] == "ok", "seed"].tolist())


def test_the_launch_that_goes_on_leaves_it_out_and_says_so(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # whatever has ended
        assert launch(study) == 0
        said = capsys.readouterr()
        assert f"1 of the 3 runs of this launch is left out of the study by design: {WHY}; it stays out" in said.err
        assert "--left-out" in said.err
    assert seeds(study) == [0, 1]
    launches = ml.read(study).runs.set_index("seed")["launch"]
    assert launches.dropna().to_dict() == {0: 1, 1: 2}
    assert list(not_planned(study).values()) == [WHY]
    assert "not run by design" in (study / "report.html").read_text(encoding="utf-8")


def test_asked_for_as_such_it_is_carried_out_and_part_of_the_grid(study: Path) -> None:
    assert launch(study, "--left-out") == 0
    assert seeds(study) == [0, 1, 2]
    assert not_planned(study) == {}
    assert len(declared(study)) == 3


def test_a_launch_of_nothing_else_is_refused_in_a_line(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *WORDS, f"study.dir={study}", "seeds=[2]"]) == 2
    said = capsys.readouterr().err
    assert f"1 of the 1 run of this launch is left out of the study by design: {WHY}; --left-out has it" in said
    assert len(said.strip().split("\n")) == 1


def test_looks_and_what_they_left_out_are_not_asked_for_together(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert launch(study, "--sequential", "--left-out") == 2
    said = capsys.readouterr().err
    assert "--left-out: with --sequential the looks say which runs are carried out" in said
    assert len(said.strip().split("\n")) == 1


def test_python_leaves_it_out_likewise(study: Path) -> None:
    cell = ml.settings(
        study={"dir": str(study)},
        clock="virtual",
        model="sim_02",
        strategy="random",
        tasks=["rentals"],
        seeds=[2],
        budget={"steps": 2},
    )
    with pytest.raises(ConfigError, match=r"by design: two seeds.*; left_out=True has it"):
        ml.run(cell)
    assert ml.run(cell, left_out=True).complete
    assert seeds(study) == [0, 2]
