"""The command line in real processes, and processes of Python code that imports the tests' helpers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from mlesearch.testing.openai_stub import OpenAIStub
from tests.support import preloaded
from tests.support.paths import ROOT

MLESEARCH = [sys.executable, "-m", "mlesearch"]
Started = subprocess.Popen[str] | preloaded.ForkedCommand
"""A command under way."""
SECRET = "sk-very-secret-0123456789"
"""The key in `run_live`."""


def cli(
    cwd: Path, *words: str, env: Mapping[str, str] | None = None, timeout_s: float = 240.0, fresh: bool = False
) -> subprocess.CompletedProcess[str]:
    """The command line in a folder, to its end; no key of the one who runs the tests reaches it.

    Args:
        cwd: the folder.
        words: behind `mlesearch`.
        env: variables beside those of the one who runs the tests.
        timeout_s: after which it is killed.
        fresh: start an interpreter for it, and no fork (see `support.preloaded`).
    """
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")} | dict(env or {})
    if not fresh and preloaded.takes(environment):
        return preloaded.run(list(words), cwd, environment, timeout_s)
    return subprocess.run(
        [*MLESEARCH, *words], cwd=cwd, capture_output=True, text=True, env=environment, timeout=timeout_s
    )


def fork_of_code(cwd: Path, code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Code in a fork of `support.preloaded`, to its end: for what changes the command line before it starts it."""
    return preloaded.run(list(map(str, arguments)), cwd, dict(os.environ), 240.0, code)


def run_live(cwd: Path, stub: OpenAIStub, *words: str) -> subprocess.CompletedProcess[str]:
    """`mlesearch run` with a real model's path: litellm and HTTP, to a server that stands in."""
    return cli(
        cwd,
        "run",
        *[word for word in words if word == "-m"],
        "model=local",
        "sandbox=local",
        f"model.params.api_base={stub.base_url}",
        "model.params.api_key_env=MY_KEY",
        "launcher.n_jobs=1",
        "launcher.retries=0",
        *[word for word in words if word != "-m"],
        env={"MY_KEY": SECRET},
    )


def start(cwd: Path, *words: str, env: Mapping[str, str] | None = None, fresh: bool = False) -> Started:
    """The command line in a session of its own, as from another terminal; see `cli`."""
    environment = os.environ | dict(env or {})
    if not fresh and preloaded.takes(environment):
        return preloaded.ForkedCommand(words, cwd, environment, own_session=True)
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*MLESEARCH, *words], cwd=cwd, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def finish(cwd: Path, *words: str) -> None:
    """As `start`, to an end without error."""
    done = start(cwd, *words)
    out, err = done.communicate(timeout=280)
    assert done.returncode == 0, out + err


def alive(folder: Path) -> list[int]:
    """Processes that work in a folder."""
    found = []
    for p in Path("/proc").iterdir():
        if p.name.isdigit() and int(p.name) != os.getpid():
            try:
                if Path(os.readlink(p / "cwd")).is_relative_to(folder):
                    found.append(int(p.name))
            except OSError:
                continue
    return found


def python(code: str, *arguments: object) -> list[str]:
    """The words of a command that runs code, which may import `tests.support`, in whatever folder."""
    return [sys.executable, "-c", f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{code}", *map(str, arguments)]
