"""Calls that nothing holds up: let through in one statement, many together, and counted like all others."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.models.limits import counters as counters_module
from mlesearch.models.limits.counters import CallCounters
from mlesearch.models.limits.windows import MARGIN_S, SILENT_S, SLOT_S, Admitted, Caps, Wait
from tests.support.call_limits import Clock, admit, busiest, moved_clock

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
    """One is asked at once and again where something may hold a call up, the other with all statements."""
    with moved_clock() as clock:
        quick, thorough = CallCounters(None), CallCounters(None)
        admitted: list[tuple[int, int]] = []
        tickets: list[tuple[int, int]] = []
        for kind, *how in events:
            clock.now_s += 0.01
            if kind == "pass":
                clock.now_s += how[0] + counters_module.KNOWN_S
            elif kind == "ask":
                model, n, tokens = how
                asked = ("key", model, declares[n], tokens)
                said = quick.reserve_at_once(*asked, 9.0) or quick.reserve(*asked, None, 9.0)
                meant = thorough.reserve(*asked, None, 9.0)
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
                quick.release(one)
                thorough.release(other)
            elif kind == "fail":
                quick.failed(how[0], clock.now_s, how[1])
                thorough.failed(how[0], clock.now_s, how[1])
            elif kind == "answer":
                quick.succeeded("key", how[0])
                thorough.succeeded("key", how[0])
            assert quick.totals("key") == thorough.totals("key")


@settings(deadline=None, max_examples=100)
@given(
    CAPS.filter(lambda caps: caps.any),
    st.lists(st.integers(1, 60), max_size=4),
    st.lists(st.integers(1, 60), min_size=1, max_size=6),
)
def test_calls_that_ask_together_are_answered_as_one_after_the_other(caps, before, tokens) -> None:
    together, in_turn = CallCounters(None), CallCounters(None)
    for counters in (together, in_turn):
        assert isinstance(admit(counters, caps), Admitted)
        for each in before:
            counters.reserve_at_once("key", "model", caps, each, 30.0)
    asking = [counters_module._Entering("key", "model", caps, each, 30.0) for each in tokens]
    together._do_together(asking)
    one_by_one = [in_turn.reserve_at_once("key", "model", caps, each, 30.0) for each in tokens]
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
    counters, caps = CallCounters(None), Caps(requests=3, tokens=100)

    def at_once(own: Caps, tokens: int) -> Admitted | None:
        return counters.reserve_at_once("key", "model", own, tokens, 600.0)

    assert at_once(Caps(), 60) == Admitted(None, clock.now_s)
    assert at_once(caps, 60) is None  # its limits are not declared yet
    assert admit(counters, caps, 60) == Admitted(1, clock.now_s)
    assert at_once(Caps(), 1) == Admitted(2, clock.now_s)  # they hold for all of the key, and at once
    waiting = admit(counters, caps, 90)
    assert isinstance(waiting, Wait)
    assert waiting.ticket is not None
    assert at_once(caps, 5) is None  # it would fit, but the large one would wait for ever behind such
    counters.release(waiting.ticket)
    assert at_once(caps, 5) == Admitted(3, clock.now_s)
    assert at_once(caps, 5) is None
    clock.now_s += 60 + MARGIN_S - 2 * SLOT_S
    assert at_once(caps, 5) is None
    clock.now_s += 4 * SLOT_S
    assert at_once(caps, 5) == Admitted(4, clock.now_s)


def test_minutes_of_calls_keep_to_their_windows_and_leave_nothing_behind(clock: Clock) -> None:
    counters, caps = CallCounters(None), Caps(requests=100, tokens=900)
    times: list[float] = []
    while clock.now_s < 1_300.0:
        answer = counters.reserve_at_once("key", "model", caps, 7, 30.0) or admit(counters, caps, 7)
        if isinstance(answer, Admitted):
            times.append(clock.now_s)
        elif isinstance(answer, Wait) and answer.ticket is not None:
            counters.release(answer.ticket)
        clock.now_s += 0.55
    assert 390 < len(times) <= 500
    assert busiest(times, [1] * len(times), 60.0) == 100
    with counters._database.reading() as db:
        assert db.execute("SELECT count(*) FROM slots").fetchone()[0] <= 62 / SLOT_S
        assert db.execute("SELECT count(*) FROM calls").fetchone()[0] <= 30 / 0.55 + 1  # none was settled
    assert counters.totals("key") == (len(times), 7 * len(times))


def test_a_call_that_takes_longer_than_a_window_counts_with_what_it_used(clock: Clock) -> None:
    counters, caps = CallCounters(None), Caps(requests=9)
    first = counters.reserve("key", "model", caps, 1000, None, 600.0)
    clock.now_s += 100.0
    assert isinstance(admit(counters, caps, 7), Admitted)
    assert counters.totals("key") == (2, 1007)
    assert isinstance(first, Admitted)
    assert first.call is not None
    ended = threading.Event()
    counters.settle(first.call, 4, then=ended.set)
    assert ended.wait(30)
    assert counters.totals("key") == (2, 11)


def test_one_that_waited_and_died_holds_up_nothing(clock: Clock) -> None:
    counters, caps = CallCounters(None), Caps(tokens=100)
    assert isinstance(admit(counters, caps, 60), Admitted)
    assert isinstance(admit(counters, caps, 90), Wait)
    assert counters.reserve_at_once("key", "model", caps, 5, 30.0) is None
    clock.now_s += SILENT_S + 0.1
    assert counters.reserve_at_once("key", "model", caps, 5, 30.0) is not None
    counters.reset_breakers()
    with counters._database.reading() as db:
        assert db.execute("SELECT count(*) FROM queue").fetchone() == (0,)


def test_calls_that_are_let_through_together_last_as_long_as_the_longest(clock: Clock) -> None:
    counters, caps = CallCounters(None), Caps(in_flight=2)
    first = admit(counters, caps)
    assert isinstance(first, Admitted)
    assert first.call is not None
    counters.settle(first.call, 1)
    counters._together.finish()
    counters._do_together([counters_module._Entering("key", "model", caps, 1, call_s) for call_s in (5.0, 50.0)])
    clock.now_s += 10.0
    assert isinstance(admit(counters, caps), Wait)


def test_tables_of_another_layout_are_made_anew(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "limits.db")) as db:
        db.execute("CREATE TABLE totals(bucket TEXT PRIMARY KEY, calls INTEGER, tokens INTEGER, more TEXT)")
        db.execute("INSERT INTO totals VALUES ('key', 7, 7, '')")
        db.commit()
    for calls in (1, 2):  # and kept from then on
        counters = CallCounters(tmp_path / "limits.db")
        assert isinstance(admit(counters, Caps(requests=9), 5), Admitted)
        assert counters.totals("key") == (calls, 5 * calls)
        counters.close()


def test_what_other_processes_learn_is_heard_of_soon(clock: Clock, tmp_path: Path) -> None:
    ours, theirs = CallCounters(tmp_path / "limits.db"), CallCounters(tmp_path / "limits.db")

    def ask() -> Admitted | None:
        return ours.reserve_at_once("key", "model", Caps(), 1, 30.0)

    assert ask() == Admitted(None, clock.now_s)
    theirs.failed("model", clock.now_s, 5.0)
    clock.now_s += 0.001 + counters_module.KNOWN_S
    assert ask() is None
    assert theirs.reserve_at_once("key", "model", Caps(), 1, 30.0) is None
    theirs.succeeded("key", "model")
    assert theirs.reserve_at_once("key", "model", Caps(), 1, 30.0) == Admitted(None, clock.now_s)
    clock.now_s += 0.001 + counters_module.KNOWN_S
    assert ask() == Admitted(None, clock.now_s)
    assert isinstance(admit(theirs, Caps(requests=1)), Admitted)
    clock.now_s += 0.001 + counters_module.KNOWN_S
    assert ask() is None
    ours.failed("model", clock.now_s, None)  # and what it has learned itself at once
    ours.reset_breakers()
    assert ask() == Admitted(None, clock.now_s)
    ours.refused("model", "AuthFailed", "no")
    assert ask() is None
    ours.close()
    theirs.close()


def test_a_call_that_waited_for_the_database_counts_from_then_on(tmp_path: Path) -> None:
    counters, caps = CallCounters(tmp_path / "limits.db"), Caps(requests=5, tokens=100)
    assert isinstance(admit(counters, caps), Admitted)
    other = sqlite3.connect(tmp_path / "limits.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.5, lambda: other.execute("COMMIT"))
    timer.start()
    asked_at = time.monotonic()
    answer = counters.reserve_at_once("key", "model", caps, 7, 30.0)
    timer.join()
    assert answer is not None
    assert answer.call is not None
    assert answer.at - asked_at > 0.4
    with counters._database.reading() as db:
        slots = db.execute("SELECT slot, requests, tokens FROM slots ORDER BY slot").fetchall()
    assert slots[-1] == (int(answer.at / SLOT_S), 1, 7)
    assert counters.totals("key") == (2, 8)
    counters.settle(answer.call, 3)
    assert counters.totals("key") == (2, 4)
    counters.close()
    other.close()


@pytest.mark.parametrize("when", ["before it is let through", "afterwards"])
def test_a_call_whose_thread_is_interrupted_takes_no_place(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counters, caps = CallCounters(None), Caps(in_flight=2)
    first = admit(counters, caps)
    assert isinstance(first, Admitted)
    do = counters._together.do

    def interrupted(job: counters_module._Entering | counters_module._Ended) -> None:
        assert isinstance(job, counters_module._Entering)
        job.given_up = when != "afterwards"  # else it is found while another thread does the job
        do(job)
        raise KeyboardInterrupt

    monkeypatch.setattr(counters._together, "do", interrupted)
    with pytest.raises(KeyboardInterrupt):
        counters.reserve_at_once("key", "model", caps, 9, 600.0)
    monkeypatch.undo()
    assert isinstance(counters.reserve_at_once("key", "model", caps, 1, 600.0), Admitted)
    assert counters.reserve_at_once("key", "model", caps, 1, 600.0) is None
