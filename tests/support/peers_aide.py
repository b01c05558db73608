"""Runs inside `.venv-peers`: drives the search of the published package `aideml` with fake model and fake programs.

Reads a JSON object from standard input and prints one. The policy, the journal, the nodes, the metric and the loop
(`Agent.step`) are the package's own; what is replaced is `query` (the call to a provider) and the interpreter. The
package draws from the global generator for its policy, and for the order of packages that a draft's prompt lists; only
the policy reads the stream that is compared.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aide
import aide.agent
from aide.agent import Agent
from aide.interpreter import ExecutionResult
from aide.journal import Journal, Node
from aide.utils.config import _load_cfg
from aide.utils.metric import MetricValue
from aide.utils.serialize import dumps_json


class Streamed(Agent):
    """The package's agent, whose policy reads a stream of its own."""

    stream: Any

    def search_policy(self) -> Any:
        outside = random.getstate()
        random.setstate(self.stream)
        node = super().search_policy()
        self.stream = random.getstate()
        random.setstate(outside)
        return node


EMPTY = tempfile.TemporaryDirectory()  # the task's data, of which the package makes a preview


def config(num_drafts: int, debug_prob: float, max_debug_depth: int) -> Any:
    cfg = _load_cfg(use_cli_args=False)
    cfg.agent.data_preview = False
    cfg.workspace_dir = Path(EMPTY.name)
    cfg.agent.search.num_drafts = num_drafts
    cfg.agent.search.debug_prob = debug_prob
    cfg.agent.search.max_debug_depth = max_debug_depth
    return cfg


def agent(settings: tuple[int, float, int], seed: int) -> Streamed:
    made = Streamed("Predict y.", config(*settings), Journal())
    made.stream = random.Random(seed).getstate()
    return made


class World:
    """The fake model and the fake interpreter: the score of a program is the next of a list, None for a bug.

    A bug shows in one of the three ways that the package knows: an exception, the review's word, or no metric.
    """

    def __init__(self, scores: list[float | None], minimise: bool) -> None:
        self.scores, self.minimise, self.made = scores, minimise, 0

    def query(self, system_message: Any, user_message: Any, model: Any, func_spec: Any = None, **kwargs: Any) -> Any:
        if func_spec is None:
            return f"A plan for program {self.made}.\n\n```python\nnumber = {self.made}\n```"
        score, way = self.scores[self.made - 1], (self.made - 1) % 3
        return {
            "is_bug": score is None and way == 1,
            "summary": "a summary",
            "metric": None if score is None and way == 2 else 1e9 if score is None else score,
            "lower_is_better": self.minimise,
        }

    def run(self, code: str, reset_session: bool) -> Any:
        assert code.strip() == f"number = {self.made}", code
        failed = self.scores[self.made] is None and self.made % 3 == 0
        self.made += 1
        return ExecutionResult(["some output"], 0.1, "ValueError" if failed else None)


def sequence(run: dict[str, Any]) -> dict[str, Any]:
    """(operator, edited node) of each step, and the node that the package would submit."""
    world = World(run["scores"], run["minimise"])
    aide.agent.query = world.query
    a = agent(run["settings"], run["seed"])
    for _ in run["scores"]:
        a.step(world.run)
    assert world.made == len(a.journal) == len(run["scores"])
    steps = [[n.stage_name, None if n.parent is None else n.parent.step] for n in a.journal.nodes]
    best = a.journal.get_best_node()
    return {"steps": steps, "best": None if best is None else best.step}


def cost_ms(nodes: int, repeats: int) -> dict[str, float]:
    """Medians of what one node costs the package itself, in milliseconds, with `nodes` nodes in the journal."""
    draws = random.Random(nodes)
    scores: list[float | None] = [None if draws.random() < 0.3 else draws.random() for _ in range(nodes + repeats)]
    world = World(scores, False)
    aide.agent.query = world.query
    a = agent((5, 0.5, 3), nodes)
    for _ in range(nodes):
        a.step(world.run)
    decision, step, written = [], [], []
    for _ in range(repeats):
        start = time.perf_counter()
        parent = a.search_policy()
        node = Node(code="number = 0", plan="a plan", parent=parent)
        a.journal.append(node)
        decision.append(time.perf_counter() - start)
        a.journal.nodes.pop()  # it only served the clock
        if parent is not None:
            parent.children.discard(node)
        start = time.perf_counter()
        a.step(world.run)
        step.append(time.perf_counter() - start)
    for _ in range(3):
        start = time.perf_counter()
        dumps_json(a.journal)
        written.append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(times) for name, times in (
        ("decision", decision), ("step", step), ("written", written)
    )}  # fmt: skip


def main() -> None:
    asked = json.load(sys.stdin)
    sys.setrecursionlimit(100_000)
    assert MetricValue(1.0, maximize=True) > MetricValue(0.5, maximize=True)
    print(json.dumps({
        "sequences": [sequence(run) for run in asked["runs"]],
        "cost_ms": {str(n): cost_ms(n, asked["repeats"]) for n in asked["nodes"]},
    }))  # fmt: skip


if __name__ == "__main__":
    main()
