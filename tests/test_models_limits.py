"""Limits shared across processes: windows, calls in flight, breakers, and where their ledger lies."""

from __future__ import annotations

import bisect
import itertools
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cli import cli

from mlesearch import processes
from mlesearch.models import ledger as ledger_module
from mlesearch.models.breakers import COOL_OFF_S, REFUSED_S, TRIP, Refused
from mlesearch.models.client import endpoint_bucket
from mlesearch.models.ledger import Ledger, LedgerError
from mlesearch.models.limits import ALONE, Gate, Lane, Pass, Shared, file_system_of, gate, part_of, share
from mlesearch.models.params import read_live
from mlesearch.models.protocol import AuthFailed, ContextOverflow, QuotaExhausted, RetriesExhausted
from mlesearch.models.registry import make_model
from mlesearch.models.retry import Failure, Success
from mlesearch.models.windows import MARGIN_S, SILENT_S, SLOT_S, Admitted, Caps, Wait
from mlesearch.testing.openai_stub import Answer, OpenAIStub, serving
from mlesearch.types import ConfigError

WORKER = Path(__file__).with_name("limits_worker.py")
BUSY = Failure(RetriesExhausted, True, "HTTP 500: busy")
REFUSED = Failure(AuthFailed, False, "the provider refuses the key")


class Clock:
    """A clock that the test moves."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(ledger_module, "time", made)
    return made


def admit(ledger: Ledger, caps: Caps, tokens: int = 1, ticket: int | None = None) -> Admitted | Wait | Refused:
    return ledger.admit("key", "model", caps, tokens, ticket, 30.0)


# windows


def busiest(times: Sequence[float], weights: Sequence[int], window_s: float) -> int:
    """The largest sum of weights in any window."""
    order = sorted(zip(times, weights, strict=True))
    at = [t for t, _ in order]
    sums = [0, *itertools.accumulate(w for _, w in order)]
    return max(sums[i + 1] - sums[bisect.bisect_right(at, t - window_s)] for i, t in enumerate(at))


STEPS = st.lists(
    st.tuples(st.floats(0, 20), st.integers(1, 60), st.floats(0, 1), st.booleans()), min_size=1, max_size=60
)


@settings(deadline=None, max_examples=40)
@given(STEPS, st.integers(1, 6) | st.none(), st.integers(20, 150) | st.none(), st.integers(1, 4) | st.none())
def test_every_window_keeps_to_the_limits_and_every_call_goes_in_the_end(steps, requests, tokens, in_flight) -> None:
    """Calls of any size at any time: waits as long as it is told, then goes; settled for less, or never settled."""
    clock, caps = Clock(), Caps(requests, tokens, in_flight, 10.0)
    real, ledger_module.time = ledger_module.time, clock  # type: ignore[assignment]  # all that it reads is monotonic
    try:
        ledger = Ledger(None)
        times: list[float] = []
        used: list[int] = []
        open_calls: list[tuple[int, float]] = []
        for pause_s, most, share_used, dies in steps:
            clock.now_s += pause_s
            ticket = None
            for _ in range(4_000):
                answer = admit(ledger, caps, most, ticket)
                if isinstance(answer, Admitted):
                    break
                assert isinstance(answer, Wait)
                ticket = answer.ticket
                clock.now_s += answer.seconds
            assert isinstance(answer, Admitted)
            if answer.call is None:
                assert not caps.any
                continue
            if in_flight is not None:
                assert sum(end > clock.now_s for _, end in open_calls) < in_flight
            times.append(clock.now_s)
            used.append(most)
            if dies:
                open_calls.append((answer.call, clock.now_s + 30.0))
            else:
                used[-1] = int(most * share_used)
                ledger.settle(answer.call, used[-1])
        if requests is not None:
            assert busiest(times, [1] * len(times), 10.0) <= requests
        if tokens is not None:
            assert busiest(times, used, 10.0) <= max(tokens, max(used))
        if caps.any:
            assert ledger.totals("key") == (len(steps), sum(used))
    finally:
        ledger_module.time = real


def test_a_window_frees_at_once_and_not_before(clock: Clock) -> None:
    ledger, caps = Ledger(None), Caps(requests=2)
    for _ in range(2):
        assert isinstance(admit(ledger, caps), Admitted)
        clock.now_s += 10
    wait = admit(ledger, caps)
    assert isinstance(wait, Wait)
    assert 40 + MARGIN_S <= wait.seconds <= 40 + MARGIN_S + SLOT_S + 1e-6
    clock.now_s += wait.seconds - SLOT_S - 0.01
    assert isinstance(admit(ledger, caps, ticket=wait.ticket), Wait)
    clock.now_s += SLOT_S + 0.02
    assert isinstance(admit(ledger, caps, ticket=wait.ticket), Admitted)


def test_a_call_reserves_the_most_it_can_use_until_it_ends(clock: Clock) -> None:
    ledger, caps = Ledger(None), Caps(tokens=100)
    first = admit(ledger, caps, 80)
    assert isinstance(first, Admitted)
    assert first.call is not None
    wait = admit(ledger, caps, 30)
    assert isinstance(wait, Wait)
    ledger.settle(first.call, 10)
    assert isinstance(admit(ledger, caps, 30, wait.ticket), Admitted)
    assert isinstance(admit(ledger, caps, 1000), Wait)  # it is above the limit on its own
    clock.now_s += 61 + MARGIN_S
    assert isinstance(admit(ledger, caps, 1000, 99), Admitted)  # and goes when nothing else counts


def test_first_come_first_served_and_who_is_gone_loses_the_turn(clock: Clock) -> None:
    ledger, caps = Ledger(None), Caps(tokens=100)
    big = admit(ledger, caps, 60)
    assert isinstance(big, Admitted)
    waiting = admit(ledger, caps, 90)
    assert isinstance(waiting, Wait)
    behind = admit(ledger, caps, 5)
    assert isinstance(behind, Wait)  # it would fit, but the large one would wait for ever behind such
    assert isinstance(admit(ledger, caps, 5, behind.ticket), Wait)
    clock.now_s += SILENT_S + 0.1
    assert isinstance(admit(ledger, caps, 5, behind.ticket), Admitted)


def test_a_clock_that_starts_again_holds_nobody(clock: Clock) -> None:
    ledger, caps = Ledger(None), Caps(requests=1, in_flight=1)
    assert isinstance(admit(ledger, caps), Admitted)
    clock.now_s = 5.0  # the machine was started again; the process that called is gone too
    with ledger._database.transaction() as db:
        db.execute(f"UPDATE calls SET owner = '{processes._namespace()}:4194999:1'")
    assert isinstance(admit(ledger, caps), Admitted)


def test_without_limits_nothing_is_counted() -> None:
    ledger = Ledger(None)
    assert admit(ledger, Caps()) == Admitted(None, pytest.approx(time.monotonic(), abs=60))
    assert ledger.totals("key") == (0, 0)


def test_a_call_keeps_to_all_limits_of_its_key_whichever_model_declares_them(clock: Clock) -> None:
    ledger = Ledger(None)
    assert isinstance(admit(ledger, Caps()), Admitted)  # nobody has declared any yet
    assert ledger.totals("key") == (0, 0)
    assert isinstance(admit(ledger, Caps(requests=3)), Admitted)
    assert isinstance(admit(ledger, Caps()), Admitted)
    assert isinstance(admit(ledger, Caps(requests=100, tokens=5)), Admitted)
    assert ledger.totals("key") == (3, 3)
    for caps in (Caps(), Caps(requests=3), Caps(requests=100, tokens=5)):
        wait = admit(ledger, caps)
        assert isinstance(wait, Wait)
        assert "requests a minute" in wait.why
        assert wait.ticket is not None
        ledger.leave(wait.ticket)
    assert isinstance(ledger.admit("another key", "model", Caps(), 1, None, 30.0), Admitted)
    assert ledger.totals("another key") == (0, 0)
    clock.now_s += 60 + MARGIN_S + 2 * SLOT_S
    assert isinstance(admit(ledger, Caps(), 4), Admitted)
    assert "tokens a minute" in getattr(admit(ledger, Caps(), 4), "why", "")
    ledger.forgive()  # the next launch may declare others
    assert admit(ledger, Caps(), 4) == Admitted(None, clock.now_s)


# calls that nothing holds up

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0, 3)),
        st.tuples(st.just("ask"), st.sampled_from(["m1", "m2"]), st.integers(0, 2), st.integers(1, 60)),
        st.tuples(st.just("end"), st.integers(0, 50), st.none() | st.integers(0, 60)),
        st.tuples(st.just("fail"), st.sampled_from(["m1", "m2"]), st.none() | st.floats(0.1, 3)),
        st.tuples(st.just("answer"), st.sampled_from(["m1", "m2"])),
        st.tuples(st.just("give up"), st.integers(0, 50)),
    ),
    min_size=5,
    max_size=60,
)
CAPS = st.builds(
    Caps, st.none() | st.integers(1, 5), st.none() | st.integers(20, 150), st.none() | st.integers(1, 4), st.just(5.0)
)


@settings(deadline=None, max_examples=150)
@given(EVENTS, st.tuples(CAPS, CAPS, st.just(Caps())))
def test_one_statement_decides_as_all_of_them_do(events, declares) -> None:
    """One ledger is asked at once and again where something may hold a call up, the other one with all statements."""
    clock = Clock()
    real, ledger_module.time = ledger_module.time, clock  # type: ignore[assignment]
    try:
        quick, thorough = Ledger(None), Ledger(None)
        admitted: list[tuple[int, int]] = []
        tickets: list[tuple[int, int]] = []
        for kind, *how in events:
            clock.now_s += 0.01
            if kind == "pass":
                clock.now_s += how[0] + ledger_module.KNOWN_S
            elif kind == "ask":
                model, n, tokens = how
                asked = ("key", model, declares[n], tokens)
                said = quick.admit_at_once(*asked, 9.0) or quick.admit(*asked, None, 9.0)
                meant = thorough.admit(*asked, None, 9.0)
                assert type(said) is type(meant)
                if isinstance(said, Admitted) and isinstance(meant, Admitted):
                    assert (said.call is None) == (meant.call is None)
                    if said.call is not None and meant.call is not None:
                        admitted.append((said.call, meant.call))
                elif isinstance(said, Wait) and isinstance(meant, Wait):
                    assert (said.seconds, said.why) == (meant.seconds, meant.why)
                    if said.ticket is not None and meant.ticket is not None:
                        tickets.append((said.ticket, meant.ticket))
            elif kind == "end" and admitted:
                one, other = admitted.pop(how[0] % len(admitted))
                quick.settle(one, how[1])
                thorough.settle(other, how[1])
            elif kind == "give up" and tickets:
                one, other = tickets.pop(how[0] % len(tickets))
                quick.leave(one)
                thorough.leave(other)
            elif kind == "fail":
                quick.failed(how[0], clock.now_s, how[1])
                thorough.failed(how[0], clock.now_s, how[1])
            elif kind == "answer":
                quick.succeeded("key", how[0])
                thorough.succeeded("key", how[0])
            assert quick.totals("key") == thorough.totals("key")
    finally:
        ledger_module.time = real


@settings(deadline=None, max_examples=100)
@given(
    CAPS.filter(lambda caps: caps.any),
    st.lists(st.integers(1, 60), max_size=4),
    st.lists(st.integers(1, 60), min_size=1, max_size=6),
)
def test_calls_that_ask_together_are_answered_as_one_after_the_other(caps, before, tokens) -> None:
    together, in_turn = Ledger(None), Ledger(None)
    for ledger in (together, in_turn):
        assert isinstance(admit(ledger, caps), Admitted)
        for each in before:
            ledger.admit_at_once("key", "model", caps, each, 30.0)
    asking = [ledger_module._Entering("key", "model", caps, each, 30.0) for each in tokens]
    together._do_together(asking)
    one_by_one = [in_turn.admit_at_once("key", "model", caps, each, 30.0) for each in tokens]
    assert [call.admitted is None for call in asking] == [answer is None for answer in one_by_one]
    ids = [call.admitted.call for call in asking if call.admitted is not None]
    assert ids == [answer.call for answer in one_by_one if answer is not None]
    assert together.totals("key") == in_turn.totals("key")
    calls, most = together.totals("key")
    for id in ids:
        together.settle(id, 3)
    ended = sum(call.tokens for call in asking if call.admitted is not None)
    assert together.totals("key") == (calls, most - ended + 3 * len(ids))


def test_nothing_goes_at_once_past_a_limit_or_one_that_waits_for_it(clock: Clock) -> None:
    ledger, caps = Ledger(None), Caps(requests=3, tokens=100)

    def at_once(own: Caps, tokens: int) -> Admitted | None:
        return ledger.admit_at_once("key", "model", own, tokens, 600.0)

    assert at_once(Caps(), 60) == Admitted(None, clock.now_s)
    assert at_once(caps, 60) is None  # its limits are not declared yet
    assert admit(ledger, caps, 60) == Admitted(1, clock.now_s)
    assert at_once(Caps(), 1) == Admitted(2, clock.now_s)  # they hold for all of the key, and at once
    waiting = admit(ledger, caps, 90)
    assert isinstance(waiting, Wait)
    assert waiting.ticket is not None
    assert at_once(caps, 5) is None  # it would fit, but the large one would wait for ever behind such
    ledger.leave(waiting.ticket)
    assert at_once(caps, 5) == Admitted(3, clock.now_s)
    assert at_once(caps, 5) is None
    clock.now_s += 60 + MARGIN_S - 2 * SLOT_S
    assert at_once(caps, 5) is None
    clock.now_s += 4 * SLOT_S
    assert at_once(caps, 5) == Admitted(4, clock.now_s)


def test_what_other_processes_learn_is_heard_of_soon(clock: Clock, tmp_path: Path) -> None:
    ours, theirs = Ledger(tmp_path / "limits.db"), Ledger(tmp_path / "limits.db")

    def ask() -> Admitted | None:
        return ours.admit_at_once("key", "model", Caps(), 1, 30.0)

    assert ask() == Admitted(None, clock.now_s)
    theirs.failed("model", clock.now_s, 5.0)
    clock.now_s += 0.001 + ledger_module.KNOWN_S
    assert ask() is None
    theirs.succeeded("key", "model")
    clock.now_s += 0.001 + ledger_module.KNOWN_S
    assert ask() == Admitted(None, clock.now_s)
    assert isinstance(admit(theirs, Caps(requests=1)), Admitted)
    clock.now_s += 0.001 + ledger_module.KNOWN_S
    assert ask() is None
    ours.failed("model", clock.now_s, None)  # and what it has learned itself at once
    ours.forgive()
    assert ask() == Admitted(None, clock.now_s)
    ours.refused("model", "AuthFailed", "no")
    assert ask() is None
    ours.close()
    theirs.close()


def test_a_call_that_waited_for_the_database_counts_from_then_on(tmp_path: Path) -> None:
    ledger, caps = Ledger(tmp_path / "limits.db"), Caps(requests=5, tokens=100)
    assert isinstance(admit(ledger, caps), Admitted)
    other = sqlite3.connect(tmp_path / "limits.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(2 * ledger_module.LATE_S, lambda: other.execute("COMMIT"))
    timer.start()
    asked_at = time.monotonic()
    answer = ledger.admit_at_once("key", "model", caps, 7, 30.0)
    timer.join()
    assert answer is not None
    assert answer.call is not None
    assert answer.at - asked_at > ledger_module.LATE_S
    with ledger._database.reading() as db:
        slots = db.execute("SELECT slot, requests, tokens FROM slots ORDER BY slot").fetchall()
    assert slots[-1] == (int(answer.at / SLOT_S), 1, 7)
    assert ledger.totals("key") == (2, 8)
    ledger.settle(answer.call, 3)
    assert ledger.totals("key") == (2, 4)
    ledger.close()
    other.close()


# failing models


def test_a_model_that_fails_is_left_alone_and_tried_by_one_call(clock: Clock) -> None:
    ledger = Ledger(None)
    for n in range(TRIP):
        at = admit(ledger, Caps())
        assert isinstance(at, Admitted), n
        ledger.failed("model", at.at, None)
    assert isinstance(ledger.admit("key", "another model", Caps(), 1, None, 30.0), Admitted)
    cool_off_s = COOL_OFF_S
    for _ in range(8):
        wait = admit(ledger, Caps())
        assert isinstance(wait, Wait)
        assert wait.seconds == pytest.approx(min(60.0, cool_off_s))
        ledger.failed("model", clock.now_s - 1.0, None)  # it was on its way when the breaker opened
        clock.now_s += wait.seconds
        trying = admit(ledger, Caps())
        assert isinstance(trying, Admitted)
        assert isinstance(admit(ledger, Caps()), Wait)
        ledger.failed("model", trying.at, None)
        cool_off_s *= 2
    clock.now_s += 60.0
    assert isinstance(admit(ledger, Caps()), Admitted)
    clock.now_s += 30.5  # the process that tried was killed
    assert isinstance(admit(ledger, Caps()), Admitted)
    ledger.succeeded("key", "model")
    assert [isinstance(admit(ledger, Caps()), Admitted) for _ in range(3)] == [True] * 3


def _open_breaker(standing: Gate, lane: Lane, clock: Clock) -> Pass:
    """Fail until the breaker opens, wait for its end, and give the pass of the call that tries."""
    for _ in range(TRIP):
        entered = standing.enter(lane, 1, 1.0, 600.0)
        assert isinstance(entered, Pass)
        standing.leave(entered, 0, BUSY)
    clock.now_s += COOL_OFF_S
    trying = standing.enter(lane, 1, 1.0, 600.0)
    assert isinstance(trying, Pass)
    assert isinstance(standing.ledger.admit(lane.bucket, lane.model, lane.caps, 1, 1, 600.0), Wait)
    return trying


@pytest.mark.parametrize("result", [None, Failure(ContextOverflow, False, "the prompt is too long"), REFUSED])
def test_a_try_that_says_nothing_of_the_model_holds_nobody(clock: Clock, result: Failure | None) -> None:
    standing, lane = Gate(ALONE), Lane("key", "model")
    standing.leave(_open_breaker(standing, lane, clock), 0, result)
    assert isinstance(standing.enter(lane, 1, 1.0, 600.0), Pass)


def test_a_call_that_waits_for_a_limit_does_not_count_as_the_one_that_tries(clock: Clock) -> None:
    ledger, caps = Ledger(None), Caps(requests=TRIP)
    for _ in range(TRIP):
        at = admit(ledger, caps)
        assert isinstance(at, Admitted)
        ledger.failed("model", at.at, None)
    clock.now_s += COOL_OFF_S
    waiting = admit(ledger, caps)
    assert isinstance(waiting, Wait)
    assert "requests a minute" in waiting.why
    clock.now_s += waiting.seconds + SLOT_S
    assert isinstance(admit(ledger, caps, ticket=waiting.ticket), Admitted)


def test_a_pause_that_the_server_asks_for_holds_all(clock: Clock) -> None:
    ledger = Ledger(None)
    ledger.failed("model", clock.now_s, 7.0)
    wait = admit(ledger, Caps(requests=5))
    assert isinstance(wait, Wait)
    assert wait.seconds == 7.0
    clock.now_s += 7.0
    assert isinstance(admit(ledger, Caps(requests=5), ticket=wait.ticket), Admitted)


def test_a_call_whose_model_begins_to_fail_gives_its_turn_up(clock: Clock) -> None:
    ledger, caps = Ledger(None), Caps(requests=1)
    assert isinstance(admit(ledger, caps), Admitted)
    first = admit(ledger, caps)
    assert isinstance(first, Wait)
    behind = ledger.admit("key", "healthy", caps, 1, None, 30.0)
    assert isinstance(behind, Wait)
    ledger.failed("model", clock.now_s, 90.0)
    paused = admit(ledger, caps, ticket=first.ticket)
    assert isinstance(paused, Wait)
    assert (paused.seconds, paused.ticket) == (90.0, None)
    clock.now_s += 60 + MARGIN_S + 2 * SLOT_S
    assert isinstance(ledger.admit("key", "healthy", caps, 1, behind.ticket, 30.0), Admitted)
    with ledger._database.reading() as db:
        assert db.execute("SELECT count(*) FROM queue").fetchone() == (0,)


def test_a_refused_key_answers_for_all_calls_of_a_study_for_a_while(clock: Clock, tmp_path: Path) -> None:
    lane = Lane("KEY", "model")
    ours, theirs, alone = Gate(Shared(tmp_path / "l.db")), Gate(Shared(tmp_path / "l.db")), Gate(ALONE)
    for standing in (ours, alone):
        entered = standing.enter(lane, 1, 1.0, 1.0)
        assert isinstance(entered, Pass)
        standing.leave(entered, 0, REFUSED)
    said = theirs.enter(lane, 1, 1.0, 1.0)
    assert said == Failure(AuthFailed, False, REFUSED.text)
    assert isinstance(theirs.enter(Lane("KEY", "another"), 1, 1.0, 1.0), Pass)
    assert isinstance(alone.enter(lane, 1, 1.0, 1.0), Pass)  # a process alone may be given another key at any time
    clock.now_s += REFUSED_S + 1
    assert isinstance(theirs.enter(lane, 1, 1.0, 1.0), Pass)
    ours.leave(Pass(lane, None, clock.now_s), 0, Failure(QuotaExhausted, False, "no credit left"))
    assert isinstance(theirs.enter(lane, 1, 1.0, 1.0), Failure)
    theirs.ledger.forgive()
    assert isinstance(ours.enter(lane, 1, 1.0, 1.0), Pass)
    for standing in (ours, theirs):
        standing.ledger.close()


# the gate


def test_a_wait_ends_at_the_deadline_and_gives_the_turn_up() -> None:
    standing, lane = Gate(ALONE), Lane("key", "model", Caps(requests=1))
    assert isinstance(standing.enter(lane, 1, 1.0, 1.0), Pass)
    said = standing.enter(lane, 1, 0.1, 1.0)
    assert isinstance(said, Failure)
    assert said.retryable
    assert "limit of requests a minute is used up" in said.text
    with standing.ledger._database.reading() as db:
        assert db.execute("SELECT count(*) FROM queue").fetchone() == (0,)


@pytest.mark.parametrize("limits", [Caps(requests=100), Caps()], ids=["own limits", "those of its key"])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_model_that_fails_holds_up_no_other_of_its_key(processes: int, limits: Caps, tmp_path: Path) -> None:
    gates = [Gate(Shared(tmp_path / "limits.db")) for _ in range(processes)]
    failing, healthy = Lane("key", "failing", limits), Lane("key", "healthy", Caps(requests=100))
    assert isinstance(gates[0].enter(healthy, 1, 1.0, 1.0), Pass)
    gates[0].ledger.failed(failing.model, time.monotonic(), 60.0)  # it asks for a pause of a minute
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(gates[0].enter, failing, 1, 2.0, 1.0) for _ in range(3)]
        time.sleep(0.2)
        begun = time.monotonic()
        assert isinstance(gates[-1].enter(healthy, 1, 1.5, 1.0), Pass)
        assert time.monotonic() - begun < 1.0
        said = [w.result() for w in waiting]
    assert all(isinstance(s, Failure) and "asked for a pause" in s.text for s in said)
    for standing in gates:
        standing.ledger.close()


def test_a_model_that_comes_back_takes_its_place_among_the_others() -> None:
    """Many calls of a healthy model under a limit: one whose model was paused for a moment goes all the same."""
    standing, caps = Gate(ALONE), Caps(requests=10, in_flight=2, window_s=0.5)
    paused, healthy = Lane("key", "paused", caps), Lane("key", "healthy", caps)
    standing.ledger.failed(paused.model, time.monotonic(), 0.5)
    done: list[str] = []

    def call(lane: Lane) -> None:
        entered = standing.enter(lane, 1, 60.0, 60.0)
        assert isinstance(entered, Pass)
        done.append(lane.model)
        standing.leave(entered, 1, Success("", 1))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(call, [paused] * 4 + [healthy] * 26))
    assert "paused" not in done[:8]  # the others went meanwhile
    assert sorted(done) == ["healthy"] * 26 + ["paused"] * 4
    assert standing.ledger.totals("key") == (30, 30)


def test_a_model_without_limits_waits_for_those_of_its_key() -> None:
    standing, free = Gate(ALONE), Lane("key", "without")
    for _ in range(3):
        assert isinstance(standing.enter(free, 1, 1.0, 1.0), Pass)
    assert standing.ledger.totals("key") == (0, 0)
    assert isinstance(standing.enter(Lane("key", "with", Caps(in_flight=2)), 1, 1.0, 60.0), Pass)
    entered = standing.enter(free, 1, 1.0, 60.0)
    assert isinstance(entered, Pass)
    said = standing.enter(free, 1, 0.1, 60.0)
    assert isinstance(said, Failure)
    assert "2 calls are in flight" in said.text
    standing.leave(entered, 7, Success("", 1))
    assert isinstance(standing.enter(free, 1, 1.0, 60.0), Pass)
    assert standing.ledger.totals("key") == (3, 9)


def test_a_call_that_ends_lets_the_next_one_in() -> None:
    standing, lane = Gate(ALONE), Lane("key", "model", Caps(in_flight=2))
    at_once, most, lock = 0, 0, threading.Lock()

    def call(_n: int) -> None:
        nonlocal at_once, most
        entered = standing.enter(lane, 1, 60.0, 60.0)
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
    assert standing.ledger.totals("key") == (60, 60)


def test_a_killed_process_gives_its_place_back(tmp_path: Path) -> None:
    path = tmp_path / "limits.db"
    code = (
        "import os, sys; from pathlib import Path\n"
        "from mlesearch.models.limits import Gate, Lane, Shared; from mlesearch.models.windows import Caps\n"
        f"Gate(Shared(Path({str(path)!r}))).enter(Lane('key', 'm', Caps(in_flight=1)), 1, 1.0, 600.0)\n"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == -9
    standing = Gate(Shared(path))
    assert isinstance(standing.enter(Lane("key", "m", Caps(in_flight=1)), 1, 5.0, 600.0), Pass)
    assert isinstance(standing.enter(Lane("key", "m", Caps(in_flight=1)), 1, 0.1, 600.0), Failure)
    assert standing.ledger.totals("key") == (2, 2)
    standing.ledger.close()


def test_a_fork_has_a_gate_of_its_own(tmp_path: Path) -> None:
    shared = Shared(tmp_path / "limits.db")
    lane = Lane("key", "m", Caps(in_flight=8))
    mine = gate(shared)
    assert mine is gate(shared)
    entered = mine.enter(lane, 1, 1.0, 1.0)
    child = os.fork()
    if child == 0:
        theirs = gate(shared)
        ok = theirs is not mine and isinstance(theirs.enter(lane, 1, 1.0, 1.0), Pass)
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert isinstance(entered, Pass)
    mine.leave(entered, 5, Success("", 1))
    assert mine.ledger.totals("key") == (2, 6)
    mine.ledger.close()


def test_a_database_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "limits.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(LedgerError, match=r"limits\.db can't be used"):
        Gate(Shared(path)).enter(Lane("key", "m"), 1, 1.0, 1.0)


# where it lies


def test_on_a_network_file_system_nothing_is_shared(tmp_path: Path) -> None:
    assert share(tmp_path, None) == Shared(tmp_path / "limits.db")
    assert share(tmp_path, None, network=True, limited=False) == ALONE
    with pytest.raises(ConfigError, match=r"limits\.partition: .* network file system") as caught:
        share(tmp_path, None, network=True)
    assert "\n" not in str(caught.value)
    apart = share(tmp_path, 4, network=True)
    assert apart.parts == 4
    assert apart.path is not None
    assert not apart.path.is_relative_to(tmp_path)
    assert apart == share(tmp_path, 4)
    assert apart != share(tmp_path / "other", 4)
    with pytest.raises(ConfigError, match=r"limits\.partition: 0; at least 1"):
        share(tmp_path, 0)


def test_the_parts_together_keep_to_the_limits() -> None:
    assert part_of(Caps(100, 1001, 3, 30.0), 4) == Caps(25, 250, 1, 30.0)
    assert part_of(Caps(), 4) == Caps()


def test_the_file_system_is_that_of_the_nearest_folder() -> None:
    assert file_system_of(Path("/proc/self")) == "proc"
    assert file_system_of(Path("/proc/no/such/folder")) == "proc"
    assert file_system_of(Path("/")) not in ("", "proc")


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


def test_a_study_on_a_network_file_system_holds_no_database(tmp_path: Path) -> None:
    engineer = make_model("sim", "simulated", {"capability": 0.9})
    with OpenAIStub(serving(engineer)) as stub:
        asked = ["model=local", f"model.params.api_base={stub.base_url}", "strategy=random", "budget.steps=1"]
        words = [*asked, "model.params.limits={requests_per_minute: 6000}", "launcher.n_jobs=1", "limits.network=true"]
        refused = cli(tmp_path, "run", "--check", *words)
        assert refused.returncode == 2
        assert "limits.partition" in refused.stderr
        done = cli(tmp_path, "run", *words, "limits.partition=2")
        assert done.returncode == 0, done.stderr
        calls, bucket = stub.calls, endpoint_bucket(stub.base_url)
    assert list(tmp_path.rglob("*.db*")) == []
    place = share(tmp_path / "studies/main", 2)
    assert place.path is not None
    ledger = Ledger(place.path)
    assert ledger.totals(bucket)[0] == calls > 0
    ledger.close()
    for left in place.path.parent.glob(f"{place.path.name}*"):
        left.unlink()


# the bar


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_four_processes_of_sixteen_threads(tmp_path: Path) -> None:
    """10,000 calls: the limits hold in every window, every call is counted once, descriptors and memory stay flat."""
    processes, threads, calls, window_s = 4, 16, 2_500, 5.0
    limits = {"requests_per_minute": 4_800, "tokens_per_minute": 600_000, "window_s": window_s, "in_flight": 48}

    def answer(body: dict[str, object]) -> Answer:
        messages = body["messages"]
        assert isinstance(messages, list)
        words = len(messages[0]["content"]) // 5
        return Answer("ok", words, words * 13 % 200)

    with OpenAIStub(answer, latency_s=0.1) as stub:
        words = [sys.executable, str(WORKER), stub.base_url, str(tmp_path / "limits.db"), str(threads), str(calls)]
        begun = [
            subprocess.Popen([*words, json.dumps(limits)], stdout=subprocess.PIPE, text=True) for _ in range(processes)
        ]
        reports = [json.loads(p.communicate(timeout=1000)[0]) for p in begun]
        seen = [(s.at_s, answer(dict(s.body))) for s in stub.seen]
        peak = stub.in_flight_peak
    assert [p.returncode for p in begun] == [0] * processes
    times = [t for t, _ in seen]
    tokens = [a.input_tokens + a.output_tokens for _, a in seen]
    most = busiest(times, [1] * len(times), window_s), busiest(times, tokens, window_s)
    print(f"{len(seen)} calls in {max(times) - min(times):.1f} s; at most {most} in {window_s} s; {peak} in flight")
    print(json.dumps(reports))
    assert most[0] <= 400
    assert most[1] <= 50_000
    assert peak <= 48
    assert len(seen) == processes * calls
    assert sum(r["counts"]["calls"] for r in reports) == processes * calls
    assert not [key for r in reports for key in r["counts"] if key.startswith("failed")]
    ledger = Ledger(tmp_path / "limits.db")
    assert ledger.totals(endpoint_bucket(words[2])) == (processes * calls, sum(tokens))
    assert sum(r["counts"]["tokens"] for r in reports) == sum(tokens)
    ledger.close()
    for report in reports:
        early, late = report["marks"]
        assert late["descriptors"] <= early["descriptors"] + 4
        assert late["kib"] <= early["kib"] * 1.1
