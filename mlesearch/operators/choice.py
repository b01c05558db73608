"""Which of a reply's blocks are its program: the last complete one, or the parts of one joined.

A block is complete where it binds all that it uses and, if any block of the reply writes a submission, writes one.
Blocks that need each other are one program. Where it is not clear which of several programs is meant, or a later one
was cut off, the model is asked again; nothing is run that may be a draft or a half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlesearch.operators.candidate import CUT, ONE_BLOCK, Candidate, problem
from mlesearch.operators.code_facts import facts, surely_whole, writes
from mlesearch.operators.elisions import listed
from mlesearch.operators.meant import meant
from mlesearch.operators.syntax import SyntaxJudge
from mlesearch.types import ReplyUnusable

_PARTS = 12
"""Most blocks that are joined to one program."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The program of a reply.

    Attributes:
        code: it compiles.
        unclosed: whether the text ends before the block that it stands in does.
    """

    code: str
    unclosed: bool


def choose(every: Sequence[Candidate], text: str, judge: SyntaxJudge) -> Chosen:
    """The program that a reply's blocks hold.

    Args:
        every: its candidates, in order; at least one.
        text: the reply, for what it says of them.
        judge: whether a program compiles.

    Raises:
        ReplyUnusable: there is none that is surely meant and whole; the text says why.
    """
    every = _without_a_cut_copy(every)
    if len(every) == 1 and not every[0].fault:
        return _checked(every[0].code, every)
    good = [c for c in every if not c.fault and not (len(every) > 1 and c.facts is not None and c.facts.only_values)]
    if not good:
        return _in_pieces(every, judge)
    whole = any(c.writes and not c.needs and not c.inert for c in good)
    if any(c.fault for c in every) and not whole and (pieces := _joined_as_they_stand(every, judge)):
        return Chosen(pieces, False)
    pool = [c for c in good if c.writes] or [c for c in good if not c.inert] or good
    chosen = meant(pool, good, text)
    _refuse_near_a_failure(chosen, every)
    return _whole(chosen, good, judge)


def _without_a_cut_copy(every: Sequence[Candidate]) -> Sequence[Candidate]:
    """Without a last block that only begins a program anew that stands before it, as models do that repeat."""
    start = every[-1].fence.body.strip()
    copied = every[-1].open and any(not c.fault and c.writes and c.code.strip().startswith(start) for c in every[:-1])
    return every[:-1] if copied and start else every


def _refuse_near_a_failure(chosen: Candidate, every: Sequence[Candidate]) -> None:
    """A later block that does not compile may be the corrected program, an earlier one may hold the chosen one.

    Raises:
        ReplyUnusable: there is such a block.
    """
    for c in every:
        if "triple-quoted" in c.fault and c.fence.first < chosen.fence.first:
            raise ReplyUnusable(problem(c))  # what follows may be a part of its text
        later = c.fence.first > chosen.fence.first
        if c.fault and later and (c.open or c.writes or 2 * len(c.code) > len(chosen.code)):
            raise ReplyUnusable(problem(c))
        if later and c.open and not c.writes and ("import " in c.code or 2 * len(c.code) > len(chosen.code)):
            raise ReplyUnusable(f"another program after the first is cut off. {CUT}")


def _in_pieces(every: Sequence[Candidate], judge: SyntaxJudge) -> Chosen:
    """Blocks of which none compiles, joined as they stand: one program that was cut up.

    Raises:
        ReplyUnusable: they are none; says what is wrong with the longest.
    """
    pieces = _joined_as_they_stand(every, judge)
    if pieces:
        return Chosen(pieces, False)
    raise ReplyUnusable(problem(max(every, key=lambda c: (c.open, len(c.code)))))


def _joined_as_they_stand(every: Sequence[Candidate], judge: SyntaxJudge) -> str:
    """All blocks as one program, where some of them are none by themselves; empty where they are no program."""
    if not 1 < len(every) <= _PARTS or every[-1].open:
        return ""
    joined = "\n".join(c.fence.body for c in every)
    found = None if judge(joined) else facts(joined)
    return joined if found is not None and not found.lacks and not found.inert else ""


def _whole(chosen: Candidate, good: Sequence[Candidate], judge: SyntaxJudge) -> Chosen:
    """The program with the blocks that it needs.

    Raises:
        ReplyUnusable: they do not make a whole; says what is missing.
    """
    _refuse_files(chosen, good)
    parts = _parts(chosen, good)
    if parts == [chosen]:
        return _checked(chosen.code, parts)
    joined = "\n\n".join(c.code.strip("\n") for c in parts) + "\n"
    fault = judge(joined)
    if fault:
        raise ReplyUnusable(
            f"its {len(parts)} blocks seem to be parts of one program, but together they do not compile: {fault}; "
            f"{ONE_BLOCK}."
        )
    found = facts(joined)
    if found is not None and found.lacks:
        raise ReplyUnusable(
            f"its {len(parts)} blocks are no whole program: {listed(sorted(found.lacks))} used and never defined; "
            f"{ONE_BLOCK}."
        )
    if not writes(joined) and "submission" not in joined.lower():
        raise ReplyUnusable(f"its {len(parts)} blocks are no whole program: none writes a submission; {ONE_BLOCK}.")
    return _checked(joined, parts)


def _refuse_files(chosen: Candidate, good: Sequence[Candidate]) -> None:
    """A program in several files can't be run.

    Raises:
        ReplyUnusable: a module that it imports stands in another block.
    """
    for other in good:
        if chosen.facts is None or other.facts is None or other is chosen:
            continue
        for module, names in chosen.facts.imports:
            if names <= other.facts.defines:
                raise ReplyUnusable(
                    f"its program imports from `{module}`, which is another block of the reply, but one file is run; "
                    f"{ONE_BLOCK}."
                )


def _parts(chosen: Candidate, good: Sequence[Candidate]) -> list[Candidate]:
    """The blocks that make one program with the chosen one, in the order in which they run.

    Raises:
        ReplyUnusable: what it needs stands in another program, so that it is a change of that one.
    """
    before = [c for c in good if c.fence.first < chosen.fence.first]
    after = [c for c in good if c.fence.first > chosen.fence.first]
    missing = set(chosen.needs)
    first, helpers = len(before), list[Candidate]()
    for c in after:
        if c.inert and not c.writes and c.binds & missing:
            helpers.append(c)
            missing = (missing - c.binds) | c.needs
    for i in range(len(before) - 1, -1, -1):
        if before[i].binds & missing:
            if before[i].writes and not before[i].inert:
                raise ReplyUnusable(
                    f"its last block is a part of a program: {listed(sorted(before[i].binds & missing))} defined in "
                    f"another program of the reply; {ONE_BLOCK}, every line, unchanged ones included."
                )
            missing = (missing - before[i].binds) | before[i].needs
            first = i
    parts = [c for c in before[first:] if c.needs or c.binds][-_PARTS:]
    tail = [c for c in after if chosen.inert and not c.inert and c.needs & chosen.binds][:1]
    own = chosen.binds | frozenset().union(*(p.binds for p in parts))
    helpers = [h for h in helpers if h.binds & (chosen.needs | frozenset().union(*(p.needs for p in parts)) | own)]
    return [*helpers, *parts, chosen, *tail]


def _checked(code: str, parts: Sequence[Candidate]) -> Chosen:
    """The program, if it is surely whole where its block is not closed.

    Raises:
        ReplyUnusable: it may be cut off.
    """
    unclosed = any(c.open for c in parts)
    if unclosed and not surely_whole(code):
        raise ReplyUnusable(
            "the program is cut off: its block is not closed, and it does not end by writing a submission; "
            f"{ONE_BLOCK}, and close the block."
        )
    return Chosen(code, unclosed)
