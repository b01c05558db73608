"""A whole run whose model calls are recorded, read through, and replayed with no litellm, key or server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlesearch.cli.main import main
from mlesearch.models.registry import make_model
from mlesearch.testing.openai_stub import OpenAIStub, serving
from tests.support.command import cli

RUN = ["run", "model=local", "strategy=gome", "tasks=[rentals]", "budget.steps=2", "launcher.n_jobs=1"]
RUN += ["sandbox=local"]


def _journal(study: Path) -> list[dict]:
    path = next(study.rglob("journal.jsonl"))
    return [{k: v for k, v in json.loads(line).items() if k != "real_us"} for line in path.read_text().splitlines()]


def test_a_run_over_http_replays_without_litellm_key_or_server(tmp_path: Path) -> None:
    """Programs are recorded too, so that the second run has nothing to do."""
    key = "sk-very-secret-0123456789"
    live = ["model.params.api_key_env=MY_KEY", "cassette=record", "sandbox.exec_store=record", "study.dir=first"]
    with OpenAIStub(serving(make_model("sim", "simulated", {"capability": 0.9}))) as stub:
        where = f"model.params.api_base={stub.base_url}"
        done = cli(tmp_path, *RUN, *live, where, env={"MY_KEY": key})
        assert done.returncode == 0, done.stderr
        calls = stub.calls
        again = cli(tmp_path, *RUN, *live, where, "study.dir=again", *_stores("first"), env={"MY_KEY": key})
        assert again.returncode == 0, again.stderr
        assert stub.calls == calls  # read through
        dearer = ["model.params.price={input_usd_per_mtok: 7, output_usd_per_mtok: 7}", "study.dir=dearer"]
        refused = cli(tmp_path, *RUN, *live, where, *dearer, *_stores("first"), env={"MY_KEY": key})
        assert refused.returncode == 2
        assert "the model 'local' was recorded as" in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1
        assert not (tmp_path / "dearer").exists()
    assert _journal(tmp_path / "first") == _journal(tmp_path / "again")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert key.encode() not in path.read_bytes(), path
    (tmp_path / "blocked/litellm").mkdir(parents=True)
    (tmp_path / "blocked/litellm/__init__.py").write_text("raise ImportError('litellm was imported')")
    env = {"PYTHONPATH": str(tmp_path / "blocked")}
    replay = ["model.params.api_key_env=MY_KEY", "cassette=replay", "sandbox.exec_store=replay", *_stores("first")]
    replayed = cli(tmp_path, *RUN, *replay, "study.dir=second", env=env, fresh=True)
    assert replayed.returncode == 0, replayed.stderr
    assert _journal(tmp_path / "first") == _journal(tmp_path / "second")
    other = cli(tmp_path, *RUN, *replay, "study.dir=third", "model.sampling.max_tokens=99", env=env)
    assert other.returncode == 1
    assert "parameters.max_tokens (stored 8192, asked for 99)" in other.stderr
    assert len(other.stderr.strip().splitlines()) == 1


def _stores(study: str) -> list[str]:
    return [f"cassette_path={study}/cassette.db", f"sandbox.exec_store_path={study}/executions.db"]


def test_wrong_modes_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, expected in (
        (["cassette=rewind"], "there are: live, record, replay"),
        (["cassette=replay"], "nothing is at"),
        (["cassette=record", "cassette_form=pickle"], "there are: sqlite, files"),
    ):
        assert main([*RUN, *words]) == 2
        err = capsys.readouterr().err
        assert expected in err
        assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
