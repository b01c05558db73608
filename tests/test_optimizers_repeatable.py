"""Equal decisions under any hash seed, and a cost per proposal that does not grow with the tree."""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from test_optimizers_contract import PRESETS

from mlesearch.optimizers.base import factory
from mlesearch.testing.optimizer_contract import Scenario, simulate
from mlesearch.types import Context, Hypothesis, Op

SCRIPT = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from test_optimizers_repeatable import digest
from test_optimizers_contract import PRESETS
for preset in PRESETS:
    print(preset, digest(preset))
"""


def digest(preset: str) -> str:
    """Of all events of three runs."""
    kind, params = PRESETS[preset]
    text = ""
    for workers, context in ((1, Context.SHARED), (1, Context.NATIVE), (5, Context.SHARED)):
        scenario = Scenario(17, steps=150, workers=workers, context=context, p_fail=0.5)
        search = factory(kind)(params, scenario.problem, scenario.rng)
        text += repr(simulate(search, scenario.outcome, workers=workers, steps=scenario.steps, pick=scenario.pick))
    return hashlib.sha256(text.encode()).hexdigest()


def test_equal_under_three_hash_seeds():
    outputs = []
    for seed in ("0", "1", "12345"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1] == outputs[2]
    lines = outputs[0].splitlines()
    assert [line.split()[0] for line in lines] == list(PRESETS)
    assert len({line.split()[1] for line in lines}) == len(lines)  # presets differ, or the digest says nothing


class Timed:
    """A strategy with the time of each ask and of each tell, in seconds."""

    def __init__(self, inner):
        self.inner, self.per_ask, self.per_tell = inner, [], []

    def ask(self, used):
        start = time.perf_counter()
        p = self.inner.ask(used)
        if p is not None:
            self.per_ask.append(time.perf_counter() - start)
        return p

    def tell(self, outcome):
        start = time.perf_counter()
        verdicts = self.inner.tell(outcome)
        self.per_tell.append(time.perf_counter() - start)
        return verdicts


def realistic(scenario: Scenario):
    """Outcomes with embeddings of the default length."""
    vectors = [tuple(v) for v in np.random.default_rng(0).normal(size=(64, 256)).tolist()]

    def outcome(p):
        o = scenario.outcome(p)
        if not o.hypotheses:
            return o
        again = (
            Hypothesis(h.text, h.problem, h.problem_kind, h.component, h.scores, vectors[(7 * p.id + i) % 64])
            for i, h in enumerate(o.hypotheses)
        )
        return type(o)(o.id, o.op, o.status, hypotheses=tuple(again))

    return outcome


def medians_ms(preset: str, workers: int, steps: int) -> dict[int, float]:
    """Median time of an ask and a tell around 50, 1,000 and 10,000 proposals."""
    kind, params = PRESETS[preset]
    scenario = Scenario(1, steps=steps, workers=workers, p_fail=0.3)
    timed = Timed(factory(kind)(params, scenario.problem, scenario.rng))
    simulate(timed, realistic(scenario), workers=workers, steps=steps, pick=scenario.pick)
    places = [n for n in (50, 1_000, 10_000) if n <= steps]
    out = {}
    for n in places:
        window = slice(max(0, n - 200), n) if n > 50 else slice(10, 100)
        out[n] = 1e3 * (statistics.median(timed.per_ask[window]) + statistics.median(timed.per_tell[window]))
    return out


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("preset", list(PRESETS))
def test_cost_of_a_proposal_is_small_and_flat(preset, workers):
    medians = medians_ms(preset, workers, 10_000)
    print(preset, workers, {n: round(ms, 4) for n, ms in medians.items()})
    bar = 0.4 if preset.startswith(("gome", "ml_master")) else 0.2
    assert medians[10_000] <= bar
    assert medians[10_000] <= max(2 * medians[50], 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["greedy", "aira", "ml_master", "gome"])
def test_memory_at_10_000_nodes(preset):
    kind, params = PRESETS[preset]
    scenario = Scenario(1, steps=10_000, p_fail=0.3)
    outcome = realistic(scenario)
    tracemalloc.start()
    search = factory(kind)(params, scenario.problem, scenario.rng)
    programs = 0
    while programs < 10_000:
        p = search.ask(0.5)
        programs += p.op is not Op.DIAGNOSE and p.op.makes_program
        search.tell(outcome(p))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
