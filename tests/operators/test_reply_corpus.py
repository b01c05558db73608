"""The corpus of replies: what is read, what is asked again, and that nothing is taken for what it is not."""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple
from typing import Any

import pytest

from mlesearch.engine.trial import parsed_reply
from mlesearch.models.protocol import Reply
from mlesearch.operators import make
from mlesearch.types import Direction, ReplyUnusable, Usage
from tests.support.replies import CORPUS
from tests.support.replies.case import Ask, Case

OPERATORS = make(direction=Direction.MAXIMIZE)[0]


def taken(case: Case) -> str | dict[str, Any] | ReplyUnusable:
    """What is taken from a reply, in the form in which the case states it."""
    try:
        parsed = parsed_reply(OPERATORS, case.op, Reply(case.text, case.finish, Usage(), "m"))
    except ReplyUnusable as e:
        return e
    if case.op.makes_program:
        assert case.plan in parsed.plan
        return parsed.code
    if parsed.diagnosis is not None:
        return {k: getattr(parsed.diagnosis, k) for k in case.want} if isinstance(case.want, dict) else {"diagnosis": 1}
    if parsed.hypotheses:
        key = next(iter(case.want)) if isinstance(case.want, dict) else ""
        if key == "components":
            return {key: [h.component.value for h in parsed.hypotheses]}
        if key == "scores":
            return {key: [list(astuple(h.scores)) for h in parsed.hypotheses]}
        return {"hypotheses": [h.text for h in parsed.hypotheses]}
    return {"is_bug": parsed.is_bug, "lesson": parsed.lesson}


def verdict(case: Case) -> str:
    """right, asked again (though a person would have known), or wrong in silence."""
    got = taken(case)
    if isinstance(got, ReplyUnusable):
        return "right" if isinstance(case.want, Ask) else "asked again"
    return "right" if not isinstance(case.want, Ask) and got == case.want else "wrong in silence"


@pytest.mark.parametrize("case", CORPUS, ids=lambda c: c.name)
def test_a_reply_is_read_as_a_person_would(case):
    got = taken(case)
    if case.asked:
        assert isinstance(got, ReplyUnusable), f"read after all: take it out of ASKED: {got}"
    elif isinstance(case.want, Ask):
        assert isinstance(got, ReplyUnusable), f"taken: {got}"
        assert all(w in str(got) for w in case.want.words), str(got)
        assert "\n" not in str(got)
    else:
        assert not isinstance(got, ReplyUnusable), str(got)
        assert got == case.want


def test_the_score_of_the_corpus():
    assert len(CORPUS) >= 120
    assert len({c.name for c in CORPUS if c.op.makes_program}) == sum(c.op.makes_program for c in CORPUS)
    score = Counter(verdict(c) for c in CORPUS)
    known = sum(not isinstance(c.want, Ask) for c in CORPUS)
    print(f"{len(CORPUS)} replies: {dict(score)}; a person would have known {known}")
    assert score["wrong in silence"] == 0
    assert score["asked again"] <= 0.1 * known
