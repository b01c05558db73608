"""The scope rule: what is shown, within the budget, at a cost that does not grow with the number of nodes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.models.protocol import Message
from mlesearch.operators import OPERATOR_SETS, Brief, Resources, Scene, make
from mlesearch.operators.attempts import attempt_block, program_block, tokens
from mlesearch.operators.scope import MAX_ATTEMPTS
from mlesearch.types import Direction, Node, Op, Proposal, Status

UP, DOWN = Direction.MAXIMIZE, Direction.MINIMIZE
BRIEF = Brief("t", "T", "d", "m", "minimize", "", "c")


def node(id: int, score: float | None, base: int | None = None, op: Op | None = None, plan: str = "p", **kw) -> Node:
    op = op or (Op.DRAFT if base is None else Op.IMPROVE)
    status = kw.pop("status", Status.ERROR if score is None else Status.OK)
    return Node(id, op, base, (), 0, plan, kw.pop("code", "x = 1\n"), status, score, "", "")


def scope_of(nodes: list[Node], direction=UP, **kwargs):
    _, scope = make(direction=direction, **kwargs)
    for n in nodes:
        scope.add(n)
    return scope, {n.id: n for n in nodes}


def ask(scope, nodes, op, base=None, **kw):
    return scope.context(Proposal(len(nodes), op, base, **kw), nodes)


# aide


def test_aide_shows_all_valid_nodes_best_first_and_none_for_debug():
    tree = [node(0, 0.5), node(1, None), node(2, 0.9, 0), node(3, 0.5, 0), node(4, 1, 2), node(5, math.nan)]
    scope, nodes = scope_of(tree)
    for op, base in ((Op.DRAFT, None), (Op.IMPROVE, 2), (Op.HYPOTHESIZE, 2), (Op.SELECT, 2)):
        assert ask(scope, nodes, op, base) == (4, 2, 0, 3)  # equal scores: the earlier first
    assert ask(scope, nodes, Op.DEBUG, 1) == ()
    assert ask(scope, nodes, Op.DIAGNOSE, 0, subject=2) == ()
    scope, nodes = scope_of(tree, DOWN)
    assert ask(scope, nodes, Op.IMPROVE, 2) == (0, 3, 2, 4)


def test_aide_has_no_cue():
    scope, _ = scope_of([node(0, 1.0)])
    assert scope.cue(Proposal(1, Op.DRAFT)) == scope.cue(Proposal(1, Op.IMPROVE, 0)) == ""


def test_over_the_budget_the_best_and_the_newest_stay():
    tree = [node(i, float(-abs(i - 20)), plan="word " * 40) for i in range(100)]  # the best is 20, the newest 99
    cost = tokens(attempt_block(tree[20]))
    scope, nodes = scope_of(tree, context_tokens=4 * cost + 3)
    assert ask(scope, nodes, Op.DRAFT) == (20, 19, 98, 99)
    scope, nodes = scope_of(tree, context_tokens=cost + 3)
    assert ask(scope, nodes, Op.DRAFT) == (20,)
    scope, nodes = scope_of(tree, context_tokens=0)
    assert ask(scope, nodes, Op.DRAFT) == ()


# aira


def test_aira_shows_siblings():
    tree = [node(0, 0.5), node(1, None), node(2, 0.9, 0), node(3, None, 0), node(4, 0.7, 0), node(5, 0.8, 2)]
    scope, nodes = scope_of(tree, operator_set="aira")
    assert ask(scope, nodes, Op.DRAFT) == (0, 1)
    assert ask(scope, nodes, Op.IMPROVE, 0) == (2, 4, 3)  # valid ones by score, then the failed
    assert ask(scope, nodes, Op.IMPROVE, 2) == (5,)
    assert ask(scope, nodes, Op.IMPROVE, 5) == ()


def test_aira_debug_shows_failing_ancestors_up_to_the_last_success():
    chain = [node(0, 0.1), node(1, 0.5, 0)] + [node(i, None, i - 1, Op.DEBUG) for i in range(2, 6)]
    scope, nodes = scope_of(chain, operator_set="aira")
    assert ask(scope, nodes, Op.DEBUG, 5) == (5, 4, 3, 2, 1)
    broken = [node(0, None)] + [node(i, None, i - 1, Op.DEBUG) for i in range(1, 4)]
    scope, nodes = scope_of(broken, operator_set="aira")
    assert ask(scope, nodes, Op.DEBUG, 3) == (3, 2, 1, 0)
    cost = tokens(attempt_block(broken[3]))
    scope, nodes = scope_of(broken, operator_set="aira", context_tokens=2 * cost)
    assert ask(scope, nodes, Op.DEBUG, 3) == (3, 2)


def test_aira_cue_counts_children():
    scope, _ = scope_of([], operator_set="aira")
    seen = []
    for i in range(5):
        seen.append(scope.cue(Proposal(i, Op.DRAFT)))
        scope.add(node(i, 1.0))
    assert seen == ["simple", "simple", "normal", "normal", "complex"]
    seen = []
    for i in range(5, 10):
        seen.append(scope.cue(Proposal(i, Op.IMPROVE, 0)))
        scope.add(node(i, None, 0))
    assert seen == ["simple", "simple", "normal", "normal", "complex"]
    assert scope.cue(Proposal(10, Op.DEBUG, 5)) == scope.cue(Proposal(10, Op.MERGE, 0)) == ""


# explicit contexts and merges


@pytest.mark.parametrize("operators", OPERATOR_SETS.builtin)
def test_an_explicit_context_is_kept_in_its_order(operators):
    scope, nodes = scope_of([node(i, float(i)) for i in range(5)], operator_set=operators)
    for op in (Op.IMPROVE, Op.DEBUG, Op.HYPOTHESIZE, Op.MERGE):
        assert ask(scope, nodes, op, 0, context=(1, 4, 2)) == (1, 4, 2)
        assert ask(scope, nodes, op, 0, context=()) == ()


def test_an_explicit_context_is_capped_and_keeps_its_order():
    tree = [node(i, float(-abs(i - 20)), plan="word " * 40) for i in range(100)]
    scope, nodes = scope_of(tree, context_tokens=4 * tokens(attempt_block(tree[20])) + 3)
    assert ask(scope, nodes, Op.IMPROVE, 0, context=tuple(range(100))) == (19, 20, 98, 99)
    assert ask(scope, nodes, Op.IMPROVE, 0, context=(99, 3, 20, 19, 50, 98)) == (99, 20, 19, 98)


def test_a_merge_without_context_shows_the_other_parents():
    scope, nodes = scope_of([node(0, 1.0), node(1, None), node(2, 2.0), node(3, 3.0)])
    assert ask(scope, nodes, Op.MERGE, 3, parents=(3, 2, 1, 0, 2)) == (2, 0)


def test_a_merge_counts_programs_and_always_shows_three():
    tree = [node(i, float(i), code="x = 1\n" * 100) for i in range(6)]
    cost = tokens(program_block(tree[0], "other"))
    scope, nodes = scope_of(tree, context_tokens=4 * cost)
    assert ask(scope, nodes, Op.MERGE, 5, context=(0, 1, 2, 3, 4)) == (1, 2, 3, 4)
    scope, nodes = scope_of(tree, context_tokens=0)
    assert ask(scope, nodes, Op.MERGE, 5, context=(0, 1, 2, 3, 4)) == (2, 3, 4)


# the cap holds for what a prompt really shows


def shown(messages: tuple[Message, ...]) -> list[str]:
    text = messages[1].content
    return [b for b in text.split("\n\n") if b.startswith("<attempt ")]


@given(
    plans=st.lists(st.text(st.sampled_from("ab ß漢\n"), max_size=300), max_size=30),
    budget=st.integers(0, 600),
    operators=st.sampled_from(list(OPERATOR_SETS.builtin)),
    explicit=st.booleans(),
    direction=st.sampled_from([UP, DOWN]),
)
def test_the_cap_holds_in_the_prompt(plans, budget, operators, explicit, direction):
    tree = [
        node(i, None if len(p) % 5 == 4 else float(len(p) % 7), plan=p.replace("\n\n", "\n"))
        for i, p in enumerate(plans)
    ]
    ops, scope = make(direction=direction, operator_set=operators, context_tokens=budget)
    for n in tree:
        scope.add(n)
    nodes = {n.id: n for n in tree}
    # the engine hands an explicit context on as it is, so that the operators have to cap it as well
    context = tuple(nodes) if explicit else scope.context(Proposal(len(tree), Op.DRAFT), nodes)
    scene = Scene(BRIEF, Resources(1, 1, 1), Proposal(len(tree), Op.DRAFT), nodes, context)
    blocks = shown(ops.render(scene))
    assert sum(tokens(b) for b in blocks) <= budget
    if not explicit:
        assert len(blocks) == len(context)  # the rule's own choice is never cut again
        assert list(context) == sorted(set(context), key=context.index)


def test_no_prompt_shows_more_than_the_limit():
    tree = [node(i, float(i)) for i in range(100)]
    for operators in ("aide", "aira"):
        scope, nodes = scope_of(tree, operator_set=operators, context_tokens=10**6)
        for context in (None, tuple(nodes)):
            ids = ask(scope, nodes, Op.DRAFT, context=context)
            assert len(ids) == MAX_ATTEMPTS
            assert {99, 98, 0} - set(ids) == {0}


@given(st.lists(st.one_of(st.none(), st.integers(-3, 3)), max_size=60), st.sampled_from([UP, DOWN]))
def test_aide_against_a_plain_sort(scores, direction):
    """With room for all, the context is the valid nodes, sorted (up to the limit)."""
    tree = [node(i, s) for i, s in enumerate(scores)]
    scope, nodes = scope_of(tree, direction, context_tokens=10**6)
    valid = [n for n in tree if n.score is not None]
    if len(valid) <= MAX_ATTEMPTS:
        expected = sorted(valid, key=lambda n: (-direction.sign * (n.score or 0), n.id))
        assert list(ask(scope, nodes, Op.DRAFT)) == [n.id for n in expected]
