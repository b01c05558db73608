"""Times in words: true bounds, coarse, and shown wherever a prompt tells of a program that has run."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.models import markup
from mlesearch.operators import Scene, make
from mlesearch.operators.durations import MARKS_S, brief_duration, duration, run_time, time_left
from mlesearch.types import Direction, Guidance, GuidanceKind, Op, Proposal, Status
from tests.support.prompt_scenes import BRIEF, NODES, RESOURCES, node

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """A time in words, read back."""
    number, unit = text.split()
    return float(number) * UNITS[unit]


@given(st.floats(0, 10**6), st.floats(1, 10**6))
def test_a_run_time_lies_below_what_is_said_and_above_half_of_it(ran, limit):
    text = run_time(node(0, run_time_s=ran, time_limit_s=limit))
    if ran >= limit:
        assert text == f"all of {brief_duration(limit)}"
        return
    bound, of = re.fullmatch(r"under (.*) of (.*)", text).groups()
    assert of == brief_duration(limit)
    assert ran <= seconds(bound) * 1.005  # a limit is said to three digits
    assert seconds(bound) <= max(10.0, 2 * ran) * 1.005 or ran > MARKS_S[-1]
    assert seconds(bound) <= limit * 1.005


@given(st.floats(0, 10**6))
def test_what_is_left_is_never_said_to_be_more(left):
    text = time_left(left)
    if left < 10:
        assert text == "less than 10 s"
    else:
        said = seconds(text.removeprefix("more than "))
        assert said <= left
        assert left < 2 * said or said == MARKS_S[-1]


def test_words():
    assert [brief_duration(s) for s in (0.5, 60, 119, 120, 3500, 3600, 5400)] == [
        "0.5 s",
        "60 s",
        "119 s",
        "2 min",
        "58.3 min",
        "1 h",
        "1.5 h",
    ]
    assert [duration(s) for s in (90, 3500)] == ["90 s", "3500 s (58.3 min)"]
    assert run_time(node(0, run_time_s=59.2, status=Status.TIMEOUT)) == "all of 60 s"
    assert run_time(node(0, run_time_s=None)) is None
    marks = [b / a for a, b in pairwise(MARKS_S)]
    assert min(marks) >= 4 / 3
    assert max(marks) <= 5 / 3


def shown(p: Proposal, nodes=NODES, context=(), **scene) -> list[markup.Block]:
    operators, _ = make(direction=Direction.MINIMIZE)
    return markup.blocks(operators.render(Scene(BRIEF, RESOURCES, p, nodes, context, **scene))[1].content)


TOLD = (GuidanceKind.MEMORY, GuidanceKind.HISTORY, GuidanceKind.DIAGNOSIS, GuidanceKind.CANDIDATE)


@pytest.mark.parametrize("kind", GuidanceKind)
@pytest.mark.parametrize("op", [Op.IMPROVE, Op.HYPOTHESIZE, Op.SELECT])
def test_guidance_about_a_program_that_has_run_shows_its_run_time(kind, op):
    pieces = (Guidance(kind, "An idea.", node=2), Guidance(kind, "Another."), Guidance(kind, "Unknown.", node=99))
    attrs = [b.attrs for b in shown(Proposal(4, op, 0, guidance=pieces)) if b.tag == "guidance"]
    assert [a.get("run_time") for a in attrs] == ["under 45 s of 60 s" if kind in TOLD else None, None, None]


def test_attempts_programs_and_outputs_show_run_times_and_the_limit_that_they_had():
    nodes = {**NODES, 0: node(0, Op.DRAFT, score=0.3, run_time_s=1900.0, time_limit_s=3500.0)}
    for p, context in (
        (Proposal(4, Op.IMPROVE, 0), (0,)),
        (Proposal(4, Op.DIAGNOSE, 2, subject=0), ()),
        (Proposal(4, Op.MERGE, 2), (0,)),
        (Proposal(4, Op.HYPOTHESIZE, 0), ()),
        (Proposal(4, Op.SELECT, 0), ()),
    ):
        of_it = [b.attrs["run_time"] for b in shown(p, nodes, context) if b.attrs.get("node") == "0"]
        assert of_it
        assert set(of_it) == {"under 45 min of 58.3 min"}


def test_a_program_that_was_cut_is_debugged_with_both_limits():
    nodes = {0: node(0, Op.DRAFT, status=Status.TIMEOUT, run_time_s=60.0, time_limit_s=60.0)}
    (job,) = (b.body for b in shown(Proposal(1, Op.DEBUG, 0), nodes, limit_s=14.0) if b.tag == "job")
    assert "It ran longer than 60 s, the time limit that it had, and was killed." in job
    assert "It now has 14 s" in job
    assert "It ends by itself within 14 s." in job


def test_every_limit_in_a_prompt_is_the_one_in_force():
    """No text keeps the declared limit, but where it is called the usual one."""
    operators, _ = make(direction=Direction.MINIMIZE)
    fresh = {k: node(k, Op.DRAFT, score=0.3, time_limit_s=777.0, run_time_s=5.0) for k in range(3)}
    for op in (Op.DRAFT, Op.DEBUG, Op.IMPROVE, Op.MERGE, Op.HYPOTHESIZE, Op.SELECT):
        p = Proposal(4, op, None if op is Op.DRAFT else 0)
        system, user = operators.render(Scene(BRIEF, RESOURCES, p, fresh, (1, 2), limit_s=31.0, time_left_s=31.4))
        conditions = system.content + "".join(
            b.body for b in markup.blocks(user.content) if b.tag in ("resources", "contract", "job")
        )
        assert conditions.count("31 s") == conditions.replace("usual 60 s", "").count("31 s") >= 1
        assert "60 s" not in conditions.replace("usual 60 s", "")
        assert "Time of the whole search still left: more than 30 s" in conditions
