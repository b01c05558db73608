"""What a call costs on top of plain litellm: keys, limits, deadline, retries, the step to the loop's thread and back.

Plain litellm is `acompletion` awaited on one event loop, with the arguments that we send. Both sides call a server in
another process; their rounds alternate, so that a busy machine slows both, and `extra_info` has the medians, their
difference a call (`overhead_ms`, wall and processor time) and their ratio. What is there before is frozen for the
garbage collector: to go through litellm's own heap takes it 200 ms, which now one side would pay and now the other.
Among the other tests, without its figures, a case is two calls of at most eight threads.
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mlesearch.models.limits.place import CountersPlace
from mlesearch.models.live import library
from mlesearch.models.live import litellm as live
from mlesearch.models.live.loop import background_loop
from mlesearch.models.protocol import Address, Message, Request, Sampling
from mlesearch.types import Op

PROMPT = "hello " * 2000
ROUNDS = 15


@dataclass(frozen=True)
class Case:
    """How calls follow each other: each of `in_flight` pauses, calls a server that takes `latency_s`, and so on."""

    in_flight: int
    calls: int
    latency_s: float
    pause_s: float


CASES = {
    "1 in flight": Case(1, 25, 0.0, 0.0),
    # as a run calls: what was read of other processes is too old, and nothing is in the processor's caches any more
    "1 in flight, after a pause": Case(1, 12, 0.06, 0.01),
    "64 in flight": Case(64, 192, 0.05, 0.0),
}
SERVER = """
import sys, threading
from mlesearch.testing.openai_stub import Answer, OpenAIStub
with OpenAIStub(lambda _body: Answer("x" * 2000, 3000, 500), latency_s=float(sys.argv[1])) as stub:
    print(stub.base_url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def server(case: Case) -> Iterator[str]:
    words = [sys.executable, "-c", SERVER, str(case.latency_s)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        yield serving.stdout.readline().strip()
        assert serving.stdin is not None
        serving.stdin.close()


def _plain(url: str, case: Case) -> Callable[[], float]:
    litellm = library.load_litellm()
    sent: dict[str, Any] = {"model": "openai/x", "messages": [{"role": "user", "content": PROMPT}], "api_base": url}

    async def one() -> None:
        await litellm.acompletion(**sent, max_tokens=8192, api_key="k", timeout=600.0, num_retries=0, max_retries=0)

    async def in_turn() -> float:
        waited_s = 0.0
        for _ in range(case.calls // case.in_flight):
            await asyncio.sleep(case.pause_s)
            start = time.perf_counter()
            await one()
            waited_s += time.perf_counter() - start
        return waited_s

    async def all_of_them() -> float:
        return sum(await asyncio.gather(*(in_turn() for _ in range(case.in_flight)))) / case.in_flight

    def calls() -> float:
        return background_loop().run(all_of_them, limit_s=600.0, deadline_s=600.0)

    return calls


def _ours(url: str, case: Case, path: Path | None, pool: ThreadPoolExecutor) -> Callable[[], float]:
    params: dict[str, Any] = {"model": "openai/x", "api_base": url}
    params["price"] = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
    if path is not None:
        params["limits"] = {"requests_per_minute": 10**7, "tokens_per_minute": 10**12, "in_flight": 64}
    model = live.make("m", params)
    if path is not None:
        model.use_place(CountersPlace(path))
    request = Request((Message("user", PROMPT),), Sampling(), Address("r", 0, 0, Op.DRAFT), 1, 600.0)

    def in_turn(_thread: int) -> float:
        waited_s = 0.0
        for _ in range(case.calls // case.in_flight):
            time.sleep(case.pause_s)
            start = time.perf_counter()
            model.complete(request)
            waited_s += time.perf_counter() - start
        return waited_s

    def calls() -> float:
        return sum(pool.map(in_turn, range(case.in_flight))) / case.in_flight

    return calls


def _timed(calls: Callable[[], float]) -> tuple[float, float]:
    """Seconds that each thread waited for all its calls together, and of processor time."""
    cpu = time.process_time()
    return calls(), time.process_time() - cpu


@pytest.mark.parametrize("limits", [False, True], ids=["no limits", "shared limits"])
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
@pytest.mark.benchmark(group="calls through litellm, with what we add")
def test_overhead_of_a_call(benchmark, server: str, case: Case, limits: bool, tmp_path: Path) -> None:
    if not benchmark.enabled:
        threads = min(case.in_flight, 8)
        case = replace(case, in_flight=threads, calls=2 * threads)
    with ThreadPoolExecutor(case.in_flight) as pool:
        plain = _plain(server, case)
        ours = _ours(server, case, tmp_path / "limits.db" if limits else None, pool)
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
    n = case.calls / 1000
    wall, cpu = (statistics.median(o[i] - p[i] for p, o in measured) / n for i in (0, 1))
    ratio = statistics.median(o[0] / p[0] for p, o in measured)
    plain_ms = statistics.median(p[0] for p, _ in measured) / n
    benchmark.extra_info.update(overhead_ms=wall, overhead_cpu_ms=cpu, ratio=ratio, plain_ms=plain_ms)
    print(json.dumps(benchmark.extra_info))
