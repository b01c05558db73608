"""Before money is spent it is said how much, and asked at a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from mlesearch.cli.main import main
from tests.support.command import MLESEARCH

LIVE = ["model=local", "strategy=random", "tasks=[rentals]", "seeds=[0,1]", "budget.steps=10"]
LIVE += ["sandbox=local", "sandbox.warm=off"]
PRICED = "model.params.price={input_usd_per_mtok: 1.0, output_usd_per_mtok: 10.0}"


def test_an_expensive_launch_is_refused_without_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, expected in (
        ([PRICED, "budget.confirm_usd=1"], ["$2.29", "above budget.confirm_usd ($1.00)", "profile: default", "--yes"]),
        (["model.params.price=null"], ["the price of local is not known", "--yes"]),
    ):
        assert main(["run", *LIVE, *words]) == 2
        line = capsys.readouterr().err
        assert len(line.splitlines()) == 1
        for part in expected:
            assert part in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_at_a_terminal_it_is_asked(answer: str, tmp_path: Path) -> None:
    """With an endpoint that refuses connections: a launch that begins fails there."""
    words = ["budget.confirm_usd=1", "model.params.api_base=http://127.0.0.1:9/v1", "model.params.max_retries=0"]
    words.append("launcher.retries=0")
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*MLESEARCH, "run", *LIVE, PRICED, *words, "launcher.n_jobs=1"],
        cwd=tmp_path,
        stdin=child,
        stderr=child,
        stdout=subprocess.DEVNULL,
    )
    os.close(child)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(parent, 1000)
    os.write(parent, f"{answer}\n".encode())
    try:
        while chunk := os.read(parent, 1000):
            said += chunk
    except OSError:
        pass  # the other end is closed
    os.close(parent)
    assert process.wait(120) == 1
    assert (tmp_path / "studies").exists() == (answer == "y")
    assert (b"nothing was run or written" in said) == (answer != "y")


def test_yes_and_null_do_not_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    dead = ["model.params.api_base=http://127.0.0.1:9/v1", "model.params.max_retries=0", "launcher.n_jobs=1"]
    dead.append("launcher.retries=0")
    for n, words in enumerate((["budget.confirm_usd=1", "--yes"], ["budget.confirm_usd=null"])):
        assert main(["run", *LIVE, PRICED, *dead, f"study.dir=s{n}", *words]) == 1
        said = capsys.readouterr()
        assert "$2.29" in said.out
        assert "above" not in said.err
