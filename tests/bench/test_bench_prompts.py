"""What prompts cost: blocks, rendering, the scope of nodes, and reading a reply."""

from __future__ import annotations

import pytest

from mlesearch.models import markup
from mlesearch.operators import Scene, make
from mlesearch.operators.parse import parse
from mlesearch.operators.scope import MAX_ATTEMPTS
from mlesearch.types import (
    Direction,
    Op,
    Proposal,
)
from tests.support.prompt_scenes import BRIEF, RESOURCES, node


@pytest.mark.benchmark(group="render")
@pytest.mark.parametrize("attempts", [0, 20])
def test_benchmark_render(benchmark, attempts):
    code = "".join(f"value_{i} = frame['column_{i}'].mean() if {i} < 3 else None\n" for i in range(60))
    nodes = {i: node(i, score=float(i), code=code, plan="A plan of some length. " * 10) for i in range(20)}
    operators, _ = make(direction=Direction.MINIMIZE)
    scene = Scene(BRIEF, RESOURCES, Proposal(20, Op.IMPROVE, 0), nodes, tuple(range(attempts)))
    messages = benchmark(operators.render, scene)
    assert messages[1].content.count("<attempt ") == attempts


@pytest.mark.benchmark(group="scope")
@pytest.mark.parametrize("operators", ["aide", "aira"])
@pytest.mark.parametrize("count", [50, 1_000, 10_000])
def test_benchmark_add_and_context(benchmark, operators, count):
    """Compare the medians at 50 and at 10,000: they should be nearly equal."""
    plan = "A plan of some length. " * 10
    tree = [node(i, Op.DRAFT, score=float(i * 7919 % 10_007), plan=plan, code="x = 1\n") for i in range(count)]
    _, scope = make(direction=Direction.MAXIMIZE, operator_set=operators)
    nodes = {n.id: n for n in tree}
    for n in tree:
        scope.add(n)
    fresh = iter(range(count, count + 10**9))

    def step() -> tuple[int, ...]:
        i = next(fresh)
        nodes[i] = node(i, Op.DRAFT, score=float(i * 7919 % 10_007), plan=plan, code="x = 1\n")
        scope.add(nodes[i])
        return scope.context(Proposal(i, Op.DRAFT), nodes)

    ids = benchmark.pedantic(step, rounds=500)
    assert 10 < len(ids) <= MAX_ATTEMPTS


@pytest.mark.benchmark(group="parse")
def test_benchmark_parse(benchmark):
    code = "".join(f"value_{i} = [{i}, {i + 1}]\n" for i in range(100))
    text = f"{'A plan. ' * 20}\n\n```python\n{code}```\n"
    assert benchmark(parse, Op.IMPROVE, text).code


@pytest.mark.benchmark(group="parse long")
@pytest.mark.parametrize("steps", [40, 400])
def test_benchmark_parse_long(benchmark, steps):
    """Ten times the program should take some ten times as long, and 50,000 characters less than 0.5 s."""
    body = "".join(
        f"seed = {i}\nfor fold in range(5):\n    print(seed, fold)  # with another seed\n" for i in range(steps)
    )
    code = f"import pandas as pd\n{body}pd.DataFrame({{'id': [1]}}).to_csv('submission.csv')\n"
    text = f"I change the seed.\n\n```python\n{code}```\nThis should do better."
    assert benchmark(parse, Op.IMPROVE, text).code == code


@pytest.mark.benchmark(group="markup")
@pytest.mark.parametrize("kilobytes", [3, 300])
def test_benchmark_block(benchmark, kilobytes):
    body = "x = y if y < z else z\n" * (kilobytes * 1024 // 22)
    assert benchmark(markup.block, "program", body, node=1).startswith('<program node="1">\nx = y')
