"""Equal decisions under any hash seed, and memory that stays small in a long run."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from mlesearch.optimizers.base import factory
from mlesearch.testing.optimizer_contract import Scenario
from mlesearch.types import Hypothesis
from tests.support import presets
from tests.support.presets import PRESETS


def test_equal_under_three_hash_seeds():
    outputs = []
    for seed in ("0", "1", "12345"):
        done = subprocess.run(
            [sys.executable, presets.__file__],
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
