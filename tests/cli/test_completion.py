"""Tab completion, as real shells ask for it."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlesearch.cli.completion import SHELLS, complete, script
from mlesearch.cli.main import main, parser

BIN = Path(sys.executable).parent
COMMANDS = sorted(complete(parser(), "mlesearch "))
"""All of them, whichever there are."""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mlesearch ru", ["run"]),
        ("mlesearch cassette ", ["export", "import", "verify"]),
        ("mlesearch run dem", ["demo"]),
        ("mlesearch run --ch", ["--check"]),
        ("mlesearch run budget.st", ["budget.steps=", "budget.study_usd="]),
        (
            "mlesearch run stra",
            ["strategy.kind=", "strategy.name=", "strategy.params.", "strategy.review=", "strategy="],
        ),
        ("mlesearch run -m strategy=greedy,go", ["strategy=greedy,gome", "strategy=greedy,gome_robust"]),
        ("mlesearch run tasks=[ren", ["tasks=[rentals"]),
        ("mlesearch run tasks=[rentals,ti", ["tasks=[rentals,tickets"]),
        ("mlesearch run 'tasks=[ren", ["tasks=[rentals"]),
        ("mlesearch run cassette=re", ["cassette=record", "cassette=replay"]),
        ("mlesearch run strategy.review=", ["strategy.review=false", "strategy.review=true"]),
        ("mlesearch estimate --like stu", ["studies/", "studies/mine/"]),
        ("mlesearch show stu", ["studies/", "studies/mine/"]),
        ("mlesearch show studies/mine/", ["studies/mine/study.json"]),
        ("mlesearch show studies/mine --no", ["--node"]),
        ("mlesearch tasks check ca", ["canvas"]),
        ("mlesearch models check gpt-6", ["gpt-6-luna", "gpt-6.1-sol"]),
        ("mlesearch strategies mc", ["mcgs", "mcts"]),
        ("mlesearch sandbox bench do", ["docker"]),
        ("mlesearch cassette import a b --form ", ["files", "sqlite"]),
        ("mlesearch completion z", ["zsh"]),
        ("mlesearch show x --node ", []),
    ],
)
def test_what_may_stand_where_the_cursor_is(
    line: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies" / "mine").mkdir(parents=True)
    (tmp_path / "studies" / "mine" / "study.json").write_text("{}")
    assert complete(parser(), line, whole=True) == sorted(expected)


def test_own_files_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "my_model.yaml").write_text("name: my_model\nkind: simulated\n")
    (tmp_path / "tasks" / "my_task").mkdir(parents=True)
    (tmp_path / "tasks" / "my_task" / "task.yaml").write_text("id: my_task\n")
    assert complete(parser(), "mlesearch run model=my") == ["my_model"]
    assert complete(parser(), "mlesearch tasks eda my", whole=True) == ["my_task"]


def bash(line: str, folder: Path) -> list[str]:
    """What a bash that has our lines would offer at the end of a line."""
    code = f"""
    eval "$(mlesearch completion bash)"
    COMP_LINE={line!r} COMP_POINT={len(line)}
    complete -p mlesearch >/dev/null || exit 3
    compopt() {{ echo nospace >&2; }}
    _mlesearch
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", code], cwd=folder, capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mlesearch run model=sim_0", [f"sim_0{n}" for n in range(1, 10)]),
        ("mlesearch exp", ["experiments"]),
        ("mlesearch run budget.ste", ["budget.steps="]),
        ("mlesearch run cross", ["crossover"]),
        ("mlesearch run -m crossover strategy=greedy,hil", ["greedy,hillclimb"]),
        ("mlesearch run crossover hydra/launcher=ba", ["basic"]),
        ("mlesearch run launcher.n", ["launcher.n_jobs="]),
        ("mlesearch ", COMMANDS),
    ],
)
def test_a_real_bash_offers_it(line: str, expected: list[str], tmp_path: Path) -> None:
    assert bash(line, tmp_path) == expected


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mlesearch run budget.s", ["budget.steps=", "budget.study_usd="]),
        ("mlesearch run cross", ["crossover"]),
        ("mlesearch run crossover strategy=greedy,hil", ["strategy=greedy,hillclimb"]),
        ("mlesearch run hydra/launcher=ba", ["hydra/launcher=basic"]),
        ("mlesearch ", COMMANDS),
    ],
)
def test_a_real_fish_offers_it(line: str, expected: list[str], tmp_path: Path) -> None:
    code = f"mlesearch completion fish | source; complete -C '{line}'"
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["fish", "--no-config", "-c", code], cwd=tmp_path, capture_output=True, text=True, env=env, timeout=60
    )
    assert done.stdout.split() == expected


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize(
    ("typed", "added"),
    [
        ("mlesearch exper", "iments "),
        ("mlesearch run budget.ste", "ps="),
        ("mlesearch run crosso", "ver "),
        ("mlesearch run hydra/launcher=ba", "sic "),
        ("mlesearch run -m strategy=greedy,hil", "lclimb "),
        ("mlesearch run 'tasks=[ren", "tals' "),
    ],
)
def test_a_real_zsh_completes_it(typed: str, added: str, tmp_path: Path) -> None:
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "", "HOME": str(tmp_path)}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["zsh", "-f", "-i"], cwd=tmp_path, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as shell:
        os.close(theirs)
        os.write(ours, b'eval "$(mlesearch completion zsh)"; echo rea""dy\n')
        said = _until(ours, b"ready")
        os.write(ours, f"{typed}\t".encode())
        said = _until(ours, added.encode())
        shell.kill()
    os.close(ours)
    assert added.encode() in said


def _until(terminal: int, words: bytes, limit_s: float = 60.0) -> bytes:
    """What a terminal shows until it shows some words, or until the time is over."""
    said, end = b"", time.monotonic() + limit_s
    while words not in said and time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            said += os.read(terminal, 65536)
    return said


@pytest.mark.parametrize("shell", SHELLS)
def test_the_lines_are_what_the_shell_can_read(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    said = capsys.readouterr().out
    assert said == script(shell)
    assert "mlesearch complete" in said
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=said, text=True, check=True)


def test_it_starts_light() -> None:
    """What makes a start slow is not imported: it takes a bare interpreter and a few files."""
    code = (
        "import sys; from mlesearch.cli.main import main; main(['complete', 'mlesearch run model=sim_']); "
        "print([m for m in ('numpy', 'hydra', 'omegaconf', 'litellm', 'pandas', 'docker') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
