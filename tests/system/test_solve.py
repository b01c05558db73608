"""`mlesearch solve`, over a stub of a provider: killed, stopped, gone on with; and inside a stand-in of the harness."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import mlesearch.tasks.mlebench
from mlesearch.cli.main import main
from mlesearch.testing.openai_stub import OpenAIStub
from tests.support.command import MLESEARCH, alive, cli, start
from tests.support.journals import once_each
from tests.support.unanswered import GradingServer, better_and_better, prediction, write_data
from tests.support.waiting import until

START = Path(mlesearch.tasks.mlebench.__file__).parent / "agent" / "start.sh"


def words(stub: OpenAIStub, steps: int, *more: str) -> list[str]:
    """A search with so many programs."""
    return [
        *("solve", "data", "--metric", "rmse", "--time", "1h", "--steps", str(steps), "--out", "out/submission.csv"),
        *("--model", "local", "--sandbox", "local", "--strategy", "greedy", "strategy.review=false", "run.audit=off"),
        "sandbox.warm=off",  # its programs import nothing that takes long
        *(f"model.params.api_base={stub.base_url}", *more),
    ]


@contextmanager
def watched(submission: Path, sample: Path) -> Iterator[list[int]]:
    """Reads a file over and over: it is absent, or a whole, valid submission, and never a worse one than before."""
    found: list[int] = []
    wrong: list[BaseException] = []
    stop = threading.Event()

    def watch() -> None:
        seen: tuple[int, ...] = ()
        while not stop.wait(0.01):
            try:
                with suppress(FileNotFoundError):
                    status = submission.stat()
                    if (now := (status.st_ino, status.st_size, status.st_mtime_ns)) == seen:
                        continue
                    seen = now
                number = prediction(submission, sample)
                assert number is not None or not found, "it was there and is gone"
                if number is not None and (not found or found[-1] != number):
                    assert not found or number > found[-1], (found, number)
                    found.append(number)
            except BaseException as error:
                wrong.append(error)
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()
    assert not wrong, wrong[0]


@pytest.mark.parametrize(
    ("steps", "kills"),
    [(5, 2), pytest.param(14, 8, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_killed_at_random_moments_the_file_is_whole_and_the_search_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, steps: int, kills: int
) -> None:
    data = write_data(tmp_path / "data")
    out = tmp_path / "out/submission.csv"
    moments = random.Random(5)
    with OpenAIStub(better_and_better(sleep_s=0.3)) as stub, watched(out, data / "sample_submission.csv") as found:
        command = words(stub, steps)
        for kill in range(kills):
            process = start(tmp_path, *command)
            until(lambda n=kill, p=process: stub.calls > n or p.poll() is not None, 60)
            time.sleep(moments.uniform(0.0, 0.7))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert until(lambda: not alive(tmp_path), 10)
        done = cli(tmp_path, *command)
        assert done.returncode == 0, done.stderr
    assert "ungraded, validation" in done.stdout
    (run,) = (tmp_path / "out/submission-study").glob("*/*/*/*/seed-0")
    once_each(tmp_path / "out/submission-study")
    result = json.loads((run / "result.json").read_text())
    assert result["steps"] == steps
    assert result["valid"]
    assert result["ungraded"]
    assert result["score"] is None
    best = prediction(out, data / "sample_submission.csv")
    assert best == found[-1] == prediction_of(run)
    assert f",{best}\\n" in (tmp_path / "out/submission.py").read_text()
    assert sorted(path.name for path in out.parent.iterdir()) == [
        *("submission-study", "submission-task", "submission.csv", "submission.py")
    ]
    calls = stub.calls
    out.unlink()
    monkeypatch.chdir(tmp_path)
    assert main(command) == 0
    assert stub.calls == calls
    assert prediction(out, data / "sample_submission.csv") == best
    for shown in (["show", str(run), "--best"], ["show", str(run.parents[4])], ["report", str(run.parents[4])]):
        assert main(shown) == 0
        assert "ngraded" in capsys.readouterr().out, shown
    assert "Ungraded, without test answers: data" in (tmp_path / "out/submission-study/report.html").read_text()


def prediction_of(run: Path) -> int:
    """The number of the program that a run selected."""
    (line,) = [line for line in (run / "best/solution.py").read_text().splitlines() if "validation_score" in line]
    return int(line.partition("1 / (")[2].partition(" ")[0])


def test_sigterm_leaves_the_best_so_far_and_the_same_command_goes_on(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", rows=50)
    out = tmp_path / "out/submission.csv"
    with OpenAIStub(better_and_better(sleep_s=0.2)) as stub:
        command = words(stub, 4)
        process = start(tmp_path, *command)
        until(lambda: out.exists() or process.poll() is not None, 60)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert "run the same command again to go on" in err
        assert "Traceback" not in err
        assert prediction(out, data / "sample_submission.csv") is not None
        assert not alive(tmp_path)
        done = cli(tmp_path, *command)
    assert done.returncode == 0, done.stderr
    once_each(tmp_path / "out/submission-study")
    changed = cli(tmp_path, *[word if word != "4" else "5" for word in command])
    assert changed.returncode == 2
    assert changed.stderr.count("\n") == 1
    assert "budget.steps" in changed.stderr


def test_inside_the_harness_start_sh_searches_and_leaves_what_is_copied_out(tmp_path: Path) -> None:
    """A stand-in of the container: /home/data, a grading server, the three folders, and the harness's environment."""
    home = tmp_path / "home"
    data = write_data(home / "data", rows=50, sample="sampleSubmission.csv")
    folders = {f"{name.upper()}_DIR": str(home / name) for name in ("submission", "logs", "code")}

    def judge(text: str) -> str:
        if text.count("\n") != 51:
            return "Submission invalid! The attempt to grade the submission has resulted in the following error"
        return "Submission invalid! Not this one." if ",1\n" in text else "Submission is valid."

    with OpenAIStub(better_and_better("sampleSubmission.csv")) as stub, GradingServer(judge) as server:
        environment = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")} | {
            **folders,
            **{"DATA_DIR": str(data), "VALIDATE_URL": server.url, "TIME_LIMIT_SECS": "600", "STEP_LIMIT": "3"},
            **{"COMPETITION_ID": "random-acts-of-pizza", "MODEL": "local", "SANDBOX": "local", "PAUSE_S": "0"},
            **{"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        }
        settings = [
            f"model.params.api_base={stub.base_url}",
            "strategy.review=false",
            "run.audit=off",
            "sandbox.warm=off",
        ]
        done = subprocess.run(
            ["bash", START, *settings], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, done.stdout + done.stderr
        posted = len(server.seen)
    submitted = (home / "submission/submission.csv").read_text()
    assert submitted in server.seen
    assert judge(submitted) == "Submission is valid."
    assert (home / "code/solution.py").read_text() == (home / "submission/submission.py").read_text()
    (run,) = (home / "logs/mlesearch-study").glob("*/*/*/random-acts-of-pizza/seed-0")
    told = [json.loads(line) for line in (run / "validated.jsonl").read_text().splitlines()]
    assert len(told) == posted - 1  # one asked whether the server is there
    assert {line["valid"] for line in told} == {True, False}
    task = home / "logs/mlesearch-task"
    assert "metric: auc\n" in (task / "task.yaml").read_text().lower().replace("metric: auc-roc", "metric: auc")
    assert (task / "public").resolve() == data.resolve()
    assert "ungraded, validation" in (home / "logs/mlesearch.log").read_text()


def test_a_server_that_is_not_there_is_said_before_anything_is_paid_for(tmp_path: Path) -> None:
    write_data(tmp_path / "data", rows=5)
    with OpenAIStub(better_and_better()) as stub:
        done = cli(tmp_path, *words(stub, 2, "--validate", "http://127.0.0.1:9/validate"))
        assert done.returncode == 2, done.stderr
        assert "--validate: http://127.0.0.1:9/validate: no answer of a grading server" in done.stderr
        assert stub.calls == 0
    assert not (tmp_path / "out/submission.csv").exists()


def test_the_module_is_what_the_script_starts() -> None:
    assert MLESEARCH[1:] == ["-m", "mlesearch"]
    assert "python -m mlesearch solve" in START.read_text()
