"""What a process with live models imports, and how it lives, forks, and ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mlesearch.testing.openai_stub import OpenAIStub

pytestmark = pytest.mark.usefixtures("stub_key")


def python(code: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("LITELLM_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**env, "PYTHONPATH": "", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_registry_does_not_import_litellm(tmp_path: Path) -> None:
    code = (
        "import sys, mlesearch.models.registry as r, mlesearch.models.embed as e\n"
        "m = r.make_model('m', 'litellm', {'model': 'gpt-6-luna', 'price': "
        "{'input_usd_per_mtok': 1, 'output_usd_per_mtok': 2}})\n"
        "m.check(); m.identity(); m.price; repr(m); e.make_embedder({})\n"
        "try: r.make_model('n', 'litellm', {'model': 'claude-opus-5-5'}).check()\n"
        "except Exception as error: print(error)\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('litellm', 'openai', 'aiohttp', 'hydra')])\n"
        "import threading; print(threading.active_count())"
    )
    done = python(code, tmp_path, OPENAI_API_KEY="sk-x", ANTHROPIC_API_KEY="")
    assert done.stderr == ""
    error, modules, threads = done.stdout.splitlines()
    assert "export ANTHROPIC_API_KEY=" in error
    assert (modules, threads) == ("[]", "1")


LIFE = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored
from mlesearch.models.protocol import *
from mlesearch.models.registry import make_model
from mlesearch.types import Op

def ask(m, deadline_s=30.0):
    return m.complete(Request((Message("user", "hi"),), Sampling(), Address("r", 0, 0, Op.DRAFT), 1, deadline_s))

m = make_model("m", "litellm", {"model": "openai/x", "api_base": sys.argv[1], "max_retries": 0})
print("first", ask(m).text)
assert "FROM_DOTENV" not in os.environ
child = os.fork()
if child == 0:
    with_threads = []
    workers = [threading.Thread(target=lambda: with_threads.append(ask(m).text)) for _ in range(4)]
    for w in workers: w.start()
    for w in workers: w.join()
    print("child", *with_threads, flush=True)
    os._exit(0)
print("status", os.waitpid(child, 0)[1])
print("after", ask(m).text)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
hanging = make_model("h", "litellm", {"model": "openai/hang", "api_base": sys.argv[1], "max_retries": 0})
start = time.monotonic()
try:
    ask(hanging)
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - start < 5)
print("last", ask(m).text)
"""


def test_one_life_of_a_process(stub: OpenAIStub, tmp_path: Path) -> None:
    """Fork, interrupt and exit: a fork has its own loop, Ctrl-C is at once, nothing is printed at the end."""
    (tmp_path / ".env").write_text("FROM_DOTENV=1\n")
    stub.key = None
    hang = threading.Event()

    def reply(body):
        if body["model"] == "hang":
            hang.wait(60)
        return "ok"

    stub.reply = reply
    script = tmp_path / "life.py"
    script.write_text(LIFE)
    code = f"import sys; sys.argv[1:] = [{stub.base_url!r}]; exec(open({str(script)!r}).read())"
    start = time.monotonic()
    done = python(code, tmp_path)
    hang.set()
    # litellm's own logger may tell of a fork that caught it in the middle of something
    assert [line for line in done.stderr.splitlines() if "LoggingWorker: event loop changed" not in line] == []
    assert done.stdout.splitlines() == [
        "first ok",
        "child ok ok ok ok",
        "status 0",
        "after ok",
        "interrupted True",
        "last ok",
    ]
    assert time.monotonic() - start < 60
    assert stub.calls == 8
