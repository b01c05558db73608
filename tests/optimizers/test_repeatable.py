"""Equal decisions under any hash seed, and memory that stays small in a long run."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mlesearch.optimizers.base import factory
from mlesearch.testing.optimizer_contract import Scenario, simulate
from mlesearch.types import Context, Hypothesis
from tests.optimizers.test_contract import PRESETS

SCRIPT = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from tests.optimizers.test_repeatable import digest
from tests.optimizers.test_contract import PRESETS
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
            [sys.executable, "-c", SCRIPT, str(Path(__file__).parents[2])],
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


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_memory_at_10_000_nodes(preset):
    kind, params = PRESETS[preset]
    scenario = Scenario(1, steps=10_000, p_fail=0.3)
    outcome = realistic(scenario)
    tracemalloc.start()
    try:
        search = factory(kind)(params, scenario.problem, scenario.rng)
        programs = 0
        while programs < 10_000:
            p = search.ask(0.5)
            programs += p.op.makes_program
            search.tell(outcome(p))
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    print(f"{preset}: {held / 1e6:.1f} MB held, {peak / 1e6:.1f} MB at most")
    assert peak < 100e6
