"""`mlesearch show`: a study's runs, a run that is under way or failed, nodes without a program, replies."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from mlesearch.cli.main import main
from mlesearch.storage.documents import write_result
from mlesearch.storage.layout import RunKey, note_launch, open_study, study_header
from mlesearch.study.runs.fold import fold
from mlesearch.study.runs.unusable import count
from tests.support.run_story import Story

KEYS = [RunKey("m", "greedy", "base", "t", seed) for seed in range(4)]


def unusable(
    story: Story, id: int, *texts: str, finish: str = "stop", lesson: str = "it holds no program; why"
) -> None:
    """A draft whose replies could not be used."""
    usage = {"calls": 1, "input_tokens": 9, "output_tokens": 3, "cost_nusd": 1000}
    story.events.append({"type": "asked", "worker": 0, "t": id, "used": 0.0, "p": {"id": id, "op": "draft"}})
    for attempt, text in enumerate(texts):
        said = {"op": "draft", "attempt": attempt, "finish": finish, "model": "m", "text": text}
        story.events.append({"type": "reply", "id": id, "t": id, "usage": usage, **said})
    outcome: dict[str, Any] = {"op": "draft", "status": "reply_unusable", "usage": usage, "lesson": lesson}
    story.events.append({"type": "told", "id": id, "t": id, "real_us": id, "outcome": outcome})


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four runs: one that ended, one without a usable reply, one that failed, one that was not begun."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "studies" / "my study"
    open_study(folder, study_header("my study", None))
    note_launch(folder, KEYS)
    Story(folder / KEYS[0].id).step(0, "draft", 0.5).executed(0).ended(0).write(KEYS[0], result=True)
    garbage = Story(folder / KEYS[1].id)
    for id in range(9):
        unusable(garbage, id, "too long: 9000 tokens", finish="context_overflow", lesson="the prompt is longer: 9000")
    for id in range(9, 12):
        unusable(garbage, id, "I can't.", "Sorry.")
    garbage.ended(None).write(KEYS[1], result=True)
    failed = Story(folder / KEYS[2].id).step(0, "draft", 0.25)
    failed.events.append(
        {"type": "asked", "worker": 0, "t": 9, "used": 0.1, "p": {"id": 1, "op": "improve", "base": 0}}
    )
    failed.write(KEYS[2])
    write_result(folder / KEYS[2].id, {"status": "failed", "reason": "the key was refused: set A_KEY", "real_s": 1.0})
    return folder


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["show", *words]) == code
    found = capsys.readouterr()
    return found.err if code else found.out


def test_a_study_lists_its_runs_with_state_best_steps_and_cost(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, str(study)).splitlines()
    assert lines[0] == "study my study: 4 runs (2 completed, 1 failed, 1 not begun)"
    assert lines[1].split() == ["run", "state", "steps", "validation", "test", "cost"]
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:6]}
    assert rows[KEYS[0].id][:4] == ["completed", "1", "0.5", "0.5"]
    assert rows[KEYS[1].id][:4] == ["completed", "12", "none", "valid"]
    assert rows[KEYS[2].id][:2] == ["failed", "1"]
    assert rows[KEYS[3].id][:2] == ["not", "begun"]
    assert f"{KEYS[2].id}: the key was refused: set A_KEY" in lines
    assert "12 of 12 replies unusable: prompt too long × 9, holds no program × 3" in "\n".join(lines)


def test_part_of_a_study_is_listed_alone(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, str(study / "m" / "greedy")).startswith("study my study: 4 runs")
    wrong = said(capsys, str(study / "nothing"), code=2)
    assert "no run here" in wrong
    assert "mlesearch show 'studies/my study'" in wrong
    assert "studies are in: studies/my study" in said(capsys, "studies", code=2)


def test_a_failed_run_says_why_and_one_under_way_what_it_does(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = study / KEYS[2].id
    tree = said(capsys, str(run))
    assert "failed: the key was refused: set A_KEY" in tree
    assert "in flight" not in tree
    (run / "result.json").unlink()
    assert "not ended yet; in flight: 1 (improve: waiting for a reply)" in said(capsys, str(run))


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("budget", "never told: what came next fitted no more into the budget, which ended the run, after its reply"),
        ("real_time", "never told: budget.real_time_s was over, which ended the run, after its reply"),
        ("completed", "never told: the steps of the budget were spent, after its reply"),
    ],
)
def test_what_was_under_way_at_the_end_of_a_run_says_why_it_was_never_told(
    study: Path, capsys: pytest.CaptureFixture[str], status: str, why: str
) -> None:
    cut = Story(study / KEYS[3].id).step(0, "draft", 0.5).executed(0).step(1, "draft", 0.5)
    del cut.events[-1]  # it was never told
    cut.ended(0, status).write(KEYS[3])
    assert why in said(capsys, str(study / KEYS[3].id), "--node", "1")


def test_unusable_replies_are_counted_by_reason(study: Path) -> None:
    found = count(fold(study / KEYS[1].id))
    assert (found.count, found.proposals) == (12, 12)
    assert str(found) == "12 of 12 replies unusable: prompt too long × 9, holds no program × 3"


def test_the_texts_of_all_attempts_are_shown(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, str(study / KEYS[1].id), "--node", "10", "--reply")
    assert "draft, attempt 1: m, stop, 9 tokens in, 3 out, USD 0.000001\nI can't.\n" in shown
    assert "attempt 2" in shown
    assert "Sorry." in shown
    assert "reply_unusable" in said(capsys, str(study / KEYS[1].id), "--node", "10")
    assert "no reply yet" in said(capsys, str(study / KEYS[2].id), "--node", "1", "--reply")


def test_a_hint_never_leads_to_an_error(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command that an answer names, about any of the runs, works as it is pasted."""
    asked = [[str(study)], *([str(study / key.id)] for key in KEYS[:3]), [str(study / KEYS[1].id), "--node", "3"]]
    refused = [[str(study / KEYS[1].id), "--best"], [str(study / KEYS[1].id), "--node", "99"], [str(study), "--best"]]
    hints = set()
    for words in asked + refused:
        text = said(capsys, *words, code=2 if words in refused else 0)
        hints |= {line.partition("mlesearch show ")[2] for line in text.splitlines() if "mlesearch show " in line}
    assert len(hints) >= 4
    for hint in hints:
        assert main(["show", *shlex.split(hint)]) == 0, hint


def test_a_run_without_a_valid_program_says_what_became_of_its_replies(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no node is valid yet (12 of 12 replies unusable: " in said(
        capsys, str(study / KEYS[1].id), "--best", code=2
    )
    assert json.loads((study / KEYS[1].id / "result.json").read_text())["selected"] is None
