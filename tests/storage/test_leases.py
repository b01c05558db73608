"""A name is one process's at a time, by clocks of their own; what the clock says is said here by hand."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.storage import leases
from mlesearch.storage.lease_files import LEASES, LeaseTimes, file_name, set_times
from mlesearch.storage.leases import Lease, LeaseLost, Leases
from mlesearch.storage.processes import owner
from mlesearch.types import ConfigError

RUN = "sim_01/greedy/default/rentals/seed-0"
SOMEBODY = "1:1:1.another-boot"


class Clock:
    """Seconds that grow when they are told to."""

    def __init__(self, at: float = 1000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Owners can't be looked up, as those of another machine."""
    monkeypatch.setattr(leases, "owner", lambda: SOMEBODY)


def silent_for(clock: Clock, others: Leases, seconds: float) -> Lease | None:
    """What others get who look now, and again later."""
    assert others.claim(RUN) is None
    clock.at += seconds
    return others.claim(RUN)


def held(lease: Lease) -> bool:
    try:
        lease.check()
    except LeaseLost:
        return False
    return True


def may_write(lease: Lease) -> bool:
    """As `held`, but that a beat that is due is not made."""
    state = lease._state
    return not state.lost and state.clock() - state.beaten_s < state.times.stop_s


def files(study: Path) -> list[str]:
    return sorted(p.name for p in (study / LEASES).iterdir())


def test_one_has_it_and_others_do_not(tmp_path, clock):
    first, second = Leases(tmp_path, clock=clock), Leases(tmp_path, clock=clock)
    lease = first.claim(RUN)
    assert lease is not None
    assert (lease.generation, lease.before, lease.lost, lease.taken_over) == (1, "new", 0, False)
    assert second.claim(RUN) is None
    assert first.claim(RUN) is None, "not twice by one process either"
    lease.check()


def test_what_is_done_leaves_nothing_and_what_is_given_back_is_free_at_once(tmp_path, clock):
    ours, theirs = Leases(tmp_path, clock=clock), Leases(tmp_path, clock=clock)
    lease = ours.claim(RUN)
    lease.release(done=False)
    assert not held(lease)
    again = theirs.claim(RUN)
    assert (again.generation, again.before, again.lost) == (2, "released", 0)
    assert not again.taken_over
    again.release(done=True)
    assert files(tmp_path) == []
    assert ours.claim(RUN).generation == 1


@pytest.mark.usefixtures("elsewhere")
def test_silence_is_taken_over_after_its_time_and_not_before(tmp_path, clock):
    lease = Leases(tmp_path, clock=clock).claim(RUN)
    others = Leases(tmp_path, clock=clock)
    assert silent_for(clock, others, 89.9) is None
    clock.at += 0.2
    taken = others.claim(RUN)
    assert (taken.generation, taken.before, taken.lost, taken.taken_over) == (2, "silent", 1, True)
    assert not held(lease)
    lease.release(done=True)
    taken.check()
    assert len(files(tmp_path)) == 2, "who has lost it removes nothing"


@pytest.mark.usefixtures("elsewhere")
def test_a_beat_begins_the_time_anew(tmp_path, clock):
    lease = Leases(tmp_path, clock=clock).claim(RUN)
    others = Leases(tmp_path, clock=clock)
    for _ in range(5):
        assert silent_for(clock, others, 50) is None
        lease.beat()
    assert silent_for(clock, others, 89) is None
    clock.at += 1
    assert others.claim(RUN) is not None


@pytest.mark.usefixtures("elsewhere")
def test_whoever_looks_first_late_waits_all_the_same(tmp_path, clock):
    Leases(tmp_path, clock=clock).claim(RUN)
    clock.at += 3600
    others = Leases(tmp_path, clock=clock)
    assert silent_for(clock, others, 89) is None
    assert others.claim(RUN) is None


@pytest.mark.parametrize(("age_s", "lost"), [(29.9, False), (30.1, False), (59.9, False), (60.1, True)])
def test_an_owner_that_could_not_beat_beats_before_it_writes_or_gives_up(tmp_path, clock, age_s, lost):
    lease = Leases(tmp_path, clock=clock).claim(RUN)
    clock.at += age_s
    if lost:
        with pytest.raises(LeaseLost, match=f"{RUN}: its lease is lost .* nothing more is written here"):
            lease.check()
        clock.at -= 50
    assert held(lease) is not lost, "what is lost stays lost"


def test_an_owner_cut_off_from_its_disk_stops_and_may_go_on_when_it_is_back_in_time(tmp_path, clock, monkeypatch):
    lease = Leases(tmp_path, clock=clock).claim(RUN)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "gone")))
        clock.at += 29
        lease.beat()
        lease.check()
        clock.at += 2
        assert not held(lease)
    assert held(lease), "the disk is back, and nobody can have taken it over"


def test_a_beat_that_takes_too_long_is_none(tmp_path, clock, monkeypatch):
    lease = Leases(tmp_path, clock=clock).claim(RUN)
    write = os.pwrite

    def slow(fd: int, data: bytes, at: int) -> int:
        clock.at += 61
        return write(fd, data, at)

    monkeypatch.setattr(os, "pwrite", slow)
    lease.beat()
    assert not held(lease)


def test_an_owner_whose_clock_stood_still_sees_who_came_after(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(leases, "owner", lambda: SOMEBODY)
    still = Clock()
    lease = Leases(tmp_path, clock=still).claim(RUN)
    taken = (Leases(tmp_path, clock=clock), silent_for(clock, others := Leases(tmp_path, clock=clock), 91))[1]
    assert taken is not None
    assert others.claim(RUN) is None
    assert not held(lease)
    assert held(taken)


@pytest.mark.parametrize("how", ["file removed", "made anew by another"])
def test_an_owner_whose_file_is_not_its_own_any_more_has_lost_it(tmp_path, clock, how):
    lease = Leases(tmp_path, clock=clock).claim(RUN)
    lease.path.unlink()
    if how == "made anew by another":
        other = Leases(tmp_path, clock=clock).claim(RUN)
    lease.beat()
    assert not held(lease)
    assert how == "file removed" or held(other)


def test_the_dead_of_this_machine_are_replaced_at_once_and_counted(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from mlesearch.storage.leases import Leases;"
        "got = Leases(Path(sys.argv[1])).claim(sys.argv[2]); print(got.generation, got.before, got.lost, flush=True);"
        "os.kill(os.getpid(), 9)"
    )
    said = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), RUN], capture_output=True, text=True, check=False
        )
        said.append(done.stdout.strip())
    assert said == ["1 new 0", "2 dead 1", "3 dead 2"]
    lease = Leases(tmp_path).claim(RUN)
    assert lease.lost == 3
    lease.release(done=False)
    assert Leases(tmp_path).claim(RUN).lost == 3, "giving it back heals nothing"


def test_a_file_that_says_nothing_yet_is_somebody_s(tmp_path, clock):
    path = tmp_path / LEASES / f"{file_name(RUN)}.1"
    path.parent.mkdir()
    path.write_bytes(b"")
    others = Leases(tmp_path, clock=clock)
    assert [h.held for h in others.holders()] == [True]
    assert silent_for(clock, others, 89) is None
    clock.at += 1
    assert others.claim(RUN).lost == 1


def test_a_takeover_by_an_old_look_is_taken_back(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(leases, "owner", lambda: SOMEBODY)
    lease = Leases(tmp_path, clock=clock).claim(RUN)
    others = Leases(tmp_path, clock=clock)
    make = others._make

    def late(*args: object) -> Lease | None:
        lease._state.beaten_s = clock.at  # as if it had beaten in time and this process had slept
        lease._write("held")
        return make(*args)

    monkeypatch.setattr(others, "_make", late)
    assert silent_for(clock, others, 91) is None
    assert files(tmp_path) == [f"{file_name(RUN)}.1"]


def test_a_full_disk_claims_nothing_and_leaves_nothing(tmp_path, clock, monkeypatch):
    ours = Leases(tmp_path, clock=clock)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(leases, "write_whole", full)
        with pytest.raises(OSError, match="No space"):
            ours.claim(RUN)
    assert files(tmp_path) == []
    assert ours.claim(RUN) is not None


def test_names_keep_apart_and_are_read_back(tmp_path):
    names = ["a/b", "a__b", "a-b", "a.b", "é" * 200, "x" * 4000, "x" * 3999, "sim/x~1", "a/b.1"]
    ours = Leases(tmp_path)
    taken = list(ours.claim_each(names))
    assert [lease.name for lease in taken] == names
    assert list(ours.claim_each(names)) == []
    assert sorted(h.name for h in ours.holders()) == sorted(names)
    assert all(h.held and h.owner == owner() and h.beats == 0 and h.lost == 0 for h in ours.holders())
    taken[0].beat()
    assert {h.name: h.beats for h in ours.holders()}["a/b"] == 1
    with pytest.raises(ValueError, match="name"):
        ours.claim("")


def test_a_claim_reads_the_folder_once_however_many_runs_there_are(tmp_path, monkeypatch):
    names = [f"m/s/v/t/seed-{n}" for n in range(10_000)]
    ours = Leases(tmp_path)
    busy = list(ours.claim_each(names[:100]))
    calls = []
    listdir, open_ = os.listdir, os.open
    monkeypatch.setattr(os, "listdir", lambda *a: calls.append("list") or listdir(*a))
    monkeypatch.setattr(os, "open", lambda *a, **k: calls.append("open") or open_(*a, **k))
    assert next(Leases(tmp_path).claim_each(names)).name == names[100]
    assert calls.count("list") == 1
    assert calls.count("open") == len(busy) + 1


def test_times_are_the_study_s_and_are_checked(tmp_path):
    assert Leases(tmp_path).times == LeaseTimes(10, 30, 90)
    set_times(tmp_path, LeaseTimes(0.1, 0.3, 0.9))
    assert Leases(tmp_path).times == LeaseTimes(0.1, 0.3, 0.9)
    with pytest.raises(ConfigError, match="beat_s < stop_s < takeover_s"):
        LeaseTimes(10, 90, 30)
    (tmp_path / LEASES / "times.json").write_text(json.dumps({"beat": 1}))
    with pytest.raises(ConfigError, match=r"times\.json: beat_s, stop_s and takeover_s in seconds are needed"):
        Leases(tmp_path)


def test_beats_come_by_themselves(tmp_path):
    set_times(tmp_path, LeaseTimes(0.01, 5, 10))
    ours = Leases(tmp_path)
    lease = ours.claim(RUN)
    with lease.beating():
        while next(iter(ours.holders())).beats < 3:
            pass
    lease.release(done=True)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["pass", "beat", "claim", "wait and claim", "check", "give back", "done"]),
        st.integers(0, 1),
        st.floats(0.1, 120),
    ),
    min_size=10,
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(actions=ACTIONS, rates=st.tuples(*[st.floats(0.9, 1.1)] * 2), starts=st.tuples(*[st.floats(0, 1e6)] * 2))
def test_never_two_at_once_by_their_clocks_alone(tmp_path_factory, actions, rates, starts):
    """Two machines, clocks that agree in nothing and differ by a tenth in speed, none sees who comes after it."""
    study, now = tmp_path_factory.mktemp("study"), Clock(0.0)
    clocks = [lambda r=r, s=s: s + r * now.at for r, s in zip(rates, starts, strict=True)]
    machines = [Leases(study, clock=clock) for clock in clocks]
    mine: list[Lease | None] = [None] * 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leases, "owner", lambda: SOMEBODY)
        patch.setattr(os.path, "exists", lambda path: False)
        for action, who, seconds in actions:
            now.at += seconds if action == "pass" else 0.01
            lease = mine[who]
            if action == "beat" and lease is not None:
                lease.beat()
            elif action == "check" and lease is not None:
                held(lease)
            elif action in ("give back", "done") and lease is not None:
                lease.release(done=action == "done")
            elif action.endswith("claim") and (lease is None or not may_write(lease)):
                got = machines[who].claim(RUN)
                if got is None and action == "wait and claim":
                    now.at += seconds
                    got = machines[who].claim(RUN)
                mine[who] = got or lease
            assert sum(lease is not None and may_write(lease) for lease in mine) <= 1
