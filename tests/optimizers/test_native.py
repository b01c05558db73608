"""A native context names only what a prompt may show, and loses nothing of it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.operators import make
from mlesearch.operators.scope import MAX_ATTEMPTS
from mlesearch.optimizers.base import factory
from mlesearch.optimizers.native import MOST_SHOWN, Shown
from mlesearch.types import Context, Direction, Node, Op, Outcome, Problem, Proposal, Status


def a_node(id, score):
    status = Status.ERROR if score is None else Status.OK
    return Node(id, Op.DRAFT, None, (), 0, f"plan {id}", "code", status, score, "", "", "")


@given(
    scores=st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=200),
    direction=st.sampled_from(Direction),
    budget=st.sampled_from([0, 100, 600, 4000, 10**6]),
    shuffle=st.randoms(use_true_random=False),
)
def test_the_named_ones_are_shown_as_all_would_be(scores, direction, budget, shuffle):
    _, scope = make(direction=direction, context_tokens=budget)
    nodes = {i: a_node(i, None if s is None else float(s)) for i, s in enumerate(scores)}
    shown = Shown(direction)
    for i in shuffle.sample(list(nodes), len(nodes)):
        shown.add(i, nodes[i].score)
    for n in nodes.values():
        scope.add(n)
    asked = len(nodes)
    everything = scope.context(Proposal(asked, Op.DRAFT, context=tuple(nodes)), nodes)
    assert scope.context(Proposal(asked, Op.DRAFT, context=shown.ids), nodes) == everything
    assert len(shown.ids) <= 2 * MOST_SHOWN == 2 * MAX_ATTEMPTS


def test_a_proposal_stays_small_however_long_the_run():
    tried = (
        ("random", {"p_draft": 1.0, "context_sample": MOST_SHOWN}),
        ("hillclimb", {}),
        ("greedy", {}),
        ("adaptive", {}),
        ("mcts", {}),
        ("mcts", {"preset": "ml_master"}),
        ("evo", {}),
        ("mcgs", {}),
    )
    for kind, params in tried:
        longest = 0

        search = factory(kind)(
            params, Problem(Direction.MAXIMIZE, 3000, Context.NATIVE), lambda i: np.random.default_rng(i)
        )
        for _ in range(3000):
            p = search.ask(0.5)
            longest = max(longest, len(p.context))
            search.tell(Outcome(p.id, p.op, Status.OK, 1.0 / (1 + p.id)))
        assert 0 < longest <= 2 * MOST_SHOWN
