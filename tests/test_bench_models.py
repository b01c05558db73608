"""What a call costs on top of plain litellm: keys, limits, deadline, retries, the step to the loop's thread and back.

Plain litellm is `acompletion` awaited on one event loop, with the arguments that we send. Both sides call a server in
another process; their rounds alternate, so that a busy machine slows both, and `extra_info` has the medians, their
difference a call (`overhead_ms`, wall and processor time) and their ratio. What is there before is frozen for the
garbage collector: to go through litellm's own heap takes it 200 ms, which now one side would pay and now the other.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mlesearch.models import client
from mlesearch.models import litellm as live
from mlesearch.models.limits import Shared
from mlesearch.models.loop import background_loop
from mlesearch.models.protocol import Address, Message, Request, Sampling
from mlesearch.types import Op

PROMPT = "hello " * 2000
ROUNDS = 15
LATENCY_S = {1: 0.06, 64: 0.05}  # longer than what was read of other processes is gone by
CALLS = {1: 12, 64: 192}
SERVER = """
import sys, threading
from mlesearch.testing.openai_stub import Answer, OpenAIStub
with OpenAIStub(lambda _body: Answer("x" * 2000, 3000, 500), latency_s=float(sys.argv[1])) as stub:
    print(stub.base_url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def server(in_flight: int) -> Iterator[str]:
    words = [sys.executable, "-c", SERVER, str(LATENCY_S[in_flight])]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        yield serving.stdout.readline().strip()
        assert serving.stdin is not None
        serving.stdin.close()


def _plain(url: str, in_flight: int) -> Callable[[], None]:
    litellm = client.load_litellm()
    sent: dict[str, Any] = {"model": "openai/x", "messages": [{"role": "user", "content": PROMPT}], "api_base": url}

    async def in_turn() -> None:
        for _ in range(CALLS[in_flight] // in_flight):
            await litellm.acompletion(**sent, max_tokens=8192, api_key="k", timeout=600.0, num_retries=0, max_retries=0)

    async def all_of_them() -> None:
        await asyncio.gather(*(in_turn() for _ in range(in_flight)))

    def calls() -> None:
        background_loop().run(all_of_them, limit_s=600.0, deadline_s=600.0)

    return calls


def _ours(url: str, in_flight: int, ledger: Path | None, pool: ThreadPoolExecutor) -> Callable[[], None]:
    params: dict[str, Any] = {"model": "openai/x", "api_base": url}
    params["price"] = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
    if ledger is not None:
        params["limits"] = {"requests_per_minute": 10**7, "tokens_per_minute": 10**12, "in_flight": 64}
    model = live.make("m", params)
    if ledger is not None:
        model.share(Shared(ledger))
    request = Request((Message("user", PROMPT),), Sampling(), Address("r", 0, 0, Op.DRAFT), 1, 600.0)

    def in_turn(_thread: int) -> None:
        for _ in range(CALLS[in_flight] // in_flight):
            model.complete(request)

    def calls() -> None:
        if in_flight == 1:
            in_turn(0)
        else:
            list(pool.map(in_turn, range(in_flight)))

    return calls


def _timed(calls: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    calls()
    return time.perf_counter() - wall, time.process_time() - cpu


@pytest.mark.parametrize("limits", [False, True], ids=["no limits", "shared limits"])
@pytest.mark.parametrize("in_flight", [1, 64])
@pytest.mark.benchmark(group="calls through litellm, with what we add")
def test_overhead_of_a_call(benchmark, server: str, in_flight: int, limits: bool, tmp_path: Path) -> None:
    with ThreadPoolExecutor(in_flight) as pool:
        plain = _plain(server, in_flight)
        ours = _ours(server, in_flight, tmp_path / "limits.db" if limits else None, pool)
        plain()
        ours()
        measured: list[tuple[tuple[float, float], tuple[float, float]]] = []

        def both() -> None:
            measured.append((_timed(plain), _timed(ours)))

        gc.collect()
        gc.freeze()
        try:
            benchmark.pedantic(ours, setup=both, rounds=ROUNDS if benchmark.enabled else 1)
        finally:
            gc.unfreeze()
    n = CALLS[in_flight] / 1000
    wall, cpu = (statistics.median(o[i] - p[i] for p, o in measured) / n for i in (0, 1))
    ratio = statistics.median(o[0] / p[0] for p, o in measured)
    plain_ms = statistics.median(p[0] for p, _ in measured) / n
    benchmark.extra_info.update(overhead_ms=wall, overhead_cpu_ms=cpu, ratio=ratio, plain_ms=plain_ms)
    print(json.dumps(benchmark.extra_info))
