"""Whole runs on competitions of MLE-bench, with a stand-in of its package: official grades, kills, data gone."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from mlesearch.cli.main import main
from mlesearch.storage.documents import finished_row, read_grades, read_official, read_run
from mlesearch.storage.imported import read_imported
from mlesearch.storage.journal import read
from mlesearch.storage.layout import run_folders
from mlesearch.testing.openai_stub import OpenAIStub
from tests.support.command import cli, start
from tests.support.competitions import FOUR, SPOOKY, StandIn, stand_in
from tests.support.journals import once_each
from tests.support.sample_programs import programs
from tests.support.waiting import until


def words(made: StandIn, stub: OpenAIStub, *more: str) -> list[str]:
    return [
        *("run", "model=local", "strategy=greedy", "strategy.review=false", "run.audit=off", "sandbox=local"),
        "sandbox.warm=off",  # its programs import nothing that takes long
        *(f"model.params.api_base={stub.base_url}", "launcher.n_jobs=1", "budget.steps=3"),
        *("cassette=record", "sandbox.exec_store=record", "study.name=s"),
        *made.settings(*more),
    ]


def at_work(made: StandIn) -> list[int]:
    """Processes of the stand-in's interpreter."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                if str(made.python).encode() in (place / "cmdline").read_bytes():
                    found.append(int(place.name))
            except OSError:
                continue
    return found


def test_four_competitions_killed_resumed_and_read_with_the_data_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = stand_in(tmp_path / "mlebench")
    monkeypatch.chdir(tmp_path)
    with OpenAIStub(programs()) as stub:
        command = words(made, stub, f"tasks=[{','.join(f'mlebench:{name}' for name in FOUR)}]")
        killed = start(tmp_path, *command)
        assert until(lambda: stub.calls >= 5, 120)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert until(lambda: not at_work(made), 10), "no grader outlives its run"
        assert main(command) == 0, capsys.readouterr().err
    assert not at_work(made)
    study = tmp_path / "studies/s"
    runs = {read_run(folder)["key"]["task"]: folder for folder in run_folders(study)}
    assert sorted(runs) == sorted(FOUR)
    once_each(study)
    for name, folder in runs.items():
        _check_grades(name, folder)
    report = (study / "report.html").read_text()
    _check_export(study, tmp_path / "out", made, runs)
    capsys.readouterr()

    shutil.rmtree(made.data)
    shutil.rmtree(made.python.parents[1])
    for folder in runs.values():
        assert main(["verify", str(folder)]) == 0
        assert main(["show", str(folder), "--best"]) == 0
    assert main(["show", str(study)]) == 0
    assert main(["report", str(study)]) == 0
    assert (study / "report.html").read_text() == report
    assert main(["cassette", "verify", str(study)]) == 0
    assert main(["replay", str(study)]) == 0
    assert "4 of 4 runs came out the same" in capsys.readouterr().out
    assert main(["mlebench", "export", str(study), "--to", str(tmp_path / "out"), "--python", str(made.python)]) == 2
    assert "is no program" in capsys.readouterr().err
    for name, folder in runs.items():
        again = tmp_path / "studies/s-replay" / folder.relative_to(study)
        assert read_grades(again) == read_grades(folder), name
    taken = ["mlebench", "import", str(tmp_path / "out/runs"), "--into", str(study), "--strategy", "published"]
    assert main(taken) == 0
    exported = tmp_path / "s.zip"
    assert main(["cassette", "export", str(study), str(exported)]) == 0
    assert main(["cassette", "import", str(exported), str(tmp_path / "imported")]) == 0
    assert read_imported(tmp_path / "imported") == read_imported(study) != []
    assert main(["replay", str(tmp_path / "imported")]) == 0
    assert "4 of 4 runs came out the same" in capsys.readouterr().out


def _check_export(study: Path, out: Path, made: StandIn, runs: dict[str, Path]) -> None:
    """One group, each competition graded as it was in its run; a report of what was recorded."""
    words = ["--data", str(made.data), "--python", str(made.python)]
    assert main(["mlebench", "export", str(study), "--to", str(out), *words]) == 0
    lines = [json.loads(text) for text in (out / "runs/s_group1/submission.jsonl").read_text().splitlines()]
    assert [line["competition_id"] for line in lines] == sorted(FOUR)
    (path,) = (out / "runs/s_group1").glob("*_grading_report.json")
    for line, report in zip(lines, json.loads(path.read_text())["competition_reports"], strict=True):
        folder = runs[line["competition_id"]]
        row = finished_row(folder)
        assert row is not None
        assert (report["score"], report["gold_medal"], report["valid_submission"]) == (row["score"], row["gold"], True)
        assert (out / line["submission_path"]).read_bytes() == (folder / "best/submission.csv").read_bytes()
        assert (out / line["code_path"]).read_bytes() == (folder / "best/solution.py").read_bytes()
    said = (out / "DISCLOSURE.md").read_text()
    for fact in (
        "test signal used in search | none: whether a submission is valid, and the grader's message",
        "selection | best_validation, by the validation score reported by the programs themselves",
        "network for programs | no network (held by sandbox local",
        "hours of the longest run | 0.00 charged",
        "boards | table",
    ):
        assert fact in said
    facts = json.loads((out / "s.json").read_text())
    assert facts["seeds"] == {"0": "s_group1"}
    assert facts["disclosure"]["runs"] == len(FOUR)
    assert (out / "splits/s.txt").read_text().split() == sorted(FOUR)


def _check_grades(name: str, folder: Path) -> None:
    """Every valid node has the grade of an official report, and of invalid ones the search knows the message."""
    told = [e for e in read(folder / "journal.jsonl")[1] if e["type"] == "told"]
    grades, reports = read_grades(folder), read_official(folder)
    valid = {e["id"] for e in told if e["outcome"]["status"] == "ok"}
    assert len(told) == 3, name
    assert set(grades) == valid, name
    assert len(valid) == 2, name
    assert {g["score"] for g in grades.values()} <= {r["report"]["score"] for r in reports.values()}
    for grade in grades.values():
        assert grade["valid"]
        assert grade["score"] is not None
    (invalid,) = [e for e in told if e["id"] not in valid]
    assert "problem" in invalid
    assert "expected the columns" in invalid["problem"]
    assert {r["board"] for r in reports.values()} == {"table"}


def test_the_search_sees_no_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that every valid submission is graded with is in the grades, and nowhere that a search can look."""
    secret = 0.73158
    made = stand_in(tmp_path / "mlebench", [SPOOKY], secret=secret)
    monkeypatch.chdir(tmp_path)
    spy = """
print(dict(os.environ), sorted(os.listdir("input")), os.getcwd())
for place in ("/proc/self/mounts", "/proc/self/maps", "/proc/self/cmdline"):
    try:
        print(open(place).read())
    except OSError as error:
        print(place, error.strerror)
"""
    with OpenAIStub(programs(spy)) as stub:
        done = cli(tmp_path, *words(made, stub, f"tasks=[mlebench:{SPOOKY}]", "strategy.review=true"))
        assert done.returncode == 0, done.stderr
        prompts = "\n".join(json.dumps(seen.body) for seen in stub.seen)
    (folder,) = run_folders(tmp_path / "studies/s")
    assert {grade["score"] for grade in read_grades(folder).values()} == {secret}
    holding = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and str(secret).encode() in path.read_bytes()
    }
    assert holding == {"grades.jsonl", "official.jsonl", "result.json"}
    assert str(secret) not in prompts
    assert "MLESEARCH_MLEBENCH" not in prompts
    for text in (prompts, (folder / "journal.jsonl").read_text()):
        assert str(made.data / SPOOKY / "prepared" / "private") not in text
        assert str(made.python) not in text
    assert "'HOME'" in prompts, "the program's own output was looked at"


def test_a_grader_that_fails_stops_the_run_and_the_same_command_goes_on(tmp_path: Path) -> None:
    made = stand_in(tmp_path / "mlebench", [SPOOKY])
    grader, fails = made.package / "mean_error.py", tmp_path / "fails"
    dies = f"import os; os.path.exists({str(fails)!r}) and os._exit(3); total = 0.0"
    grader.write_text(grader.read_text().replace("total = 0.0", dies))
    with OpenAIStub(programs()) as stub:
        command = words(made, stub, f"tasks=[mlebench:{SPOOKY}]", "budget.steps=2", "launcher.retries=0")
        fails.touch()
        refused = cli(tmp_path, *command)
        assert refused.returncode == 1
        assert stub.calls == 0, "the preflight asks the grader before anything is paid for"
        fails.unlink()
        assert cli(tmp_path, *command, "--check").returncode == 0
        fails.touch()
        failed = cli(tmp_path, *command)
        assert failed.returncode == 1
        for done in (refused, failed):
            assert "no submission is to blame" in done.stderr
            assert "Traceback" not in done.stderr
        fails.unlink()
        paid = stub.calls
        assert paid > 0
        went_on = cli(tmp_path, *command)
        assert went_on.returncode == 0, went_on.stderr
        assert stub.calls == paid + 1, "the call that was answered is not made again"
    (folder,) = run_folders(tmp_path / "studies/s")
    assert [e["outcome"]["status"] for e in read(folder / "journal.jsonl")[1] if e["type"] == "told"] == ["ok", "ok"]
