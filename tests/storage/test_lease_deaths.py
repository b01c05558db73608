"""How often workers died of a run without getting further with it: by its lease, whoever has it next."""

import json
import os
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.storage import leases
from mlesearch.storage.journal import whole_bytes
from mlesearch.storage.lease_files import LEASES, Claimant, FruitlessDeath, LeaseTimes, file_name, head
from mlesearch.storage.leases import Lease, Leases

RUN = "sim_01/greedy/default/rentals/seed-0"
HOST = os.uname().nodename


@dataclass
class Tenure:
    """A lease from its claim to its end, as the test has brought it about."""

    worker: str
    mark: int
    isolated: bool
    forgot: bool
    died: bool = False


@dataclass
class Cluster:
    """Workers that claim one run, die, and are followed by others; by hand."""

    leases: Leases
    dead: set[str] = field(default_factory=set)
    now_s: float = 0.0
    journal: int = 0
    lease: Lease | None = None
    past: list[Tenure] = field(default_factory=list)

    def claim(self, worker: str, *, isolated: bool = False, forgets: bool = False) -> Lease:
        self.owner = f"{len(self.past)}"
        self.lease = self.leases.claim(RUN, Claimant(worker, lambda: self.journal, isolated, forgets))
        assert self.lease is not None
        self.past.append(Tenure(worker, self.journal, isolated, forgets))
        return self.lease

    def die(self) -> None:
        self.dead.add(self.owner)
        self.past[-1].died = True

    def counted(self) -> list[FruitlessDeath]:
        """What the newest lease is to say, from the whole history at once."""
        found: list[FruitlessDeath] = []
        for before, after in zip(reversed(self.past[:-1]), reversed(self.past[1:]), strict=True):
            if after.forgot or after.mark > before.mark:
                break
            if before.died and before.worker and after.worker and before.worker != after.worker:
                found.insert(0, FruitlessDeath(before.worker, HOST, before.isolated))
        return found[-20:]


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    made = Cluster(Leases(tmp_path))
    monkeypatch.setattr(leases, "owner", lambda: made.owner)
    monkeypatch.setattr(leases, "gone", lambda whose: whose in made.dead)
    return made


WORKERS = st.sampled_from(["a", "b", "c", ""])
TENURES = st.lists(
    st.tuples(WORKERS, st.integers(-2, 2), st.sampled_from(["dies", "dies", "dies", "gives back"]), st.booleans()),
    min_size=1,
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(tenures=TENURES, forgets=st.sets(st.integers(0, 29), max_size=2))
def test_what_counts_is_the_deaths_since_the_run_got_further(tmp_path_factory, tenures, forgets):
    made = Cluster(Leases(tmp_path_factory.mktemp("study")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leases, "owner", lambda: made.owner)
        patch.setattr(leases, "gone", lambda whose: whose in made.dead)
        for n, (worker, grows, ends, isolated) in enumerate(tenures):
            lease = made.claim(worker, isolated=isolated, forgets=n in forgets)
            assert list(lease.deaths) == made.counted()
            assert [h.deaths for h in made.leases.holders()] == [lease.deaths]
            made.journal = max(0, made.journal + grows)
            if ends == "dies":
                made.die()
            else:
                lease.release(done=False)


@settings(max_examples=50, deadline=None)
@given(workers=st.lists(st.sampled_from("abc"), min_size=1, max_size=20), grows=st.integers(1, 5))
def test_a_run_that_gets_further_with_each_worker_has_nothing_against_it(tmp_path_factory, workers, grows):
    made = Cluster(Leases(tmp_path_factory.mktemp("study")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leases, "owner", lambda: made.owner)
        patch.setattr(leases, "gone", lambda whose: whose in made.dead)
        for worker in workers:
            assert made.claim(worker).deaths == ()
            made.journal += grows
            made.die()


def test_what_is_given_back_in_order_counts_nothing_and_heals_nothing(cluster):
    cluster.claim("a")
    cluster.die()
    for worker in "bcd":
        lease = cluster.claim(worker)
        assert [d.worker for d in lease.deaths] == ["a"]
        lease.release(done=False)
    assert cluster.claim("e").deaths == (FruitlessDeath("a", HOST, isolated=False),)


def test_what_a_worker_loses_itself_is_its_own_to_count(cluster):
    for _ in range(4):
        assert cluster.claim("a").deaths == ()
        cluster.die()
    assert [d.worker for d in cluster.claim("b").deaths] == ["a"], "its last process is nobody's any more"


def test_a_dead_process_is_its_own_worker_s_to_replace(tmp_path, monkeypatch):
    """Others have it once that worker is dead, too, which counts; or once it has not gone on for long: it lives."""
    now, dead = [0.0], {"slot"}
    monkeypatch.setattr(leases, "owner", lambda: "slot")
    monkeypatch.setattr(leases, "gone", lambda whose: whose in dead)

    def leased(name: str) -> Leases:
        made = Leases(tmp_path, clock=lambda: now[0])
        assert made.claim(name, Claimant("a", supervisor="supervisor of a")) is not None
        assert made.claim(name, Claimant("b", supervisor="supervisor of b")) is None
        assert made.claim(name) is None
        made.forget_deaths([name])
        return made

    own = leased("own").claim("own", Claimant("a", supervisor="supervisor of a"))
    assert (own.before, own.deaths, own.generation) == ("dead", (), 2)
    forgotten = leased("forgotten")
    forgotten.forget_deaths(["forgotten"], "a")
    assert forgotten.claim("forgotten", Claimant("b")).before == "released"
    late = leased("late")
    now[0] += 91
    taken = late.claim("late", Claimant("b", supervisor="supervisor of b"))
    assert (taken.before, taken.deaths, taken.taken_over) == ("left", (), True)
    orphaned = leased("orphaned")
    dead.add("supervisor of a")
    taken = orphaned.claim("orphaned", Claimant("b", supervisor="supervisor of b"))
    assert (taken.before, [d.worker for d in taken.deaths]) == ("dead", ["a"])


def test_a_silent_owner_counts_as_one_that_died(tmp_path, monkeypatch):
    now = [0.0]
    ours = Leases(tmp_path, LeaseTimes(), clock=lambda: now[0])
    monkeypatch.setattr(leases, "owner", lambda: "1:1:1.another-boot")
    ours.claim(RUN, Claimant("a", isolated=True))
    assert ours.claim(RUN, Claimant("b")) is None
    now[0] += 91
    lease = ours.claim(RUN, Claimant("b"))
    assert lease.deaths == (FruitlessDeath("a", HOST, isolated=True),)
    assert lease.last is not None
    assert (lease.last.worker, lease.last.host) == ("a", HOST)


def test_forgetting_leaves_what_guards_the_journal_and_what_is_held(cluster, tmp_path):
    for worker in "abc":
        cluster.claim(worker)
        cluster.die()
    cluster.owner = "requeue"
    cluster.leases.forget_deaths([RUN, "another/run"])
    assert [p.name for p in (tmp_path / LEASES).iterdir() if "another" in p.name] == []
    lease = cluster.claim("d")
    assert (lease.deaths, lease.lost, lease.taken_over) == ((), 3, True)
    cluster.leases.forget_deaths([RUN])
    lease.check()


def test_a_lease_of_an_earlier_version_counts_nothing(cluster, tmp_path):
    body = {"name": RUN, "owner": "0", "host": "old", "token": "x", "lost": 2}
    (tmp_path / LEASES).mkdir()
    (tmp_path / LEASES / f"{file_name(RUN)}.3").write_bytes(head("held", 5) + f"{json.dumps(body)}\n".encode())
    cluster.dead.add("0")
    lease = cluster.claim("a")
    assert (lease.deaths, lease.lost, lease.generation) == ((), 3, 4)


@given(
    lines=st.lists(st.binary(max_size=40).filter(lambda b: b"\n" not in b), max_size=6), torn=st.binary(max_size=200)
)
def test_how_long_a_journal_is_without_its_torn_line(tmp_path_factory, lines, torn):
    path = tmp_path_factory.mktemp("run") / "journal.jsonl"
    assert whole_bytes(path) == 0
    whole = b"".join(line + b"\n" for line in lines)
    path.write_bytes(whole + torn.replace(b"\n", b"") * 1000)
    assert whole_bytes(path) == len(whole)
