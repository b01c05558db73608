"""Charged time, one timeline a worker."""

from __future__ import annotations

from mlesearch.engine.clock import Timelines


def test_timelines():
    t = Timelines(2)
    assert t.charge(0, 10) == 10
    assert t.charge(1, 4) == 4
    assert t.next_idle(set()) == 1
    assert t.start(1, 7) == 7
    assert t.start(0, 7) == 10
    assert t.furthest == 10
