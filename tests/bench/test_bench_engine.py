"""The engine's own cost per proposal, with a model and a sandbox that cost nothing, on a tree of 50 to 10,000 nodes.

From ask to tell, with the prompt rendered, the reply parsed, the blobs and all four events written. Each program is
new: nothing is saved by meeting a text again. The median of `engine overhead` at 10,000 nodes over that at 50 is the
figure that must stay flat. Among the other tests, without its figures, no tree has more than 300.
"""

import pytest

from mlesearch.budgets.meter import Budget
from mlesearch.engine.loop import Engine
from tests.support import toy_run
from tests.support.toy_run import ToyModel, ToySandbox

SIZES = (50, 1_000, 10_000)


@pytest.mark.parametrize("nodes", SIZES)
@pytest.mark.benchmark(group="engine overhead per proposal (greedy, journal included)")
def test_engine_overhead(benchmark, tmp_path, nodes):
    nodes = nodes if benchmark.enabled else min(nodes, 300)
    made = toy_run.parts(
        tmp_path,
        budget=Budget(steps=nodes + 2_000),
        model=ToyModel(keep=False),
        sandbox=ToySandbox(keep=False),
        review=False,
    )
    engine = Engine(made)

    def one() -> None:
        told = len(engine.nodes)
        while len(engine.nodes) == told:
            engine.advance()

    for _ in range(nodes):
        one()
    benchmark.pedantic(one, rounds=1_000, warmup_rounds=20)
    assert len(engine.nodes) >= nodes
    made.folder.close()
