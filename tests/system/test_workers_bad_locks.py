"""Four workers on two machines, on a file system whose locks are none, lie, or hold on one machine: every run once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mlesearch.sandbox.inside import landlock
from mlesearch.storage.lease_files import LeaseTimes, set_times
from mlesearch.storage.worker_files import read_attempts, read_workers
from tests.support.command import cli
from tests.support.journals import once_each, same_tables
from tests.support.launched import listed, work
from tests.support.machines import LOCKS, on_machine, with_locks

pytestmark = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")


@pytest.mark.parametrize("locks", LOCKS)
def test_every_run_is_made_once(whole: Path, tmp_path: Path, locks: str) -> None:
    study = tmp_path / "studies/main"
    listed(study)
    set_times(study, LeaseTimes(1, 20, 40))
    env = with_locks(study, locks)
    workers = [work(study, "--jobs", "2", before=on_machine(name), env=env) for name in ("one", "two")]
    for worker in workers:
        out, err = worker.communicate(timeout=280)
        assert worker.returncode == 0, out + err
    once_each(study)
    same_tables(whole, study)
    attempts = Counter(attempt.run_id for attempt in read_attempts(study))
    assert len(attempts) == 4
    assert set(attempts.values()) == {1}
    assert {worker.host for worker in read_workers(study)} == {"one", "two"}
    done = cli(tmp_path, "cassette", "verify", str(study))
    assert "twice" not in done.stdout + done.stderr
