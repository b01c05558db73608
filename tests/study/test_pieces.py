"""Which piece is next: in order, but for those that may have ended their workers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlesearch.study.workers.pieces import PieceQueue


@given(n=st.integers(0, 12), doubtful=st.sets(st.integers(0, 11)), idle=st.lists(st.booleans(), max_size=40))
def test_doubtful_pieces_come_last_and_by_themselves(n: int, doubtful: set[int], idle: list[bool]) -> None:
    queue = PieceQueue(range(n))
    first = [queue.next() for _ in range(n)]
    assert first == list(range(n))
    for number in reversed(range(n)):
        (queue.isolate if number in doubtful else queue.put_back)(number)
    assert sorted(queue.numbers) == list(range(n))
    taken: list[int] = []
    plain = [number for number in range(n) if number not in doubtful]
    for nothing_under_way in idle:
        left = len(queue)
        number = queue.next(idle=nothing_under_way)
        if number is not None:
            taken.append(number)
            assert queue.isolated(number) == (number in doubtful)
            assert nothing_under_way or number not in doubtful
            assert len(queue) == left - 1
        else:
            assert len(taken) >= len(plain)
            assert not left or not nothing_under_way
    assert taken[: len(plain)] == plain[: len(taken)]
    assert taken[len(plain) :] == sorted(doubtful & set(range(n)))[: len(taken[len(plain) :])]


def test_what_is_held_elsewhere_waits_and_does_not_hold_up_what_comes_last() -> None:
    now = [0.0]
    queue = PieceQueue([0, 1], clock=lambda: now[0])
    assert queue.next() == 0
    assert queue.next() == 1
    queue.put_back(0, 5.0)
    queue.isolate(1)
    assert queue.next(idle=False) is None
    assert queue.next(idle=True) == 1
    queue.put_back(1, 2.0)
    assert queue.next(idle=True) is None
    now[0] = 6.0
    assert queue.next(idle=True) == 0, "it is doubtful still, and comes last again"
    assert queue.next(idle=False) is None
    assert queue.drop([1]) == 1
    assert len(queue) == 0
