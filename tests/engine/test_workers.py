"""Who carries out blocking work: inline, threads, or virtual workers in charged order."""

from __future__ import annotations

import pytest

from mlesearch.engine.workers import InlineWorkers, ThreadWorkers, VirtualWorkers


def test_virtual_workers_end_in_charged_order_with_ties_by_proposal():
    at = {0: 0, 1: 0, 2: 3}
    workers = VirtualWorkers(at.__getitem__, lambda us: us)
    workers.submit(0, lambda: 5, (4, 0))
    workers.submit(1, lambda: 5, (3, 0))
    workers.submit(2, lambda: 1, (9, 0))
    assert [workers.next().worker for _ in range(3)] == [2, 1, 0]


@pytest.mark.parametrize("workers", [InlineWorkers(), ThreadWorkers(1), VirtualWorkers(lambda w: 0, lambda r: 0)])
def test_workers_bring_errors_back(workers):
    def broken() -> None:
        raise ValueError("inside")

    workers.submit(0, broken, (0, 0))
    done = workers.next()
    assert isinstance(done.error, ValueError)
    workers.submit(0, lambda: 7, (0, 1))
    assert workers.next().result == 7
    workers.close()
