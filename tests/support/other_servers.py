"""Servers that others wrote, in an environment of their own (`make servers`): llama.cpp's and the litellm proxy."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT, SUPPORT

BIN = ROOT / ".venv-servers" / "bin"
START_S = 120.0
"""How long a server may take to answer for the first time."""


@dataclass(frozen=True, slots=True)
class OtherServer:
    """A server that runs.

    Attributes:
        url: its OpenAI-compatible root, ending in /v1.
        key: the one key that it takes.
        log: file of what it printed.
    """

    url: str
    key: str
    log: Path


@contextmanager
def llama_server(folder: Path, n_ctx: int) -> Iterator[OtherServer]:
    """llama.cpp's server with a model of 135 million parameters.

    Args:
        folder: for its log.
        n_ctx: context in tokens, prompt and answer together.
    """
    key, log = "sk-llama-0123456789", folder / f"llama-{n_ctx}.log"
    with log.open("w") as err:
        process = subprocess.Popen(
            [str(BIN / "python"), "-I", str(SUPPORT / "servers_llama.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
        )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"n_ctx": n_ctx, "key": key}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, log.read_text()[-2000:]
        yield OtherServer(json.loads(line)["url"] + "/v1", key, log)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def litellm_proxy(folder: Path, models: Sequence[Mapping[str, object]], **router: object) -> Iterator[OtherServer]:
    """The proxy of litellm, without a database.

    Args:
        folder: for its settings and log.
        models: entries of its `model_list`.
        router: its `router_settings`.
    """
    key, log, port = "sk-proxy-0123456789", folder / "proxy.log", _free_port()
    settings = {
        "model_list": list(models),
        "litellm_settings": {"num_retries": 0, "telemetry": False},
        "router_settings": {"num_retries": 0, **router},
        "general_settings": {"master_key": key},
    }
    config = folder / "proxy.yaml"
    config.write_text(json.dumps(settings))  # JSON is YAML
    words = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    with log.open("w") as out:
        process = subprocess.Popen(
            [str(BIN / "python"), str(BIN / "litellm"), *words], stdout=out, stderr=out, cwd=folder, env=environment
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health/liveliness", process, log)
        yield OtherServer(f"http://127.0.0.1:{port}/v1", key, log)
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
    return port


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise AssertionError(f"the server does not answer: {log.read_text()[-2000:]}")
