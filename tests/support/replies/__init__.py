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
        "an artifact of claude",
        "unseen: flag in an object",
        "a program that strips thoughts",
        "a program that strips thoughts, after thoughts",
        "an alternative for another machine at the end",
        "a quicker version for trials at the end",
        "old after new in chinese",
        "a here document",
        "a here document without a fence",
        "a file in cdata",
        "a reply in json",
        "newlines as escapes",
        "one tab among spaces",
        "quotes that are not escaped",
        "json as a text",
        "escaped json without quotes",
        "base and subject",
        "subject and base",
        "chinese punctuation",
        "bullets",
        "yaml",
        "a json5 object",
        "python's triple quotes",
        "is_bug: not a bug",
        "is_bug: no bug found",
        "is_bug: none",
        "two programs judged",
        "observations as an object",
    }
)
"""Replies that a person would have read and that are asked again all the same: they count against the bar."""

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
]
