"""Limits shared across processes: the gate in front of a provider, and where its counters lies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlesearch.models.attempt import Failure, Success
from mlesearch.models.limits.breakers import COOL_OFF_S, REFUSED_S, TRIP
from mlesearch.models.limits.counters import CallCountersError
from mlesearch.models.limits.gate import Channel, Gate, Pass, gate
from mlesearch.models.limits.place import THIS_PROCESS, CountersPlace, part_of, place_of
from mlesearch.models.limits.windows import Caps, Wait
from mlesearch.models.live.params import read_live
from mlesearch.models.protocol import AuthFailed, ContextOverflow, QuotaExhausted, RetriesExhausted
from mlesearch.storage.file_systems import mount_of
from mlesearch.types import ConfigError
from tests.support.call_limits import Clock

BUSY = Failure(RetriesExhausted, True, "HTTP 500: busy")
REFUSED = Failure(AuthFailed, False, "the provider refuses the key")


# failing models


def _open_breaker(standing: Gate, channel: Channel, clock: Clock) -> Pass:
    """Fail until the breaker opens, wait for its end, and give the pass of the call that tries."""
    for _ in range(TRIP):
        entered = standing.enter(channel, 1, 1.0, 600.0)
        assert isinstance(entered, Pass)
        standing.leave(entered, 0, BUSY)
    clock.now_s += COOL_OFF_S
    trying = standing.enter(channel, 1, 1.0, 600.0)
    assert isinstance(trying, Pass)
    assert isinstance(standing.counters.reserve(channel.bucket, channel.model, channel.caps, 1, 1, 600.0), Wait)
    return trying


@pytest.mark.parametrize("result", [None, Failure(ContextOverflow, False, "the prompt is too long"), REFUSED])
def test_a_try_that_says_nothing_of_the_model_holds_nobody(clock: Clock, result: Failure | None) -> None:
    standing, channel = Gate(THIS_PROCESS), Channel("key", "model")
    standing.leave(_open_breaker(standing, channel, clock), 0, result)
    assert isinstance(standing.enter(channel, 1, 1.0, 600.0), Pass)


def test_a_refused_key_answers_for_all_calls_of_a_study_for_a_while(clock: Clock, tmp_path: Path) -> None:
    channel = Channel("KEY", "model")
    place = CountersPlace(tmp_path / "l.db")
    ours, theirs, alone = Gate(place), Gate(place), Gate(THIS_PROCESS)
    for standing in (ours, alone):
        entered = standing.enter(channel, 1, 1.0, 1.0)
        assert isinstance(entered, Pass)
        standing.leave(entered, 0, REFUSED)
    said = theirs.enter(channel, 1, 1.0, 1.0)
    assert said == Failure(AuthFailed, False, REFUSED.text)
    assert isinstance(theirs.enter(Channel("KEY", "another"), 1, 1.0, 1.0), Pass)
    assert isinstance(alone.enter(channel, 1, 1.0, 1.0), Pass)  # a process alone may be given another key at any time
    clock.now_s += REFUSED_S + 1
    assert isinstance(theirs.enter(channel, 1, 1.0, 1.0), Pass)
    ours.leave(Pass(channel, None, clock.now_s), 0, Failure(QuotaExhausted, False, "no credit left"))
    assert isinstance(theirs.enter(channel, 1, 1.0, 1.0), Failure)
    theirs.counters.reset_breakers()
    assert isinstance(ours.enter(channel, 1, 1.0, 1.0), Pass)
    for standing in (ours, theirs):
        standing.counters.close()


# the gate


def test_a_wait_ends_at_the_deadline_and_gives_the_turn_up() -> None:
    standing, channel = Gate(THIS_PROCESS), Channel("key", "model", Caps(requests=1))
    assert isinstance(standing.enter(channel, 1, 1.0, 1.0), Pass)
    said = standing.enter(channel, 1, 0.1, 1.0)
    assert isinstance(said, Failure)
    assert said.retryable
    assert "limit of requests a minute is used up" in said.text
    with standing.counters._database.reading() as db:
        assert db.execute("SELECT count(*) FROM queue").fetchone() == (0,)


@pytest.mark.parametrize("limits", [Caps(requests=100), Caps()], ids=["own limits", "those of its key"])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_model_that_fails_holds_up_no_other_of_its_key(processes: int, limits: Caps, tmp_path: Path) -> None:
    gates = [Gate(CountersPlace(tmp_path / "limits.db")) for _ in range(processes)]
    failing, healthy = Channel("key", "failing", limits), Channel("key", "healthy", Caps(requests=100))
    assert isinstance(gates[0].enter(healthy, 1, 1.0, 1.0), Pass)
    gates[0].counters.failed(failing.model, time.monotonic(), 60.0)  # it asks for a pause of a minute
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(gates[0].enter, failing, 1, 2.0, 1.0) for _ in range(3)]
        time.sleep(0.2)
        begun = time.monotonic()
        assert isinstance(gates[-1].enter(healthy, 1, 1.5, 1.0), Pass)
        assert time.monotonic() - begun < 1.0
        said = [w.result() for w in waiting]
    assert all(isinstance(s, Failure) and "asked for a pause" in s.text for s in said)
    for standing in gates:
        standing.counters.close()


def test_a_model_that_comes_back_takes_its_place_among_the_others() -> None:
    """Many calls of a healthy model under a limit: one whose model was paused for a moment goes all the same."""
    standing, caps = Gate(THIS_PROCESS), Caps(requests=10, in_flight=2, window_s=0.5)
    paused, healthy = Channel("key", "paused", caps), Channel("key", "healthy", caps)
    standing.counters.failed(paused.model, time.monotonic(), 0.5)
    done: list[str] = []

    def call(channel: Channel) -> None:
        entered = standing.enter(channel, 1, 60.0, 60.0)
        assert isinstance(entered, Pass)
        done.append(channel.model)
        standing.leave(entered, 1, Success("", 1))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(call, [paused] * 4 + [healthy] * 26))
    assert "paused" not in done[:8]  # the others went meanwhile
    assert sorted(done) == ["healthy"] * 26 + ["paused"] * 4
    assert standing.counters.totals("key") == (30, 30)


def test_a_model_without_limits_waits_for_those_of_its_key() -> None:
    standing, free = Gate(THIS_PROCESS), Channel("key", "without")
    for _ in range(3):
        assert isinstance(standing.enter(free, 1, 1.0, 1.0), Pass)
    assert standing.counters.totals("key") == (0, 0)
    assert isinstance(standing.enter(Channel("key", "with", Caps(in_flight=2)), 1, 1.0, 60.0), Pass)
    entered = standing.enter(free, 1, 1.0, 60.0)
    assert isinstance(entered, Pass)
    said = standing.enter(free, 1, 0.1, 60.0)
    assert isinstance(said, Failure)
    assert "2 calls are in flight" in said.text
    standing.leave(entered, 7, Success("", 1))
    assert isinstance(standing.enter(free, 1, 1.0, 60.0), Pass)
    assert standing.counters.totals("key") == (3, 9)


def test_a_call_that_ends_lets_the_next_one_in() -> None:
    standing, channel = Gate(THIS_PROCESS), Channel("key", "model", Caps(in_flight=2))
    at_once, most, lock = 0, 0, threading.Lock()

    def call(_n: int) -> None:
        nonlocal at_once, most
        entered = standing.enter(channel, 1, 60.0, 60.0)
        assert isinstance(entered, Pass)
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.002)
        with lock:
            at_once -= 1
        standing.leave(entered, 1, Success("", 1))

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(call, range(60)))
    assert most == 2
    assert standing.counters.totals("key") == (60, 60)


def test_a_killed_process_gives_its_place_back(tmp_path: Path) -> None:
    path = tmp_path / "limits.db"
    code = (
        "import os, sys; from pathlib import Path\n"
        "from mlesearch.models.limits.gate import Gate, Channel\n"
        "from mlesearch.models.limits.place import CountersPlace\n"
        "from mlesearch.models.limits.windows import Caps\n"
        f"Gate(CountersPlace(Path({str(path)!r}))).enter(Channel('key', 'm', Caps(in_flight=1)), 1, 1.0, 600.0)\n"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == -9
    standing = Gate(CountersPlace(path))
    assert isinstance(standing.enter(Channel("key", "m", Caps(in_flight=1)), 1, 5.0, 600.0), Pass)
    assert isinstance(standing.enter(Channel("key", "m", Caps(in_flight=1)), 1, 0.1, 600.0), Failure)
    assert standing.counters.totals("key") == (2, 2)
    standing.counters.close()


def test_a_fork_has_a_gate_of_its_own(tmp_path: Path) -> None:
    shared = CountersPlace(tmp_path / "limits.db")
    channel = Channel("key", "m", Caps(in_flight=8))
    mine = gate(shared)
    assert mine is gate(shared)
    entered = mine.enter(channel, 1, 1.0, 1.0)
    child = os.fork()
    if child == 0:
        theirs = gate(shared)
        ok = theirs is not mine and isinstance(theirs.enter(channel, 1, 1.0, 1.0), Pass)
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert isinstance(entered, Pass)
    mine.leave(entered, 5, Success("", 1))
    assert mine.counters.totals("key") == (2, 6)
    mine.counters.close()


def test_a_database_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "limits.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(CallCountersError, match=r"limits\.db can't be used"):
        Gate(CountersPlace(path)).enter(Channel("key", "m"), 1, 1.0, 1.0)


# where it lies


def test_on_a_network_file_system_nothing_is_shared(tmp_path: Path) -> None:
    assert place_of(tmp_path, None) == CountersPlace(tmp_path / "limits.db")
    assert place_of(tmp_path, None, network=True, limited=False) == THIS_PROCESS
    with pytest.raises(ConfigError, match=r"limits\.partition: .* network file system") as caught:
        place_of(tmp_path, None, network=True)
    assert "\n" not in str(caught.value)
    apart = place_of(tmp_path, 4, network=True)
    assert apart.parts == 4
    assert apart.path is not None
    assert not apart.path.is_relative_to(tmp_path)
    assert apart == place_of(tmp_path, 4)
    assert apart != place_of(tmp_path / "other", 4)
    with pytest.raises(ConfigError, match=r"limits\.partition: 0; at least 1"):
        place_of(tmp_path, 0)


def test_the_parts_together_keep_to_the_limits() -> None:
    assert part_of(Caps(100, 1001, 3, 30.0), 4) == Caps(25, 250, 1, 30.0)
    assert part_of(Caps(), 4) == Caps()


def test_the_file_system_is_that_of_the_nearest_folder() -> None:
    assert mount_of(Path("/proc/self")).kind == "proc"
    assert mount_of(Path("/proc/no/such/folder")).kind == "proc"
    assert mount_of(Path("/")).kind not in ("", "proc")


def test_limits_of_a_models_file() -> None:
    def caps(**limits: object) -> Caps:
        return read_live("model 'm'", {"model": "gpt-6-luna", "limits": limits}).caps

    assert caps() == Caps()
    assert caps(requests_per_minute=500, tokens_per_minute=30_000, in_flight=8) == Caps(500, 30_000, 8, 60.0)
    assert caps(requests_per_minute=500, tokens_per_minute=30_000, window_s=6) == Caps(50, 3_000, None, 6.0)
    assert caps(requests_per_minute=2, window_s=1) == Caps(1, None, None, 1.0)
    for wrong, said in [
        ({"requests_per_minute": 0}, "limits: requests_per_minute must be a whole number of at least 1"),
        ({"window_s": 90}, "limits: window_s must be at most 60"),
        ({"rpm": 5}, "limits: unknown parameter 'rpm'"),
    ]:
        with pytest.raises(ConfigError, match=said):
            caps(**wrong)
