"""Speed of the rungs beside plain Python and the interpreter of the published package `aideml`; run by `make bench`.

Two groups, each with its baselines in the same run; the factors in parentheses are against the quickest of the group.

- *first line*: from handing over a program to its first line after importing numpy, pandas, scikit-learn; cold, warm.
- *50 small programs*: scikit-learn programs, two at a time, from the first handed over to the last result.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sklearn

from mlesearch.sandbox import bench, ladder
from mlesearch.sandbox.protocol import Job, Sandbox
from tests.support.paths import ROOT, SUPPORT

PEERS = ROOT / ".venv-peers" / "bin" / "python"
PROGRAMS = 50
SETTLE = 4.0
"""A warm sandbox has this many times a cold start to get ready, so that a loaded machine is given longer."""

pytestmark = pytest.mark.slow


class Clock:
    """Advances by what was measured inside a call, so that the table holds the time to the first line."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1e-9  # the table's tool waits for a clock to tick
        return self.now


CLOCK = Clock()
RUNGS = ("local", "bubblewrap", "docker")


def rung(name: str, warm: bool) -> Sandbox:
    params: dict[str, object] = {"image": "host"} if name == "docker" else {}
    (found,) = ladder.probe((name,), params)
    if not found.works:
        pytest.skip(f"NO {name.upper()}: {found.why}")
    return ladder.make(name, {**params, "warm": warm})


@pytest.mark.benchmark(group="first line of a program, numpy + pandas + scikit-learn imported", timer=CLOCK)
class TestFirstLine:
    @pytest.mark.parametrize("name", RUNGS)
    def test_cold(self, name: str, benchmark: Any) -> None:
        with closing(rung(name, warm=False)) as sandbox, bench.task() as (spec, outbox):

            def one() -> None:
                CLOCK.now += bench.cold_s(sandbox, spec, outbox)

            benchmark.pedantic(one, rounds=5)

    @pytest.mark.parametrize("name", RUNGS)
    def test_warm(self, name: str, benchmark: Any) -> None:
        with closing(rung(name, warm=False)) as sandbox, bench.task() as (spec, outbox):
            settle_s = 0.3 if name == "local" else SETTLE * bench.cold_s(sandbox, spec, outbox)
        with closing(rung(name, warm=True)) as sandbox, bench.task() as (spec, outbox):
            sandbox.run(sandbox.prepare(spec), Job("bench", "", 60.0, outbox))

            def one() -> None:
                CLOCK.now += bench.warm_s(sandbox, spec, outbox, settle_s)

            benchmark.pedantic(one, rounds=5)

    def test_a_plain_subprocess(self, benchmark: Any) -> None:
        def one() -> None:
            began = time.monotonic_ns()
            said = subprocess.run([sys.executable, "-c", bench.FIRST_LINE], capture_output=True, check=True).stdout
            CLOCK.now += (int(said) - began) / 1e9

        benchmark.pedantic(one, rounds=5)


@pytest.mark.benchmark(group=f"{PROGRAMS} small scikit-learn programs, two at a time")
class TestThroughput:
    @pytest.mark.parametrize("name", RUNGS)
    def test_rung(self, name: str, benchmark: Any) -> None:
        with closing(rung(name, warm=True)) as sandbox, bench.task() as (spec, outbox):
            sandbox.run(sandbox.prepare(spec), Job("bench", "", 60.0, outbox))
            benchmark.pedantic(bench.throughput, args=(sandbox, spec, outbox, PROGRAMS), rounds=1)

    def test_a_plain_subprocess(self, benchmark: Any) -> None:
        def one(seed: int) -> None:
            subprocess.run([sys.executable, "-c", bench.SMALL.format(seed=seed)], capture_output=True, check=True)

        def all_of_them() -> None:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(one, range(PROGRAMS)))

        benchmark.pedantic(all_of_them, rounds=1)

    @pytest.mark.peers
    def test_the_interpreter_of_aideml(self, peers: tuple[subprocess.Popen[str], ...], benchmark: Any) -> None:
        """Two agents' interpreters side by side, each with half of the programs; their own start is not counted."""
        outputs: list[list[str]] = []

        def all_of_them() -> None:
            for process in peers:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            for process in peers:
                assert process.stdout is not None
                outputs.append(json.loads(process.stdout.readline()))

        benchmark.pedantic(all_of_them, rounds=1)
        plain = subprocess.run(
            [sys.executable, "-c", bench.SMALL.format(seed=0)], capture_output=True, text=True, check=True
        )
        assert outputs[0][0] == plain.stdout.strip()
        assert sum(map(len, outputs)) == PROGRAMS


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], ...]]:
    """Two processes with the package's interpreter, ready."""
    if not PEERS.exists():
        pytest.skip("NO PEERS: the published packages are not installed: run make peers")
    site = str(Path(sklearn.__file__).parents[1])
    started = []
    try:
        for half in range(2):
            folder = tmp_path / str(half)
            folder.mkdir()
            driver = str(SUPPORT / "peers_interpreter.py")
            process = subprocess.Popen(
                [str(PEERS), "-I", driver], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            started.append(process)
            programs = [bench.SMALL.format(seed=seed) for seed in range(half, PROGRAMS, 2)]
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps({"programs": programs, "folder": str(folder), "site": site}) + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ready\n"
        yield tuple(started)
    finally:
        for process in started:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
