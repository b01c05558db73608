"""A run of a live model says what it is doing, while it does it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from mlesearch.storage.under_way import UNDER_WAY, PieceOfWork, calls_line, read_under_way, write_under_way
from mlesearch.study.monitoring import waiting
from mlesearch.study.monitoring.waiting import CallsUnderWay, NotesOnce, notes_of
from mlesearch.testing.openai_stub import Answer, OpenAIStub
from tests.support import live_run


def test_calls_under_way_are_said_while_they_are(tmp_path: Path) -> None:
    seen: list[tuple[PieceOfWork, ...]] = []

    def reply(_body: Mapping[str, Any]) -> Answer:
        seen.append(read_under_way(tmp_path))
        return Answer("A plan.\n\n```python\nNUMBER = 1\n```\n", 400, 20)

    began_s = time.time()
    with OpenAIStub(reply) as stub:
        live_run.run(tmp_path, stub, steps=2, durable=True)
    assert [[(p.worker, p.proposal, p.kind, p.limit_s) for p in pieces] for pieces in seen] == [
        [(0, 0, "call", 20.0)],
        [(0, 1, "call", 20.0)],
    ]
    assert all(began_s <= p.begun_s <= time.time() for pieces in seen for p in pieces)
    assert not (tmp_path / UNDER_WAY).exists()


def test_a_run_that_costs_nothing_writes_no_such_file(tmp_path: Path) -> None:
    with OpenAIStub(live_run.programs()) as stub:
        stub.reply = lambda body: live_run.programs()(body) if not read_under_way(tmp_path) else Answer("none")
        live_run.run(tmp_path, stub, steps=1)
    assert [e["type"] for e in live_run.events(tmp_path)][-1] == "ended"


def test_the_line_names_how_long_and_the_setting(tmp_path: Path) -> None:
    assert calls_line([tmp_path], 0.0) == ""
    pieces = [
        PieceOfWork(0, 0, "call", 100.0, 600.0),
        PieceOfWork(1, 1, "call", 50.0, 600.0),
        PieceOfWork(2, 2, "program", 1.0, 60.0),
    ]
    write_under_way(tmp_path, pieces)
    line = calls_line([tmp_path], 362.0)
    assert line == "2 calls under way, the longest for 312 s of at most 600 s (model.call_timeout_s)"
    (tmp_path / UNDER_WAY).write_text('[{"worker": 1')
    assert read_under_way(tmp_path) == ()


def test_it_is_written_in_place_whatever_was_there(tmp_path: Path) -> None:
    pieces = [PieceOfWork(worker, 10**worker, "call", 100.0, 600.0) for worker in range(3)]
    path = tmp_path / UNDER_WAY
    path.write_text("[{" * 1000)  # of a process that was killed, longer than what follows
    file = path.stat().st_ino
    for some in (pieces, pieces[:1], pieces[1:], []):
        write_under_way(tmp_path, some)
        assert read_under_way(tmp_path) == tuple(some)
    assert path.stat().st_ino == file
    assert [p.name for p in tmp_path.iterdir()] == [UNDER_WAY]


def test_progress_shows_it_beside_the_bar_and_as_a_line_elsewhere(
    tmp_path: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write_under_way(tmp_path, [PieceOfWork(0, 0, "call", time.time() - 100, 600.0)])
    monkeypatch.setattr(waiting, "EVERY_S", 0.0)
    terminal = Console(force_terminal=True)
    bars = Progress(console=terminal)
    task = bars.add_task("runs", total=1)
    CallsUnderWay(lambda: [tmp_path]).say(bars, task, terminal)
    assert "1 call under way, the longest for 100 s" in bars.tasks[0].description
    CallsUnderWay(lambda: [tmp_path]).say(bars, task, Console(force_terminal=False))
    assert capsys.readouterr().out.startswith("1 call under way, the longest for 100 s of at most 600 s")


def test_what_is_odd_about_answers_is_one_warning_a_kind(tmp_path: Path) -> None:
    reports = iter(range(30, 60))
    with OpenAIStub(lambda body: Answer(live_run.programs()(body).text, next(reports), 20)) as stub:
        live_run.run(tmp_path, stub, steps=3)
    found = list(notes_of(live_run.events(tmp_path)))
    assert len(found) == len(set(found)) == 3
    once = NotesOnce()
    (line,) = once.new("m/greedy/base/toy/seed-0", found)
    assert line.startswith("warning: m/greedy/base/toy/seed-0: the server reports 30 tokens for a prompt of about")
    assert found == []
    assert list(once.new("another", ["the server reports 7 tokens for a prompt of about 9"])) != []
    assert list(once.new("another", ["the server reports 8 tokens for a prompt of about 10"])) == []
