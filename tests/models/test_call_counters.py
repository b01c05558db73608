"""The counters of calls: windows, turns, models that fail."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.models.limits.breakers import COOL_OFF_S, TRIP
from mlesearch.models.limits.counters import CallCounters
from mlesearch.models.limits.windows import MARGIN_S, SILENT_S, SLOT_S, Admitted, Caps, Wait
from mlesearch.storage import processes
from tests.support.call_limits import Clock, admit, busiest, moved_clock

# windows


STEPS = st.lists(
    st.tuples(st.floats(0, 20), st.integers(1, 60), st.floats(0, 1), st.booleans()), min_size=1, max_size=60
)


@settings(deadline=None, max_examples=40)
@given(STEPS, st.integers(1, 6) | st.none(), st.integers(20, 150) | st.none(), st.integers(1, 4) | st.none())
def test_every_window_keeps_to_the_limits_and_every_call_goes_in_the_end(steps, requests, tokens, in_flight) -> None:
    """Calls of any size at any time: waits as long as it is told, then goes; settled for less, or never settled."""
    caps = Caps(requests, tokens, in_flight, 10.0)
    with moved_clock() as clock:
        counters = CallCounters(None)
        times: list[float] = []
        used: list[int] = []
        open_calls: list[tuple[int, float]] = []
        for pause_s, most, share_used, dies in steps:
            clock.now_s += pause_s
            ticket = None
            for _ in range(4_000):
                answer = admit(counters, caps, most, ticket)
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
                counters.settle(answer.call, used[-1])
        if requests is not None:
            assert busiest(times, [1] * len(times), 10.0) <= requests
        if tokens is not None:
            assert busiest(times, used, 10.0) <= max(tokens, max(used))
        if caps.any:
            assert counters.totals("key") == (len(steps), sum(used))


def test_a_window_frees_at_once_and_not_before(clock: Clock) -> None:
    counters, caps = CallCounters(None), Caps(requests=2)
    for _ in range(2):
        assert isinstance(admit(counters, caps), Admitted)
        clock.now_s += 10
    wait = admit(counters, caps)
    assert isinstance(wait, Wait)
    assert 40 + MARGIN_S <= wait.seconds <= 40 + MARGIN_S + SLOT_S + 1e-6
    clock.now_s += wait.seconds - SLOT_S - 0.01
    assert isinstance(admit(counters, caps, ticket=wait.ticket), Wait)
    clock.now_s += SLOT_S + 0.02
    assert isinstance(admit(counters, caps, ticket=wait.ticket), Admitted)


def test_a_call_reserves_the_most_it_can_use_until_it_ends(clock: Clock) -> None:
    counters, caps = CallCounters(None), Caps(tokens=100)
    first = admit(counters, caps, 80)
    assert isinstance(first, Admitted)
    assert first.call is not None
    wait = admit(counters, caps, 30)
    assert isinstance(wait, Wait)
    counters.settle(first.call, 10)
    assert isinstance(admit(counters, caps, 30, wait.ticket), Admitted)
    assert isinstance(admit(counters, caps, 1000), Wait)  # it is above the limit on its own
    clock.now_s += 61 + MARGIN_S
    assert isinstance(admit(counters, caps, 1000, 99), Admitted)  # and goes when nothing else counts


def test_first_come_first_served_and_who_is_gone_loses_the_turn(clock: Clock) -> None:
    counters, caps = CallCounters(None), Caps(tokens=100)
    big = admit(counters, caps, 60)
    assert isinstance(big, Admitted)
    waiting = admit(counters, caps, 90)
    assert isinstance(waiting, Wait)
    behind = admit(counters, caps, 5)
    assert isinstance(behind, Wait)  # it would fit, but the large one would wait for ever behind such
    assert isinstance(admit(counters, caps, 5, behind.ticket), Wait)
    clock.now_s += SILENT_S + 0.1
    assert isinstance(admit(counters, caps, 5, behind.ticket), Admitted)


def test_a_clock_that_starts_again_holds_nobody(clock: Clock) -> None:
    counters, caps = CallCounters(None), Caps(requests=1, in_flight=1)
    assert isinstance(admit(counters, caps), Admitted)
    clock.now_s = 5.0  # the machine was started again; the process that called is gone too
    with counters._database.transaction() as db:
        db.execute(f"UPDATE calls SET owner = '{processes._namespace()}:4194999:1'")
    assert isinstance(admit(counters, caps), Admitted)


def test_without_limits_nothing_is_counted() -> None:
    counters = CallCounters(None)
    assert admit(counters, Caps()) == Admitted(None, pytest.approx(time.monotonic(), abs=60))
    assert counters.totals("key") == (0, 0)


def test_a_call_keeps_to_all_limits_of_its_key_whichever_model_declares_them(clock: Clock) -> None:
    counters = CallCounters(None)
    assert isinstance(admit(counters, Caps()), Admitted)  # nobody has declared any yet
    assert counters.totals("key") == (0, 0)
    assert isinstance(admit(counters, Caps(requests=3)), Admitted)
    assert isinstance(admit(counters, Caps()), Admitted)
    assert isinstance(admit(counters, Caps(requests=100, tokens=5)), Admitted)
    assert counters.totals("key") == (3, 3)
    for caps in (Caps(), Caps(requests=3), Caps(requests=100, tokens=5)):
        wait = admit(counters, caps)
        assert isinstance(wait, Wait)
        assert "requests a minute" in wait.why
        assert wait.ticket is not None
        counters.release(wait.ticket)
    assert isinstance(counters.reserve("another key", "model", Caps(), 1, None, 30.0), Admitted)
    assert counters.totals("another key") == (0, 0)
    clock.now_s += 60 + MARGIN_S + 2 * SLOT_S
    assert isinstance(admit(counters, Caps(), 4), Admitted)
    assert "tokens a minute" in getattr(admit(counters, Caps(), 4), "why", "")
    counters.reset_breakers()  # the next launch may declare others
    assert admit(counters, Caps(), 4) == Admitted(None, clock.now_s)


# failing models


def test_a_model_that_fails_is_left_alone_and_tried_by_one_call(clock: Clock) -> None:
    counters = CallCounters(None)
    for n in range(TRIP):
        at = admit(counters, Caps())
        assert isinstance(at, Admitted), n
        counters.failed("model", at.at, None)
    assert isinstance(counters.reserve("key", "another model", Caps(), 1, None, 30.0), Admitted)
    cool_off_s = COOL_OFF_S
    for _ in range(8):
        wait = admit(counters, Caps())
        assert isinstance(wait, Wait)
        assert wait.seconds == pytest.approx(min(60.0, cool_off_s))
        counters.failed("model", clock.now_s - 1.0, None)  # it was on its way when the breaker opened
        clock.now_s += wait.seconds
        trying = admit(counters, Caps())
        assert isinstance(trying, Admitted)
        assert isinstance(admit(counters, Caps()), Wait)
        counters.failed("model", trying.at, None)
        cool_off_s *= 2
    clock.now_s += 60.0
    assert isinstance(admit(counters, Caps()), Admitted)
    clock.now_s += 30.5  # the process that tried was killed
    assert isinstance(admit(counters, Caps()), Admitted)
    counters.succeeded("key", "model")
    assert [isinstance(admit(counters, Caps()), Admitted) for _ in range(3)] == [True] * 3


def test_a_call_that_waits_for_a_limit_does_not_count_as_the_one_that_tries(clock: Clock) -> None:
    counters, caps = CallCounters(None), Caps(requests=TRIP)
    for _ in range(TRIP):
        at = admit(counters, caps)
        assert isinstance(at, Admitted)
        counters.failed("model", at.at, None)
    clock.now_s += COOL_OFF_S
    waiting = admit(counters, caps)
    assert isinstance(waiting, Wait)
    assert "requests a minute" in waiting.why
    clock.now_s += waiting.seconds + SLOT_S
    assert isinstance(admit(counters, caps, ticket=waiting.ticket), Admitted)


def test_a_pause_that_the_server_asks_for_holds_all(clock: Clock) -> None:
    counters = CallCounters(None)
    counters.failed("model", clock.now_s, 7.0)
    wait = admit(counters, Caps(requests=5))
    assert isinstance(wait, Wait)
    assert wait.seconds == 7.0
    clock.now_s += 7.0
    assert isinstance(admit(counters, Caps(requests=5), ticket=wait.ticket), Admitted)


def test_a_call_whose_model_begins_to_fail_gives_its_turn_up(clock: Clock) -> None:
    counters, caps = CallCounters(None), Caps(requests=1)
    assert isinstance(admit(counters, caps), Admitted)
    first = admit(counters, caps)
    assert isinstance(first, Wait)
    behind = counters.reserve("key", "healthy", caps, 1, None, 30.0)
    assert isinstance(behind, Wait)
    counters.failed("model", clock.now_s, 90.0)
    paused = admit(counters, caps, ticket=first.ticket)
    assert isinstance(paused, Wait)
    assert (paused.seconds, paused.ticket) == (90.0, None)
    clock.now_s += 60 + MARGIN_S + 2 * SLOT_S
    assert isinstance(counters.reserve("key", "healthy", caps, 1, behind.ticket, 30.0), Admitted)
    with counters._database.reading() as db:
        assert db.execute("SELECT count(*) FROM queue").fetchone() == (0,)
