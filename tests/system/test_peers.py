"""Greedy against the published package `aideml` itself, in an environment of its own (`make peers`)."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import time
from collections import Counter

import pytest

from mlesearch.optimizers.greedy import Greedy, GreedySettings
from mlesearch.types import Direction, Op, Outcome, Problem, Status
from tests.support.paths import ROOT, SUPPORT

PYTHON = ROOT / ".venv-peers" / "bin" / "python"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.peers,
    pytest.mark.skipif(not PYTHON.exists(), reason="the published packages are not installed: run make peers"),
]

STEPS = 60
SEEDS = range(20)
SETTINGS = [(5, 0.5, 3), (3, 1.0, 20), (1, 0.25, 0)]  # num_drafts, debug_prob, max_debug_depth
NODES = (50, 200, 1_000)


def mixed(draws):
    return [None if draws.random() < 0.35 else draws.gauss(0, 1) for _ in range(STEPS)]


def ties(draws):
    return [None if draws.random() < 0.3 else float(draws.randrange(3)) for _ in range(STEPS)]


def bugs_then_good(draws):
    return [None if draws.random() < (0.9 if i < STEPS // 2 else 0.1) else draws.random() for i in range(STEPS)]


SCENARIOS = {  # scores of the programs in the order they are made, and whether lower is better
    "mixed": (mixed, False),
    "minimise": (mixed, True),
    "all buggy": (lambda draws: [None] * STEPS, False),
    "no bugs": (lambda draws: [draws.gauss(0, 1) for _ in range(STEPS)], False),
    "ties": (ties, True),
    "bugs, then good": (bugs_then_good, False),
}
RUNS = [
    {"scenario": name, "settings": settings, "seed": seed, "minimise": minimise,
     "scores": scores(random.Random(f"{name} {seed}"))}
    for name, (scores, minimise) in SCENARIOS.items() for settings in SETTINGS for seed in SEEDS
]  # fmt: skip


@pytest.fixture(scope="module")
def theirs():
    """What the package did in every run, and its own cost."""
    asked = json.dumps({"runs": RUNS, "nodes": NODES, "repeats": 100})
    driver = SUPPORT / "peers_aide.py"
    done = subprocess.run(
        [str(PYTHON), "-I", str(driver)], input=asked, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def greedy(run, settings=None):
    """Our strategy in a run: (operator, edited node) of each step, and its best node."""
    stream = random.Random(run["seed"])
    direction = Direction.MINIMIZE if run["minimise"] else Direction.MAXIMIZE
    g = Greedy(GreedySettings(*(settings or run["settings"])), Problem(direction, STEPS), lambda id: stream)
    steps, best = [], None
    for i, score in enumerate(run["scores"]):
        p = g.ask(i / STEPS)
        steps.append([p.op.value, p.base])
        g.tell(Outcome(p.id, p.op, Status.ERROR if score is None else Status.OK, score))
        if score is not None and (best is None or direction.better(score, run["scores"][best])):
            best = i
    return {"steps": steps, "best": best}


def test_greedy_does_what_aideml_does(theirs):
    assert len(RUNS) == len(theirs["sequences"]) == 360
    differences = [
        (run["scenario"], run["settings"], run["seed"], i)
        for run, expected in zip(RUNS, theirs["sequences"], strict=True)
        for i, (a, b) in enumerate(zip(greedy(run)["steps"], expected["steps"], strict=True))
        if a != b
    ]
    assert not differences
    assert [greedy(run)["best"] for run in RUNS] == [s["best"] for s in theirs["sequences"]]


def test_the_comparison_covers_all_rules_and_sees_a_difference(theirs):
    ops = Counter(op for s in theirs["sequences"] for op, _ in s["steps"])
    assert set(ops) == {"draft", "debug", "improve"}
    assert min(ops.values()) > 1_000
    for settings, other in (
        ((5, 0.5, 3), (5, 0.5, 2)),  # the depth, by one
        ((3, 1.0, 20), (4, 1.0, 20)),  # the drafts, by one
        ((1, 0.25, 0), (1, 0.25, 1)),
    ):
        pairs = [(r, s) for r, s in zip(RUNS, theirs["sequences"], strict=True) if r["settings"] == settings]
        seen = sum(greedy(run, other)["steps"] != expected["steps"] for run, expected in pairs)
        assert seen > len(pairs) // 4, (settings, other, seen)


def test_cost_of_a_decision_beside_aideml(theirs, capsys):
    """No bar on time: a figure to read."""
    lines = ["nodes   aideml: decision   whole step   journal written   mlesearch greedy: ask + tell   (ms, medians)"]
    for n in NODES:
        draws = random.Random(n)
        stream = random.Random(n)
        g = Greedy(GreedySettings(), Problem(Direction.MAXIMIZE), lambda id, stream=stream: stream)
        times = []
        for _ in range(n + 100):
            score = None if draws.random() < 0.3 else draws.random()
            start = time.perf_counter()
            p = g.ask(0.5)
            g.tell(Outcome(p.id, p.op, Status.ERROR if score is None else Status.OK, score))
            times.append(time.perf_counter() - start)
        ours, cost = 1e3 * statistics.median(times[n:]), theirs["cost_ms"][str(n)]
        assert p.op in (Op.DEBUG, Op.IMPROVE)
        lines.append(f"{n:5d} {cost['decision']:18.3f} {cost['step']:12.2f} {cost['written']:17.1f} {ours:30.4f}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))
