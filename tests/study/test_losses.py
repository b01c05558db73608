"""Slots that die of a run again and again: their worker sets it aside only while nobody else has had it since."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mlesearch.config.parts.resources import ProcessResources
from mlesearch.sandbox.inside import landlock
from mlesearch.storage.cell_store import finished_of
from mlesearch.storage.documents import read_result
from mlesearch.storage.lease_files import Claimant
from mlesearch.storage.leases import Lease, Leases
from mlesearch.storage.worker_files import this_worker
from mlesearch.study.runs.failures import LOSSES_SET_ASIDE
from mlesearch.study.runs.simulated import carry_out
from mlesearch.study.workers.losses import Loss, Losses
from mlesearch.study.workers.pieces import pieces_of
from mlesearch.study.workers.slots import PieceOrder, SharedWork
from tests.support.launched import listed

pytestmark = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")


@pytest.fixture
def work(tmp_path: Path) -> SharedWork:
    """Of a worker with one run to carry out."""
    made = listed(tmp_path / "main", strategy=["random"], seeds=[0], budget={"steps": 1})
    state, resources = this_worker("mine"), ProcessResources()
    return SharedWork(made.folder, made.runs, pieces_of(made.runs), resources, state, lambda: False, False, True)


def dead_slot(work: SharedWork) -> int:
    """A slot that has leased the run and is killed; returns its status."""
    pid = os.fork()
    if not pid:
        Leases(work.study).claim(work.pieces[0].name, Claimant(work.state.id))
        os.kill(os.getpid(), signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def lost(work: SharedWork, meanwhile: Callable[[], object] = lambda: None) -> Loss:
    """What follows from the last of the losses after which a run is set aside; something is done just before that."""
    losses, order = Losses(work), PieceOrder(0, work.pieces[0], 1, may_retry=False)
    for n in range(1, LOSSES_SET_ASIDE + 1):
        status = dead_slot(work)
        if n == LOSSES_SET_ASIDE:
            meanwhile()
        found = losses.note(work.state, order, status, begun=True)
    return found


def taken_over(work: SharedWork) -> Lease:
    lease = Leases(work.study).claim(work.pieces[0].name, Claimant("another"))
    assert lease is not None
    assert lease.before == "dead"
    return lease


def test_a_run_that_nobody_else_has_is_set_aside(work: SharedWork) -> None:
    (report,) = lost(work).set_aside
    assert report.error_class == "poison"
    assert (read_result(work.runs[0].folder) or {})["status"] == "failed"
    lease = Leases(work.study).claim(work.pieces[0].name, Claimant("another"))
    assert lease is not None
    assert (lease.before, lease.deaths) == ("released", ())


def test_a_run_that_another_worker_has_taken_over_is_left_to_it(work: SharedWork) -> None:
    held: list[Lease] = []
    found = lost(work, lambda: held.append(taken_over(work)))
    assert (found.set_aside, [a.status for a in found.attempts]) == ((), ["lost"])
    assert read_result(work.runs[0].folder) is None
    held[0].check()


def test_the_result_of_a_run_on_a_virtual_clock_that_another_worker_has_ended_stays(tmp_path: Path) -> None:
    """Such a run has no journal that would say that it has got further."""
    made = listed(tmp_path / "main", strategy=["random"], seeds=[0], clock="virtual", sandbox="auto")
    state, resources = this_worker("mine"), ProcessResources()
    work = SharedWork(made.folder, made.runs, pieces_of(made.runs), resources, state, lambda: False, False, True)
    run = work.runs[0]
    cell = run.folder.parent.parent

    def end() -> None:
        lease = taken_over(work)
        assert [r.status for r in carry_out([run], lambda: False, resources, lease)] == ["ok"]
        lease.release(done=True)

    assert lost(work, end).set_aside == ()
    assert finished_of(cell) == {f"{run.folder.parent.name}/{run.folder.name}"}
