"""What a launch says of a model before it runs anything: its endpoint, asked for nothing, and its context window."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlesearch.cli.main import main
from mlesearch.testing.openai_stub import Canned, OpenAIStub

WORDS = ["run", "--check", "model=local", "strategy=greedy", "sandbox=local", "budget.steps=1"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def check(url: str, *words: str) -> int:
    return main([*WORDS, f"model.params.api_base={url}", *words])


def test_check_asks_the_endpoint_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with OpenAIStub(models=["another"]) as stub:
        assert check(stub.base_url, "model.params.model=openai/x") == 0
        assert [seen.path for seen in stub.seen] == ["/v1/models"]
        assert "model 'local': warning: its list of models has no 'x'; it has another" in capsys.readouterr().err
        stub.always = Canned(200, "<html>", kind="text/html")
        assert check(stub.base_url, "model.params.model=openai/x") == 1
        assert "web page (HTML)" in capsys.readouterr().err
    assert check("http://127.0.0.1:9/v1") == 1
    out = capsys.readouterr()
    assert "model 'local': connection refused at its api_base: start the server" in out.err
    assert "can run" not in out.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("model.params.model=Qwen/Qwen3-Coder", "write openai/Qwen/Qwen3-Coder"),
        ("+model.params.context_window=500", "model.params.context_window: 500 tokens .* 'rentals' has about"),
        ("+model.params.headers_env={X-Auth: NOT_SET_ANYWHERE}", "export NOT_SET_ANYWHERE="),
    ],
)
def test_what_can_never_work_is_one_line_before_anything_runs(
    words: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with OpenAIStub() as stub:
        assert check(stub.base_url, words) != 0
        assert stub.calls == 0
    error = capsys.readouterr().err.strip()
    assert re.search(said, error), error
    assert len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
