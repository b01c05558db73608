"""`mlesearch models list | check` in processes."""

from __future__ import annotations

from pathlib import Path

from mlesearch.cli.catalogue import model_rows
from mlesearch.config.loading import compose
from mlesearch.config.settings import ModelSettings
from mlesearch.testing.openai_stub import OpenAIStub
from tests.support.command import cli


def test_the_list_needs_no_key_and_names_them_all(tmp_path: Path) -> None:
    done = cli(tmp_path, "models", "list")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["name", "kind", "tier"]
    assert [line.split()[0] for line in lines[1:]] == [m.name for m in compose.models()]
    by_name = {row["name"]: row for row in model_rows(compose.models())}
    assert by_name["gpt-6-luna"]["USD/M in"] == "0.1"
    assert by_name["gpt-6-luna"]["USD/M cache write"] == "0.125"
    assert by_name["gpt-5"]["USD/M cache write"] == "-"
    assert by_name["local"]["USD/M out"] == "free"
    assert by_name["sim_03"]["capability"] == "0.3"
    bare = ModelSettings("x", "litellm", params={"model": "openai/x"})
    assert model_rows([bare])[0]["USD/M in"] == "unknown"


def test_the_command_checks_one_by_name_and_overrides(tmp_path: Path) -> None:
    with OpenAIStub("ready") as stub:
        url = f"model.params.api_base={stub.base_url}"
        done = cli(tmp_path, "models", "check", "local", url)
        assert done.returncode == 0, done.stderr
        assert stub.calls == 1
    assert done.stdout.startswith("local: answers as local-model")
    wrong = cli(tmp_path, "models", "check", "gtp-5")
    assert wrong.returncode == 2
    assert "did you mean 'gpt-5'" in wrong.stderr
    keyless = cli(tmp_path, "models", "check", "gpt-5")
    assert keyless.returncode == 1
    assert "export OPENAI_API_KEY=" in keyless.stdout
