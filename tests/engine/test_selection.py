"""The final choice: what each rule submits."""

from __future__ import annotations

import pytest

from mlesearch.engine.selection import Selection
from mlesearch.types import (
    ConfigError,
    Direction,
    Node,
    Op,
    Status,
    Verdict,
    VerdictKind,
)


def _node(id: int, score: float | None) -> Node:
    return Node(id, Op.DRAFT, None, (), 0, "", "", Status.OK if score is not None else Status.ERROR, score, "", "")


def _verdict(id: int, kind: VerdictKind) -> Verdict:
    return Verdict(id, kind)


@pytest.mark.parametrize(("direction", "best"), [(Direction.MAXIMIZE, 2), (Direction.MINIMIZE, 1)])
def test_the_best_on_validation_wins_and_ties_go_to_the_earlier(direction, best):
    s = Selection("best_validation", direction)
    for id, score in enumerate([0.5, 0.1, 0.9, 0.9, 0.1, None]):
        s.add(_node(id, score))
    assert s.best == s.chosen == best


def test_a_void_node_is_never_chosen():
    s = Selection("best_validation", Direction.MAXIMIZE)
    s.add(_node(0, 0.1))
    s.add(_node(1, 0.9))
    assert s.best == 1
    s.decide([_verdict(1, VerdictKind.VOID)])
    assert s.best == 0
    s.decide([_verdict(0, VerdictKind.VOID)])
    assert s.best is None
    assert s.chosen is None
    assert s.void == {0, 1}


def test_latest_accepted_follows_the_verdicts():
    s = Selection("latest_accepted", Direction.MAXIMIZE)
    for id, score in enumerate([0.5, 0.9, 0.2]):
        s.add(_node(id, score))
    assert s.chosen == 1  # nothing accepted yet: the best
    s.decide([_verdict(0, VerdictKind.ACCEPTED), _verdict(2, VerdictKind.ACCEPTED), _verdict(1, VerdictKind.REJECTED)])
    assert s.chosen == 2
    s.decide([_verdict(2, VerdictKind.VOID)])
    assert s.chosen == 0
    assert s.best == 1


def test_an_unknown_rule_lists_the_known():
    with pytest.raises(ConfigError, match="best_validation, revalidate, latest_accepted"):
        Selection("bset", Direction.MAXIMIZE)
