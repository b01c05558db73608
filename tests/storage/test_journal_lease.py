"""A journal under a lease: one writer whatever the locks are worth, and nothing from one that has lost it."""

import errno
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from mlesearch.storage import leases as leases_module
from mlesearch.storage.journal import JOURNAL, Journal, JournalBusy, read
from mlesearch.storage.lease_files import LeaseTimes, set_times
from mlesearch.storage.leases import Lease, LeaseLost, Leases
from tests.support.machines import LOCKS, innermost, on_machine, with_locks
from tests.support.paths import ROOT

HEADER = {"run": "x"}
AGAIN = 75


def asked(n: int) -> dict[str, object]:
    return {"type": "asked", "i": n}


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Lease, Lease]:
    """An owner of another machine that was silent for long, and who came after it."""
    with monkeypatch.context() as patch:
        patch.setattr(leases_module, "owner", lambda: "1:1:1.another-boot")
        first = Leases(tmp_path, clock=lambda: 0.0).claim("run")
    now = [0.0]
    second = Leases(tmp_path, clock=lambda: now[0])
    assert second.claim("run") is None
    now[0] = 91.0
    return first, second.claim("run")


def test_who_has_lost_its_lease_writes_nothing(tmp_path):
    lease = Leases(tmp_path).claim("run")
    with Journal(tmp_path / JOURNAL, HEADER, lease=lease) as journal:
        journal.append(asked(0))
        before = (tmp_path / JOURNAL).read_bytes()
        lease.release(done=False)
        with pytest.raises(LeaseLost):
            journal.append(asked(1))
    with pytest.raises(LeaseLost):
        Journal(tmp_path / JOURNAL, HEADER, lease=lease)
    assert (tmp_path / JOURNAL).read_bytes() == before


def test_what_an_earlier_owner_writes_late_is_in_no_journal(tmp_path, two, monkeypatch):
    """Its check has passed, it is stopped before its write, and wakes when another has gone on: see what it does."""
    first, second = two
    path = tmp_path / JOURNAL
    with monkeypatch.context() as patch:
        patch.setattr(os.path, "exists", lambda _: False)  # as if the other came after this look
        old = Journal(path, HEADER, lease=first)
        old.append(asked(0))
        with Journal(path, HEADER, lease=second) as new:  # does not wait for the lock that the other keeps
            assert [e["i"] for e in new.events] == [0]
            new.append(asked(1))
            os.write(old._fd, b'{"type":"asked","i":99}\n')
            new.append(asked(2))
            with pytest.raises(JournalBusy, match="another process has taken this run over; nothing more is written"):
                old.append(asked(98))
    old.close()
    assert [e["i"] for e in read(path)[1]] == [0, 1, 2]
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_journal_that_its_earlier_owner_only_began_is_begun_anew(tmp_path, two):
    (tmp_path / JOURNAL).write_bytes(b"")
    with Journal(tmp_path / JOURNAL, HEADER, lease=two[1]) as journal:
        journal.append(asked(0))
    assert len(read(tmp_path / JOURNAL)[1]) == 1


def test_a_torn_tail_is_not_taken_along(tmp_path, two):
    with Journal(tmp_path / JOURNAL, HEADER) as journal:
        journal.append(asked(0))
    with open(tmp_path / JOURNAL, "ab") as file:
        file.write(b'{"type":"asked",')
    with Journal(tmp_path / JOURNAL, HEADER, lease=two[1]) as journal:
        journal.append(asked(1))
    assert [e["i"] for e in read(tmp_path / JOURNAL)[1]] == [0, 1]


def test_a_lock_that_waited_for_a_file_that_was_replaced_is_taken_anew(tmp_path):
    path = tmp_path / JOURNAL
    with Journal(path, HEADER) as journal:
        journal.append(asked(0))
    there, real = os.stat(path), fcntl.flock

    def flock(fd: int, how: int) -> None:
        real(fd, how)
        if os.fstat(fd).st_ino == there.st_ino:
            path.with_name("new").write_bytes(path.read_bytes())
            os.replace(path.with_name("new"), path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        with Journal(path, HEADER) as journal:
            journal.append(asked(1))
    assert [e["i"] for e in read(path)[1]] == [0, 1]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_lease_does_without_locks_and_nothing_else_does(tmp_path, monkeypatch, number):
    def flock(fd: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    def sleep(_: float) -> None:
        pytest.fail("it waits for locks that there are none of")

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(OSError, match="No locks available"):
        Journal(tmp_path / "without", HEADER)
    with Journal(tmp_path / JOURNAL, HEADER, lease=Leases(tmp_path).claim("run")) as journal:
        journal.append(asked(0))
    assert len(read(tmp_path / JOURNAL)[1]) == 1


def test_a_lease_of_its_own_waits_for_a_writer_without_one(tmp_path):
    with Journal(tmp_path / JOURNAL, HEADER), pytest.raises(JournalBusy):
        Journal(tmp_path / JOURNAL, HEADER, lease=Leases(tmp_path).claim("run"), lock_wait_s=0.1)


def start(study: Path, where: list[str], locks: str | None, runs: int, events: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.support.lease_worker", str(study), str(runs), str(events), "0.02"]
    variables = {**with_locks(study, locks)}
    variables["PYTHONPATH"] = f"{ROOT}{os.pathsep}{variables.get('PYTHONPATH', '')}"
    return subprocess.Popen([*where, *words], env=variables, stdout=subprocess.PIPE, text=True)


def once_each(study: Path, runs: int, events: int) -> None:
    for n in range(runs):
        found = read(study / f"run-{n}" / JOURNAL)[1]
        assert [e.get("p", {}).get("id") for e in found] == [*range(events), None], f"run-{n}"
    assert [p.name for p in (study / "leases").iterdir()] == ["times.json"]


@pytest.mark.parametrize("locks", [None, *LOCKS])
def test_workers_of_two_machines_that_are_killed_write_each_event_once(tmp_path, locks):
    study, (runs, events), chance = tmp_path / "study", (14, 40), random.Random(7)
    study.mkdir()
    set_times(study, LeaseTimes(0.1, 0.5, 1.5))
    machines = [on_machine("one"), on_machine("two")] * 2
    workers = [start(study, where, locks, runs, events) for where in machines]
    ends: Counter[int] = Counter()
    kills = 5
    while any(worker is not None for worker in workers):
        time.sleep(0.2)
        for n, worker in enumerate(workers):
            code = None if worker is None else worker.poll()
            if code is not None:
                worker.stdout.close()
                ends[code] += 1
                workers[n] = start(study, machines[n], locks, runs, events) if code else None
        living = [worker for worker in workers if worker is not None]
        if kills and living and sum(holder.held for holder in Leases(study).holders()) == len(workers):
            kills -= 1
            victim = chance.choice(living)
            os.kill(innermost(victim), signal.SIGKILL)
            victim.wait(timeout=60)
    assert ends[0] == 4
    assert sum(ends.values()) - ends[0] - ends[AGAIN] >= 3, f"hardly one was killed: {ends}"
    once_each(study, runs, events)


@pytest.mark.parametrize("locks", [None, "no locks"])
def test_a_worker_that_is_stopped_past_the_takeover_and_woken_writes_nothing(tmp_path, locks):
    study, events = tmp_path / "study", 60
    study.mkdir()
    set_times(study, LeaseTimes(0.1, 0.5, 1.5))
    first = start(study, on_machine("one"), locks, 1, events)
    journal = study / "run-0" / JOURNAL
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 5):
        time.sleep(0.01)
    stopped = innermost(first)
    os.kill(stopped, signal.SIGSTOP)
    second = start(study, on_machine("two"), locks, 1, events)
    while next(iter(Leases(study).holders())).generation == 1:
        time.sleep(0.01)
    os.kill(stopped, signal.SIGCONT)
    said, _ = first.communicate(timeout=60)
    assert first.returncode == AGAIN
    assert "run-0: its lease is lost" in said
    assert second.wait(timeout=60) == 0
    second.stdout.close()
    once_each(study, 1, events)
