"""Replies of our own making in the styles of current models, each with what a sensible person would take from it.

`CORPUS` is the list. A case's `want` is a program, an `Ask` (no one could know: ask again), or fields of a judgement.
"""

from __future__ import annotations

from tests.support.replies import blind, blind_more, blocks, cuts, elisions, judgements, mending, reasoning, wrappers
from tests.support.replies.case import Case

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
]
