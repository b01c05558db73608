"""A run whose executions are recorded, replayed with nothing executed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlesearch.cli.main import main
from mlesearch.sandbox.inside import landlock
from mlesearch.storage.events import without_durations

RUN = ["run", "model=sim_05", "strategy=gome", "tasks=[rentals]", "seeds=[0]", "budget.steps=4", "sandbox=local"]


def _events(study: Path) -> list[object]:
    folder = next(study.rglob("run.json")).parent
    lines = (folder / "journal.jsonl").read_text().splitlines()
    return [without_durations(json.loads(line)) for line in lines]


def _durations(study: Path) -> list[int]:
    folder = next(study.rglob("run.json")).parent
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [e["result"]["wall_us"] for e in lines if e.get("type") == "executed"]


@pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")
def test_a_run_replays_with_nothing_executed(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    how = f"sandbox.exec_store_form={form}"
    assert main([*RUN, "study.dir=first", "sandbox.exec_store=record", how]) == 0
    store = tmp_path / "first" / ("executions.db" if form == "sqlite" else "executions")
    assert store.exists()

    def never(*a: object, **k: object) -> None:
        raise AssertionError("something was executed")

    monkeypatch.setattr("mlesearch.config.parts.sandboxes.SandboxRequest.open", never)
    monkeypatch.setattr("mlesearch.sandbox.ladder.make", never)
    monkeypatch.setattr("mlesearch.sandbox.ladder.probe", never)
    monkeypatch.setattr("mlesearch.sandbox.rungs.local.LocalSandbox.run", never)
    where = f"sandbox.exec_store_path={store}"
    assert main([*RUN, "study.dir=second", "sandbox.exec_store=replay", where, how]) == 0
    assert _events(tmp_path / "first") == _events(tmp_path / "second")
    assert _durations(tmp_path / "first") == _durations(tmp_path / "second")
    first, second = (json.loads(next((tmp_path / n).rglob("run.json")).read_text()) for n in ("first", "second"))
    assert first["digest"] == second["digest"]
    capsys.readouterr()
    other = [a if not a.startswith("seeds") else "seeds=[1]" for a in RUN]
    assert main([*other, "study.dir=third", "sandbox.exec_store=replay", where, how]) == 1
    assert "the nearest stored key is" in capsys.readouterr().err
    assert main([*RUN, "study.dir=fourth", "sandbox.exec_store=replay", "sandbox.exec_store_path=none"]) == 2
    assert "nothing is at" in capsys.readouterr().err
    assert main([*RUN, "study.dir=fourth", "sandbox.exec_store=rewind"]) == 2
    assert "there are: off, record, replay" in capsys.readouterr().err
