"""Replies of our own making in the styles of current models, each with what a sensible person would take from it.

`CORPUS` is the list. A case's `want` is a program, an `Ask` (no one could know: ask again), or fields of a judgement.
"""

from __future__ import annotations

from dataclasses import replace

from tests.support.replies import (
    blind,
    blind_more,
    blocks,
    current_json,
    current_reasoning,
    current_wrappers,
    cuts,
    elisions,
    field_blocks,
    field_cuts,
    field_fourth,
    field_json,
    field_odd,
    field_reasoning,
    field_wrappers,
    judgements,
    mending,
    reasoning,
    unseen,
    wrappers,
)
from tests.support.replies.case import Case

ASKED = frozenset(
    {
        "a remark on a loop that stands there",
        "old after new in german",
        "old after new in spanish",
        "what failed, at the end",
        "an ensemble member at the end",
        "unseen: flag in an object",
        "a program that strips thoughts",
        "a program that strips thoughts, after thoughts",
        "an alternative for another machine at the end",
        "old after new in chinese",
        "a here document without a fence",
        "a file in cdata",
        "a reply in json",
        "newlines as escapes",
        "one tab among spaces",
        "base and subject",
        "subject and base",
        "a json5 object",
        "is_bug: not a bug",
        "is_bug: no bug found",
        "is_bug: none",
        "two programs judged",
        "observations as an object",
    }
)
"""Replies that a person would have read and that are asked again all the same: they count against the bar."""

ASKED_FIELD = frozenset(
    {
        "thoughts after the answer",
        "steps out of order",
        "version 1, 2 and 3",
        "rst",
        "fences of two ticks",
        "an edit block of aider",
        "powershell",
        "echo lines",
        "a yaml reply",
        "a toml reply",
        "numbers as words",
        "scores as a list of objects",
        "the base judged beside it",
    }
)
"""The same of the field's replies."""

FIELD: list[Case] = [
    case
    for part in (
        field_reasoning,
        field_blocks,
        field_wrappers,
        field_cuts,
        field_odd,
        field_json,
        field_fourth,
    )
    for case in part.CASES
]
"""Replies in the shapes of many families of models, seven parts by subject."""

CORPUS: list[Case] = [
    *reasoning.CASES,
    *blocks.CASES,
    *wrappers.CASES,
    *mending.CASES,
    *elisions.CASES,
    *cuts.CASES,
    *judgements.CASES,
    *blind.BLIND,
    *blind_more.MORE,
    *(
        replace(c, name=f"current: {c.name}", asked=c.name in ASKED)
        for c in (*current_reasoning.CASES, *current_wrappers.CASES, *current_json.CASES, *unseen.CASES)
    ),
    *(replace(c, name=f"field: {c.name}", asked=c.name in ASKED_FIELD) for c in FIELD),
]
