"""Whole runs scored on a held-out set, with a stand-in of MLE-bench's package: kills, full data, fall-backs."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlesearch.cli.main import main
from mlesearch.storage.documents import finished_row, read_grades, read_official, read_official_validation, read_run
from mlesearch.storage.files import read_lines
from mlesearch.storage.layout import run_folders
from mlesearch.testing.openai_stub import Answer, OpenAIStub
from tests.support.command import start
from tests.support.competitions import FOUR, ROWS, SPOOKY, TAXI, StandIn, stand_in
from tests.support.journals import events, once_each
from tests.support.waiting import until
from tests.support.whole_competitions import rows_of

HELD_OUT = ROWS // 3
PROGRAM = """
import csv, glob
(sample,) = [path for path in glob.glob("input/*.csv") if "ubmission" in path]
with open(sample, newline="") as file:
    rows = list(csv.reader(file))
(train,) = [path for path in glob.glob("input/*") if path[6:] in ("train.csv", "labels.csv", "train.json")]
text = open(train).read()
labelled = text.count("request_id") if train.endswith("json") else text.count("\\n") - 1
number = {number}
{more}
for row in rows[1:]:
    row[-1] = str((labelled + number / 100) / 1000)
with open("submission.csv", "w", newline="") as file:
    csv.writer(file).writerows(rows)
"""
"""Submits the number of labelled rows that it saw, and its own number, in every cell of the last column."""


def numbered(more: str = "") -> Callable[[Mapping[str, Any]], Answer]:
    """Replies with another program each time."""
    count = iter(range(1, 100))

    def reply(body: Mapping[str, Any]) -> Answer:
        code = PROGRAM.format(number=next(count), more=more)
        size = len(json.dumps(body["messages"]))
        return Answer(f"A plan.\n\n```python\n{code}\n```\n", size // 4, len(code) // 4)

    return reply


def words(made: StandIn, stub: OpenAIStub, *more: str) -> list[str]:
    return [
        *("run", "model=local", "strategy=greedy", "strategy.review=false", "sandbox=local", "study.name=s"),
        "sandbox.warm=off",  # its programs import nothing that takes long
        *(f"model.params.api_base={stub.base_url}", "launcher.n_jobs=1", "budget.steps=3"),
        *("cassette=record", "sandbox.exec_store=record", "mlebench.validation=twice"),
        *made.settings(*more),
    ]


def submitted(path: Path) -> tuple[int, int]:
    """How many labelled rows the program of a submission saw, and its number."""
    (cell,) = {list(row.values())[-1] for row in rows_of(path)}
    labelled, number = re.fullmatch(r"(\d+)\.?(\d*)", f"{float(cell) * 1000:.2f}").groups()
    return int(labelled), int(number)


def test_four_competitions_killed_resumed_and_read_with_the_data_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = stand_in(tmp_path / "mlebench", splits=True)
    monkeypatch.chdir(tmp_path)
    study = tmp_path / "studies/s"
    with OpenAIStub(numbered()) as stub:
        command = words(made, stub, f"tasks=[{','.join(f'mlebench:{name}' for name in FOUR)}]")
        assert main([*command, "--check"]) == 0
        said = capsys.readouterr()
        assert said.err.count("making its validation split, once") == len(FOUR), said.err
        assert stub.calls == 0
        killed = start(tmp_path, *command)
        assert until(lambda: _closes(study), 120), "killed at a run on the full data"
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert not all(finished_row(folder) for folder in run_folders(study))
        assert main(command) == 0, capsys.readouterr().err
        assert "making" not in capsys.readouterr().err
    runs = {read_run(folder)["key"]["task"]: folder for folder in run_folders(study)}
    assert sorted(runs) == sorted(FOUR)
    once_each(study)
    for folder in runs.values():
        _check_run(folder)
    report = (study / "report.html").read_text()

    shutil.rmtree(made.data)
    shutil.rmtree(made.python.parents[1])
    for folder in runs.values():
        assert main(["verify", str(folder)]) == 0
        assert main(["show", str(folder)]) == 0
        assert "all of the data: node" in capsys.readouterr().out
    assert main(["report", str(study)]) == 0
    assert (study / "report.html").read_text() == report
    assert main(["cassette", "verify", str(study)]) == 0
    assert main(["replay", str(study)]) == 0
    assert "4 of 4 runs came out the same" in capsys.readouterr().out
    for folder in runs.values():
        again = tmp_path / "studies/s-replay" / folder.relative_to(study)
        assert read_grades(again) == read_grades(folder)


def _closes(study: Path) -> bool:
    """Whether a run's search is over, so that its run on the full data begins."""
    return any('"closing"' in journal.read_text(encoding="utf-8") for journal in study.glob("*/*/*/*/*/journal.jsonl"))


def _check_run(folder: Path) -> None:
    """The grader scored each program on the held-out rows; the chosen one was run again on all of the data."""
    identity = read_run(folder)["identity"]
    assert identity["mlebench"]["validation"] == "twice"
    assert identity["task"]["validation"] == "harness"
    told = [e["outcome"] for e in events(folder, "told")]
    assert [o["status"] for o in told] == ["ok"] * 3
    validation = read_official_validation(folder, 0)
    assert {o["score"] for o in told} == {line["report"]["score"] for line in validation.values()}
    (full,), (ended,) = events(folder, "full_run"), events(folder, "ended")
    assert full["id"] == ended["selected"]
    assert "problem" not in full
    grades, official = read_grades(folder), read_official(folder)
    assert set(grades) == {full["id"]}, "no program of the search has a test grade"
    assert [line["report"]["score"] for line in official.values()] == [grades[full["id"]]["score"]]
    row = finished_row(folder)
    assert row is not None
    assert row["valid"]
    assert (row["score"], row["n_executions"], row["validation"]) == (grades[full["id"]]["score"], 4, "harness")
    labelled, number = submitted(folder / "best/submission.csv")
    assert labelled == ROWS, "on all of the labelled rows"
    assert f"number = {number}\n" in (folder / "best/solution.py").read_text()
    assert len(rows_of(folder / "best/submission.csv")) == ROWS, "the rows of the real test set"


def test_the_search_itself_saw_the_labelled_rows_that_were_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no program of it can read the full data, though it knows where they are."""
    made = stand_in(tmp_path / "mlebench", [SPOOKY], splits=True)
    monkeypatch.chdir(tmp_path)
    spy = f"""
print("labelled", labelled, "of", len(rows) - 1)
try:
    print(open({str(made.data / SPOOKY / "prepared/public/train.csv")!r}).read())
except OSError as error:
    print("unreadable:", error.strerror)
"""
    with OpenAIStub(numbered(spy)) as stub:
        assert main(words(made, stub, f"tasks=[mlebench:{SPOOKY}]", "run.keep_submissions=all")) == 0
        prompts = "\n".join(json.dumps(seen.body) for seen in stub.seen)
    (folder,) = run_folders(tmp_path / "studies/s")
    for id in range(3):
        (output,) = (e["output"]["stdout"]["head"] for e in events(folder, "executed") if e["id"] == id)
        assert f"labelled {ROWS - HELD_OUT} of {HELD_OUT}" in output
        assert "unreadable:" in output
        assert submitted(folder / f"submissions/{id}/submission.csv")[0] == ROWS - HELD_OUT
    assert "runs once more, unchanged, on all the labelled rows" in prompts
    assert "validation_score" not in prompts
    for hidden in ("prepared/private", "mlesearch/twice-", str(made.python)):
        assert hidden not in prompts


def test_a_failing_run_on_the_full_data_gives_its_place_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best program can't take the full data, the second submits too little there, the third is submitted."""
    made = stand_in(tmp_path / "mlebench", [TAXI], splits=True)
    monkeypatch.chdir(tmp_path)
    fails = f"""
if labelled == {ROWS} and number == 3:
    raise ValueError("more rows than I was told of")
if labelled == {ROWS} and number == 2:
    rows = rows[:-1]
"""
    with OpenAIStub(numbered(fails)) as stub:
        assert main(words(made, stub, f"tasks=[mlebench:{TAXI}]")) == 0
    (folder,) = run_folders(tmp_path / "studies/s")
    scores = {e["id"]: e["outcome"]["score"] for e in events(folder, "told")}
    order = sorted(scores, key=lambda id: (scores[id], id))
    assert events(folder, "closing")[0]["candidates"] == order
    full = events(folder, "full_run")
    assert [e["id"] for e in full] == order
    assert "more rows than I was told of" in full[0]["problem"]
    assert "each key once" in full[1]["problem"]
    assert "problem" not in full[2]
    assert events(folder, "ended")[0]["selected"] == order[2]
    assert set(read_grades(folder)) == {order[2]}
    assert submitted(folder / "best/submission.csv") == (ROWS, 1)


def test_with_no_runner_up_that_works_nothing_is_submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(tmp_path / "mlebench", [TAXI], splits=True)
    monkeypatch.chdir(tmp_path)
    with OpenAIStub(numbered(f"assert labelled < {ROWS}")) as stub:
        assert main(words(made, stub, f"tasks=[mlebench:{TAXI}]", "run.revalidate_k=1")) == 0
    (folder,) = run_folders(tmp_path / "studies/s")
    assert len(events(folder, "full_run")) == 2, "the chosen one, and one runner-up"
    row = finished_row(folder)
    assert row is not None
    assert (row["status"], row["valid"], row["selected"], row["score"]) == ("ok", False, None, None)
    assert not (folder / "best/submission.csv").exists()


def test_revalidate_runs_candidates_on_fresh_splits_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = stand_in(tmp_path / "mlebench", [TAXI], splits=True)
    monkeypatch.chdir(tmp_path)
    with OpenAIStub(numbered()) as stub:
        more = ("run.selection=revalidate", "run.revalidate_k=2", "budget.time_s=600", "budget.reserve_s=60")
        assert main(words(made, stub, f"tasks=[mlebench:{TAXI}]", *more)) == 0, capsys.readouterr().err
    (folder,) = run_folders(tmp_path / "studies/s")
    candidates, reruns = events(folder, "closing")[0]["candidates"], events(folder, "revalidated")
    assert [(e["split"], e["id"]) for e in reruns] == [(split, id) for split in (1, 2) for id in candidates]
    lines = list(read_lines(folder / "official_validation.jsonl"))
    assert {line.get("split", 0) for line in lines} == {0, 1, 2}
    for e in reruns:
        assert e["score"] in {line["report"]["score"] for line in lines if line.get("split") == e["split"]}
    (full,) = events(folder, "full_run")
    sums = {id: sum(e["score"] for e in reruns if e["id"] == id) for id in candidates}
    assert full["id"] == min(sums, key=lambda id: sums[id])
    shutil.rmtree(made.data)
    assert main(["cassette", "export", "studies/s", "s.zip"]) == 0
    assert main(["cassette", "import", "s.zip", "imported"]) == 0
    for study in ("studies/s", "imported"):
        assert main(["replay", study]) == 0
        assert "1 of 1 run came out the same" in capsys.readouterr().out


def test_what_is_refused_and_what_is_said_before_a_launch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = stand_in(tmp_path / "mlebench", [SPOOKY], splits=True)
    monkeypatch.chdir(tmp_path)
    with OpenAIStub(numbered()) as stub:
        command = [*words(made, stub, f"tasks=[mlebench:{SPOOKY}]"), "--check"]
        assert main([*command, "budget.time_s=100"]) == 2
        assert "budget.reserve_s: 0; with mlebench.validation=twice" in capsys.readouterr().err
        assert main([*command, "budget.time_s=100", "budget.reserve_s=20"]) == 0
        capsys.readouterr()
        assert main([*command, "mlebench.validation=twise"]) == 2
        assert "mlebench.validation: 'twise' (did you mean 'twice'?)" in capsys.readouterr().err
