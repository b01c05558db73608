"""How quickly rungs run programs on this machine: time to the first line, cold and warm, and programs a second.

A program prints the machine's monotonic clock, which is the same in every namespace; the orchestrator has read it
before. So a time is from the call that hands over the program to the line that the program reached.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlesearch.sandbox.protocol import GIB, Job, Limits, Sandbox, Spec
from mlesearch.types import ExecStatus, SandboxUnavailable

IMPORTS = "import numpy, pandas, sklearn.ensemble, sklearn.linear_model\n"
FIRST_LINE = f"{IMPORTS}import time\nprint(time.monotonic_ns())\n"
"""Imports what programs usually do, then says what time it is."""

SMALL = """
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
rng = np.random.default_rng({seed})
frame = pd.DataFrame(rng.normal(size=(400, 8)), columns=list("abcdefgh"))
target = (frame["a"] + frame["b"] ** 2 + rng.normal(size=400) > 1).astype(int)
train, test, y_train, y_test = train_test_split(frame, target, random_state=0)
score = LogisticRegression(max_iter=200).fit(train, y_train).score(test, y_test)
print(round(score, 4))
"""
"""A small scikit-learn program, each seed another one; a few milliseconds of its own computing."""

LIMITS = Limits(time_s=120.0, memory_bytes=2 * GIB)


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured of one rung, in one call.

    Attributes:
        rung: its name.
        cold_s: from asking for a sandbox to the first line after the imports, nothing ready before; each time.
        warm_s: from handing over the program to that line, in a sandbox that has imported them; each time.
        programs: of the throughput.
        programs_per_s: small programs a second, two at a time, warm.
    """

    rung: str
    cold_s: tuple[float, ...]
    warm_s: tuple[float, ...]
    programs: int
    programs_per_s: float

    @property
    def ratio(self) -> float:
        """How many times quicker the first line comes warm (medians)."""
        return statistics.median(self.cold_s) / statistics.median(self.warm_s)


@contextmanager
def task(limits: Limits = LIMITS) -> Iterator[tuple[Spec, Path]]:
    """A task with nothing to read, and a folder for what programs leave; both are removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="mlesearch-bench-") as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "public").mkdir(mode=0o755)
        yield Spec("bench@1", root / "public", limits=limits), root / "out"


def cold_s(sandbox: Sandbox, spec: Spec, outbox: Path) -> float:
    """Seconds to the first line after the imports, with nothing ready; the sandbox must not be warm.

    Raises:
        SandboxUnavailable: the program did not come through.
    """
    began = time.monotonic_ns()
    return _first_line(sandbox, lambda: began, spec, outbox)


def warm_s(sandbox: Sandbox, spec: Spec, outbox: Path, settle_s: float) -> float:
    """Seconds to the same line in a sandbox that has had this long to get ready.

    Raises:
        SandboxUnavailable: the program did not come through.
    """
    return _first_line(sandbox, time.monotonic_ns, spec, outbox, settle_s)


def _first_line(sandbox: Sandbox, began: Callable[[], int], spec: Spec, outbox: Path, settle_s: float = 0.0) -> float:
    slot = sandbox.prepare(spec)
    time.sleep(settle_s)
    start = began()
    result = sandbox.run(slot, Job("bench", FIRST_LINE, spec.limits.time_s, outbox))
    if result.status is not ExecStatus.OK:
        raise SandboxUnavailable(f"sandbox {sandbox.name}: a small program failed: {result.reason}")
    return (int(result.stdout.text) - start) / 1e9


def throughput(sandbox: Sandbox, spec: Spec, outbox: Path, programs: int, at_once: int = 2) -> float:
    """Small programs a second, from the first handed over to the last result.

    Raises:
        SandboxUnavailable: one did not come through.
    """

    def one(seed: int) -> None:
        job = Job(f"bench/{seed}", SMALL.format(seed=seed), spec.limits.time_s, outbox / str(seed))
        result = sandbox.run(sandbox.prepare(spec), job)
        if result.status is not ExecStatus.OK:
            raise SandboxUnavailable(f"sandbox {sandbox.name}: a small program failed: {result.reason}")

    return _rate(one, programs, at_once)


def _rate(one: Callable[[int], None], programs: int, at_once: int) -> float:
    began = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, range(programs)))
    return programs / (time.monotonic() - began)


def measure(name: str, make: Callable[[bool], Sandbox], *, cold: int = 3, warm: int = 5, programs: int = 20) -> Speed:
    """All figures of one rung.

    Args:
        name: of the rung.
        make: makes it, warm or not.
        cold: first lines to time with nothing ready.
        warm: first lines to time in a warm sandbox.
        programs: small ones, for the throughput.

    Raises:
        SandboxUnavailable: a program did not come through.
    """
    with task() as (spec, outbox):
        sandbox = make(False)
        try:
            cold_times = [cold_s(sandbox, spec, outbox) for _ in range(cold)]
        finally:
            sandbox.close()
        settle_s = max(1.0, 4 * max(cold_times))
        sandbox = make(True)
        try:
            sandbox.run(sandbox.prepare(spec), Job("bench", "", 60.0, outbox))  # a fork server starts here
            warm_times = [warm_s(sandbox, spec, outbox, settle_s) for _ in range(warm)]
            per_s = throughput(sandbox, spec, outbox, programs)
        finally:
            sandbox.close()
    return Speed(name, tuple(cold_times), tuple(warm_times), programs, per_s)


def table(speeds: Sequence[Speed]) -> list[dict[str, object]]:
    """Rows in words: medians, and the spread where there are several."""
    return [
        {
            "rung": s.rung,
            "cold, ms": _spread(s.cold_s),
            "warm, ms": _spread(s.warm_s),
            "times quicker": f"{s.ratio:.0f}",
            "programs a second": f"{s.programs_per_s:.1f}",
        }
        for s in speeds
    ]


def _spread(seconds: Sequence[float]) -> str:
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    return f"{1e3 * middle:,.1f} ({1e3 * low:,.1f} to {1e3 * high:,.1f})"
