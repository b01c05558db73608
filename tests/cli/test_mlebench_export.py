"""`mlesearch mlebench export` of runs written by hand, graded by a stand-in of MLE-bench's package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlesearch.cli.main import main
from mlesearch.storage.layout import RunKey, note_launch, open_study, study_header
from tests.support.competitions import PIZZA, SPOOKY, TAXI, StandIn, stand_in
from tests.support.run_story import Story

IDENTITY = {
    "task": {"id": "t", "version": "v", "validation": "reported"},
    "strategy": {"kind": "greedy", "params": {"drafts": 3}},
    "selection": {"rule": "revalidate", "k": 3, "splits": 2},
    "budget": {
        "steps": None,
        "time_s": 86400.0,
        "cost_usd": 5.0,
        "tokens": None,
        "real_time_s": None,
        "reserve_s": 0.0,
    },
    "workers": 2,
    "limits": {"cpu_count": 4, "memory_bytes": 32 * 2**30, "time_s": 32400.0},
    "sandbox": {"rung": "docker", "promises": ["net_off"], "weights": {"digest": "abc", "entries": []}},
    "mlebench": {"commit": "123", "versions": {"pandas": "2.3.3"}, "feedback": "valid", "unpack": "auto"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    return stand_in(tmp_path_factory.mktemp("mlebench"), [SPOOKY, TAXI])


def key(task: str, seed: int, strategy: str = "greedy") -> RunKey:
    return RunKey("m", strategy, "base", task, seed)


def run(study: Path, made: StandIn, of: RunKey, *, official: bool = True, score: float | None = None) -> Path:
    """A run that submitted the sample of its competition."""
    folder = study / of.id
    story = Story(folder).step(0, "draft", 0.5, test=score).executed(0).ended(0).write(of, result=True)
    content: dict[str, Any] = json.loads((folder / "run.json").read_text())
    identity = IDENTITY if official else {name: value for name, value in IDENTITY.items() if name != "mlebench"}
    (folder / "run.json").write_text(json.dumps({**content, "identity": identity, "mlesearch": "0.1"}))
    story.folder.joinpath("best").mkdir()
    (folder / "best/node.json").write_text('{"id": 0, "validation_score": 0.5}\n')
    (folder / "best/solution.py").write_text("pass\n")
    if official:
        sample = made.data / of.task / "prepared/public/sample_submission.csv"
        (folder / "best/submission.csv").write_bytes(sample.read_bytes())
    return folder


@pytest.fixture
def study(tmp_path: Path, made: StandIn, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two competitions, of which one has two seeds."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "studies" / "my study"
    open_study(folder, study_header("my study", None))
    keys = [key(SPOOKY, 0), key(SPOOKY, 1), key(TAXI, 0)]
    note_launch(folder, keys)
    for of in keys:
        run(folder, made, of)
    return folder


def export(study: Path, made: StandIn, *more: str) -> int:
    return main(
        ["mlebench", "export", str(study), "--to", "out", "--data", str(made.data), "--python", str(made.python), *more]
    )


def test_runs_without_a_result_are_refused_or_have_no_submission(
    study: Path, made: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(study, made) == 2
    said = capsys.readouterr().err
    assert f"my-study: 1 run without a result ({TAXI}, seed 1); launch the same command again" in said
    assert not Path("out").exists()
    assert export(study, made, "--unfinished", "null", "--name", "mine") == 1
    said = capsys.readouterr().err
    assert f"graded otherwise: mine_group1, {SPOOKY}: graded now 0.4" in said, "the score of these runs was made up"
    (path,) = Path("out/runs/mine_group2").glob("*_grading_report.json")
    reports = {r["competition_id"]: r for r in json.loads(path.read_text())["competition_reports"]}
    assert (reports[TAXI]["submission_exists"], reports[SPOOKY]["submission_exists"]) == (False, True)
    lines = [json.loads(line) for line in Path("out/runs/mine_group2/submission.jsonl").read_text().splitlines()]
    assert {line["competition_id"]: line["submission_path"] for line in lines}[TAXI] is None


def test_what_is_disclosed_is_what_was_recorded(study: Path, made: StandIn) -> None:
    export(study, made, "--unfinished", "null")
    said = Path("out/DISCLOSURE.md").read_text()
    for fact in (
        "| test signal used in search | none: whether a submission is valid, and nothing more; never a score |",
        "| selection | revalidate, by the validation score reported by the programs themselves |",
        "| network for programs | no network (held by sandbox docker: a network namespace with nothing in it) |",
        "| answers | not promised by sandbox docker |",
        "| budget of a run | 24 h charged time, 5 USD, programs of at most 9 h, 2 at a time |",
        "| pretrained weights | abc |",
        "| graders | MLE-bench 123, pandas 2.3.3 |",
        "| strategy | greedy (drafts=3) |",
    ):
        assert fact in said


def test_other_tasks_are_left_out_and_named(study: Path, made: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    run(study, made, key("rentals", 0), official=False)
    assert export(study, made, "--unfinished", "null") == 1
    assert "left out, as they are no competitions of MLE-bench: rentals" in capsys.readouterr().err
    only = study.parent / "only"
    open_study(only, study_header("only", None))
    run(only, made, key("rentals", 0), official=False)
    assert export(only, made) == 2
    assert "no run of it is on a competition of MLE-bench" in capsys.readouterr().err


def test_a_grader_that_can_not_be_run_costs_its_row(
    study: Path, made: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(2):
        folder = run(study, made, key(PIZZA, seed), official=False)
        content = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**content, "identity": IDENTITY}))
        (folder / "best/submission.csv").write_text("request_id,requester_received_pizza\n")
    assert export(study, made, "--unfinished", "null") == 1
    said = capsys.readouterr().err
    assert f"no report of {PIZZA} in my-study_group1" in said
    assert "2 reports missing; MLE-bench's script takes what is there with --pad-missing" in said
    (path,) = Path("out/runs/my-study_group1").glob("*_grading_report.json")
    assert {r["competition_id"] for r in json.loads(path.read_text())["competition_reports"]} == {SPOOKY, TAXI}


def test_a_submission_that_is_not_there_is_refused(
    study: Path, made: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    (study / key(SPOOKY, 0).id / "best/submission.csv").unlink()
    assert export(study, made, "--unfinished", "null") == 2
    assert "the submission of the selected node 0 is not here" in capsys.readouterr().err


def test_two_strategies_are_two_experiments(study: Path, made: StandIn) -> None:
    run(study, made, key(SPOOKY, 0, "gome"))
    export(study, made, "--unfinished", "null")
    table = Path("out/runs/run_group_experiments.csv").read_text().splitlines()
    assert table[1:] == [
        "my-study+m+gome+base,my-study+m+gome+base_group1",
        *(f"my-study+m+greedy+base,my-study+m+greedy+base_group{k}" for k in (1, 2)),
    ]
    assert len(list(Path("out/splits").iterdir())) == 2
