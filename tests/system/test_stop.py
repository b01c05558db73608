"""Ctrl-C and SIGTERM with a long program running: what is paid for is kept, what ran runs again, and counts once."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from mlesearch.storage.journal import JournalError, read
from mlesearch.testing.openai_stub import OpenAIStub
from tests.support.command import alive, cli, finish, start
from tests.support.journals import once_each
from tests.support.waiting import until

LONG_S = 6.0
PROGRAM = f"A plan.\n\n```python\nimport time\ntime.sleep({LONG_S})\n```\n"
SHORT = "A plan.\n\n```python\nprint('short')\n```\n"
TERM, INT = signal.SIGTERM, signal.SIGINT


def _words(stub: OpenAIStub, jobs: int, workers: int) -> list[str]:
    return [
        *("run", "model=local", "strategy=random", "strategy.review=false", "tasks=[rentals]", "seeds=[0,1]"),
        *("budget.steps=1", f"run.workers={workers}", f"launcher.n_jobs={jobs}", "cassette=record"),
        *("sandbox=local", "sandbox.warm=off", f"model.params.api_base={stub.base_url}"),
    ]


def _events(folder: Path, kind: str) -> list[dict]:
    paths = folder.glob("studies/main/*/*/*/*/seed-*/journal.jsonl")
    return [e for p in sorted(paths) for e in read(p)[1] if e["type"] == kind]


def _wait_for_program(folder: Path, count: int) -> None:
    """Until so many replies are journaled, and a little longer, so that their programs run."""

    def replied() -> bool:
        try:
            return len(_events(folder, "reply")) >= count
        except JournalError:  # it has no first line yet
            return False

    assert until(replied, 120)
    time.sleep(1.5)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("signals", "jobs", "workers"),
    [
        pytest.param((INT, INT), 1, 1, id="Ctrl-C twice"),
        pytest.param((TERM,), 1, 2, id="SIGTERM, threads", marks=pytest.mark.slow),
        pytest.param((TERM,), 2, 1, id="SIGTERM, processes", marks=pytest.mark.slow),
        pytest.param((INT, INT), 2, 1, id="Ctrl-C twice, processes", marks=pytest.mark.slow),
    ],
)
def test_a_long_program_is_stopped_and_runs_again(
    signals: tuple[signal.Signals, ...], jobs: int, workers: int, tmp_path: Path
) -> None:
    with OpenAIStub(lambda _body: PROGRAM if stub.calls <= jobs else SHORT) as stub:
        words = [*_words(stub, jobs, workers), "launcher.grace_s=0"]
        process = start(tmp_path, *words)
        try:
            _wait_for_program(tmp_path, jobs)
            began = time.monotonic()
            for signum in signals:
                os.killpg(process.pid, signum) if signum is INT else process.send_signal(signum)
                time.sleep(0.5)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        took_s = time.monotonic() - began
        assert process.returncode == 130, err
        assert "Traceback" not in err
        assert until(lambda: not alive(tmp_path), 15)
        assert took_s < 60  # joined, not waited for by a limit of the test
        assert _events(tmp_path, "executed") == []
        replies = len(_events(tmp_path, "reply"))
        assert replies == jobs == stub.calls
        finish(tmp_path, *words)
        assert stub.calls == 2  # the paid replies were kept
    once_each(tmp_path / "studies/main")
    executed = _events(tmp_path, "executed")
    assert len(executed) == 2
    for result in (tmp_path / "studies/main").rglob("result.json"):
        row = json.loads(result.read_text())
        if int(result.parent.name.removeprefix("seed-")) < jobs:
            assert LONG_S <= row["program_s"] < 2 * LONG_S  # charged once
        assert row["charged_s"] == pytest.approx(row["program_s"] + _service_s(result.parent), abs=1e-5)


def _service_s(folder: Path) -> float:
    return (
        sum(e["usage"].get("service_us", 0) for e in read(folder / "journal.jsonl")[1] if "usage" in e and "op" in e)
        / 1e6
    )


def test_ctrl_c_once_lets_what_is_in_flight_finish(tmp_path: Path) -> None:
    with OpenAIStub(PROGRAM) as stub:
        words = _words(stub, 1, 1)
        process = start(tmp_path, *words)
        try:
            _wait_for_program(tmp_path, 1)
            process.send_signal(INT)
            _, err = process.communicate(timeout=120)
        finally:
            process.kill()
        assert process.returncode == 130, err
        assert "the proposals in flight finish first" in err
        assert len(_events(tmp_path, "executed")) == len(_events(tmp_path, "told")) == stub.calls == 1
        assert _events(tmp_path, "ended") == []


WHILE_PLANNED = ["run", "strategy=late", "model=sim_05", "tasks=[rentals]", "seeds=[0]", "sandbox=local"]


def _plugin(folder: Path, code: str) -> dict[str, str]:
    """What has a strategy's module run code when it is imported, which is while a launch is planned."""
    info = folder / "installed/late-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[mlesearch.optimizers]\nlate = late:make\n", encoding="utf-8")
    (folder / "installed/late.py").write_text(code, encoding="utf-8")
    return {"PYTHONPATH": str(folder / "installed")}


def test_ctrl_c_where_code_is_made_from_text_ends_with_the_same_exit_code(tmp_path: Path) -> None:
    """As in the middle of an import that makes classes: the interpreter would end by the signal itself."""
    env = _plugin(tmp_path, "exec('raise KeyboardInterrupt')\n")
    done = cli(tmp_path, *WHILE_PLANNED, env=env, fresh=True)
    assert "interrupted; run the same command again to go on" in done.stderr
    assert done.returncode == 130, done.stderr


WAITS = "import pathlib, time\npathlib.Path('here').touch()\ntime.sleep(300)\n"
WAITS_AT_THE_END = f"import atexit\natexit.register(lambda: exec({WAITS!r}))\nraise KeyboardInterrupt\n"
INTERRUPTED = "mlesearch: interrupted; run the same command again to go on\n"


@pytest.mark.parametrize(
    ("code", "signum", "ends", "says"),
    [
        (WAITS, TERM, -TERM, "mlesearch: ended by SIGTERM; run the same command again to go on\n"),
        (WAITS, INT, 130, INTERRUPTED),
        (WAITS_AT_THE_END, INT, 130, INTERRUPTED),
    ],
    ids=["SIGTERM while it is planned", "Ctrl-C while it is planned", "Ctrl-C while the interpreter ends"],
)
def test_what_ends_a_launch_that_carries_nothing_out_is_one_line(
    tmp_path: Path, code: str, signum: signal.Signals, ends: int, says: str
) -> None:
    process = start(tmp_path, *WHILE_PLANNED, env=_plugin(tmp_path, code), fresh=True)
    try:
        assert until((tmp_path / "here").exists, 120)
        process.send_signal(signum)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, err) == (ends, says)
    assert not (tmp_path / "studies").exists()
