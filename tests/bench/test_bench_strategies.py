"""What a strategy itself costs per proposal, ask and tell together, with 50, 1,000 and 10,000 proposals behind it.

No engine, journal, model or program: outcomes are made beforehand. A round is ten proposals, because they are of
several kinds (a branch goes on, a node is selected, a hypothesis is chosen) that cost differently. Each group is one
preset with one number of workers: the ratio in brackets is the figure that must stay flat. `no-op` decides nothing; its
time is the loop's own. On a machine that others use, only repeated runs tell a slope from a neighbour. The bars, for
one proposal: 0.2 ms, and 0.4 ms for mcgs and gome, so 2 and 4 ms a round. Among the other tests, without its figures,
nothing has more than 1,000 behind it.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import yaml

from mlesearch.optimizers.base import factory
from mlesearch.testing.optimizer_contract import FAILURES, Scenario, a_diagnosis, a_hypothesis
from mlesearch.types import Hypothesis, Op, Outcome, Problem, Proposal, Status
from tests.support.paths import ROOT

CONF = ROOT / "conf" / "strategy"
SIZES = (50, 1_000, 10_000)
PER_ROUND = 10
POOL = 512
DIMENSION = 256  # of the default embedder


class NoOp:
    """The baseline: it decides nothing and learns nothing."""

    def __init__(self):
        self.asked = 0

    def ask(self, used):
        self.asked += 1
        return Proposal(self.asked - 1, Op.DRAFT)

    def tell(self, outcome):
        return ()


FILES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(CONF.glob("*.yaml"))}
PRESETS = {"no-op": (None, {}), **{name: (conf["kind"], conf.get("params", {})) for name, conf in FILES.items()}}


def a_pool():
    """Outcomes of every operator but for their ids: 30 % of programs fail, hypotheses carry whole embeddings."""
    draws = np.random.default_rng(3)
    vectors = [tuple(v / np.linalg.norm(v)) for v in draws.normal(size=(POOL, DIMENSION))]
    programs = [
        (FAILURES[int(draws.integers(len(FAILURES)))], None) if draws.random() < 0.3 else (Status.OK, draws.normal())
        for _ in range(POOL)
    ]
    diagnoses = [a_diagnosis(draws) for _ in range(POOL)]
    hypotheses = []
    for i in range(POOL):
        made = (a_hypothesis(i, k, draws) for k in range(5))
        hypotheses.append(tuple(
            Hypothesis(h.text, h.problem, h.problem_kind, h.component, h.scores, vectors[(5 * i + k) % POOL])
            for k, h in enumerate(made)
        ))  # fmt: skip
    return programs, diagnoses, hypotheses


PROGRAMS, DIAGNOSES, HYPOTHESES = a_pool()


def outcome(p: Proposal) -> Outcome:
    i = (p.id * 7919) % POOL
    if p.op is Op.DIAGNOSE:
        return Outcome(p.id, p.op, Status.OK, diagnosis=DIAGNOSES[i])
    if not p.op.makes_program:
        made = tuple(replace(h, text=f"{h.text} {p.id}") for h in HYPOTHESES[i])  # no two texts are the same
        return Outcome(p.id, p.op, Status.OK, hypotheses=made)
    status, score = PROGRAMS[i]
    return Outcome(p.id, p.op, status, score, "a plan", "a lesson")


class Loop:
    """Asks and tells, the pending proposals told in an order that is not theirs."""

    def __init__(self, preset: str, workers: int, seed: int) -> None:
        kind, params = PRESETS[preset]
        scenario = Scenario(seed)
        problem = Problem(scenario.direction, SIZES[-1])
        self.strategy = NoOp() if kind is None else factory(kind)(params, problem, scenario.rng)
        self.workers = workers
        self.pending: list[Proposal] = []
        self.told = 0

    def advance(self, proposals: int) -> None:
        for _ in range(proposals):
            while len(self.pending) < self.workers and (p := self.strategy.ask(0.5)) is not None:
                self.pending.append(p)
            place = (self.told * 5) % len(self.pending)
            self.strategy.tell(outcome(self.pending.pop(place)))
            self.told += 1


@pytest.mark.parametrize("nodes", SIZES)
@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("preset", PRESETS)
def test_ask_and_tell(benchmark, preset, workers, nodes):
    benchmark.group = f"ask and tell of {PER_ROUND} proposals: {preset}, workers: {workers}"
    nodes = nodes if benchmark.enabled else min(nodes, SIZES[1])
    seeds = itertools.count()

    def prepared():
        loop = Loop(preset, workers, next(seeds))
        loop.advance(nodes)
        return loop

    kept = prepared()

    def setup():  # a small tree is made anew for each round, so that it stays small
        return (prepared() if nodes == SIZES[0] else kept, PER_ROUND), {}

    benchmark.pedantic(Loop.advance, setup=setup, rounds=100, warmup_rounds=3)
    assert kept.told >= nodes
