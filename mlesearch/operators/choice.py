"""Which of a reply's blocks are its program: the last complete one, or the parts of one joined.

A block is complete where it binds all that it uses and, if any block of the reply writes a submission, writes one.
Blocks that need each other are one program. Where it is not clear which of several programs is meant, or a later one
was cut off, the model is asked again; nothing is run that may be a draft or a half.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from mlesearch.operators.code_facts import CodeFacts, facts, surely_whole, writes
from mlesearch.operators.elisions import listed
from mlesearch.operators.fences import End, Fence, Language
from mlesearch.operators.mending import mended
from mlesearch.operators.syntax import SyntaxJudge
from mlesearch.types import ReplyUnusable

ONE_BLOCK = "give the whole program in one fenced block that opens with ```python"
CUT = "The block is not closed: the reply seems to be cut off."
EMPTY = "the program is empty: the fenced block holds no statement."

_PARTS = 12
"""Most blocks that are joined to one program."""

_LABEL = re.compile(
    r"\b(?:option|alternative|approach|version|variant|solution|program|candidate|choice|method)\s*(?:#|no\.?\s*)?"
    r"(?P<id>\d|[a-d]\b|one|two|three|first|second|third)",
    re.IGNORECASE,
)
_ORDINAL = re.compile(r"\b(?P<id>first|second|third|former|latter|last)\b", re.IGNORECASE)
_CHOSEN = re.compile(
    r"\b(?:recommend\w*|prefer\w*|suggest\w*|go(?:ing)? with|choose|chose|choosing|pick\w*|submit|please (?:use|run)|"
    r"should be (?:used|run|submitted)|is (?:my|the) (?:final )?(?:choice|pick|answer|submission)|is (?:the )?better|"
    r"use)\b",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:not|don't|do not|never|n't)\s+(?:\w+\s+)?(?:recommend\w*|use|run|choose|suggest\w*)", re.IGNORECASE
)
_RECOMMENDED = re.compile(r"\b(?:recommended|preferred|my (?:choice|pick)|final answer)\b", re.IGNORECASE)
_BETTER = re.compile(
    r"\b(?:final|correct\w*|fixed|improved|new|updated|full|complete|better|revised|instead|rewritten|whole|actual|"
    r"recommended|here(?:'s| is) the program)\b",
    re.IGNORECASE,
)
_OLDER = re.compile(
    r"^(?:for (?:reference|comparison|context)\b|(?:here (?:is|was) )?(?:the |our |my )?"
    r"(?:original|old|previous|former|base(?:line)?|current|earlier)\b|(?:and )?what (?:it|we) (?:was|had)\b|before\b)",
    re.IGNORECASE,
)
_MAYBE_OLDER = re.compile(
    r"\b(?:original|old|previous|earlier|for reference|for comparison|wrong|abandoned|discarded|do not use|don't use|"
    r"alternative\w*|fallback|simpler|quick(?:er)?|debug\w*|sanity|optional\w*|variant)\b",
    re.IGNORECASE,
)
_NUMBERS = {
    **dict.fromkeys(("one", "first", "a"), "1"),
    **dict.fromkeys(("two", "second", "b"), "2"),
    **dict.fromkeys(("three", "third", "c"), "3"),
    "d": "4",
}


@dataclass(frozen=True)
class Candidate:
    """A block as a program.

    Attributes:
        fence: the block.
        code: its body, put right where that was needed.
        fault: why it does not compile; empty where it does.
        lead: the prose right before it.
    """

    fence: Fence
    code: str
    fault: str
    lead: str = ""

    @cached_property
    def facts(self) -> CodeFacts | None:
        """What can be seen of it."""
        return None if self.fault else facts(self.code)

    @property
    def inert(self) -> bool:
        """Whether it only imports, defines and sets constants."""
        return self.facts is not None and self.facts.inert

    @property
    def binds(self) -> frozenset[str]:
        """Names that it binds at its top level."""
        return frozenset() if self.facts is None else self.facts.binds

    @property
    def needs(self) -> frozenset[str]:
        """Names that it uses and does not bind, or not before."""
        return frozenset() if self.facts is None else self.facts.lacks

    @cached_property
    def writes(self) -> bool:
        """Whether it writes a file such as a submission."""
        return writes(self.code)

    @property
    def open(self) -> bool:
        """Whether the text ends before it does."""
        return self.fence.end is End.OPEN


@dataclass(frozen=True, slots=True)
class Chosen:
    """The program of a reply.

    Attributes:
        code: it compiles.
        unclosed: whether the text ends before the block that it stands in does.
    """

    code: str
    unclosed: bool


def candidates(text: str, blocks: Sequence[Fence], judge: SyntaxJudge) -> list[Candidate]:
    """The blocks that may be a program, or a part of one: all that are marked as Python, and unmarked ones that are."""
    found: list[Candidate] = []
    lines = text.split("\n")
    at = 0
    for block in blocks:
        lead = [line for line in [*lines[at : block.first], block.before] if line.strip()][-3:]
        at = block.last + 1
        if block.language is Language.OTHER or not block.body.strip():
            continue
        if not has_statement(block.body):
            continue
        code, fault = (block.body, "") if block.compiles and "&" not in block.body else mended(block.body, judge)
        each = Candidate(block, code, fault, "\n".join(lead))
        if block.language is Language.PYTHON or (not fault and looks_like_a_program(each.facts)):
            found.append(each)
    return found


def has_statement(code: str) -> bool:
    """Whether there is more than comments."""
    return any(line.strip() and not line.lstrip().startswith("#") for line in code.split("\n"))


def looks_like_a_program(found: CodeFacts | None) -> bool:
    """Whether code that is not marked as Python is a program: outputs and words of prose compile, too."""
    return found is not None and not found.only_values and bool(found.binds or not found.inert)


def choose(every: Sequence[Candidate], text: str, judge: SyntaxJudge) -> Chosen:
    """The program that a reply's blocks hold.

    Args:
        every: its candidates, in order; at least one.
        text: the reply, for what it says of them.
        judge: whether a program compiles.

    Raises:
        ReplyUnusable: there is none that is surely meant and whole; the text says why.
    """
    if len(every) == 1 and not every[0].fault:
        return _checked(every[0].code, every)
    good = [c for c in every if not c.fault and not (len(every) > 1 and c.facts is not None and c.facts.only_values)]
    if not good:
        return _in_pieces(every, judge)
    if len(good) < len(every) and (pieces := _joined_as_they_stand(every, judge)):
        return Chosen(pieces, False)
    pool = [c for c in good if c.writes] or [c for c in good if not c.inert] or good
    chosen = _meant(pool, good, text)
    _refuse_near_a_failure(chosen, every)
    return _whole(chosen, good, judge)


def _meant(pool: Sequence[Candidate], good: Sequence[Candidate], text: str) -> Candidate:
    """Of several programs the one that is meant: the last, unless the text says otherwise.

    Raises:
        ReplyUnusable: that can't be told.
    """
    last = pool[-1]
    later = [c for c in good if c.fence.first > last.fence.first]
    if later and _replaces(later[-1]):
        return later[-1]
    whole = [c for c in pool if not c.needs]
    if whole and last.needs and last.writes and "import" not in last.code:
        if set(last.code.split("\n")) <= set(whole[-1].code.split("\n")):
            return whole[-1]  # a part of it, explained
        raise ReplyUnusable(
            f"its last block is a part of a program, and another one before it is whole; {ONE_BLOCK}, every line."
        )
    if len(whole) < 2:
        return last
    labels = [_label(c.lead) for c in whole]
    if sum(label is not None for label in labels) > 1:
        return _optional(whole, labels, text)
    recommended = [c for c in whole if _RECOMMENDED.search(c.lead) and not _NOT.search(c.lead)]
    if len(recommended) == 1:
        return recommended[0]
    if last is not whole[-1]:
        return last
    said = _last_line(last.lead)
    if _OLDER.search(said) and not _BETTER.search(said):
        return whole[-2]
    older = _MAYBE_OLDER.search(said) and not _BETTER.search(said) and not _OLDER.search(_last_line(whole[-2].lead))
    if older or _NOT.search(said):
        raise ReplyUnusable(f"it holds {len(whole)} programs, and it is not clear which one counts; {ONE_BLOCK}.")
    return last


def _replaces(c: Candidate) -> bool:
    """Whether a block that writes no submission is meant in place of one that does: whole, and said to be so."""
    return not c.needs and not c.inert and "import" in c.code and bool(_BETTER.search(_last_line(c.lead)))


def _optional(whole: Sequence[Candidate], labels: Sequence[str | None], text: str) -> Candidate:
    """Of options the one that is recommended.

    Raises:
        ReplyUnusable: none is, or several are.
    """
    marked = [c for c in whole if _RECOMMENDED.search(c.lead) and not _NOT.search(c.lead)]
    if len(marked) == 1:
        return marked[0]
    named: set[int] = set()
    for sentence in re.split(r"(?<=[.!?])\s+|\n", text):
        if not _CHOSEN.search(sentence) or _NOT.search(sentence):
            continue
        ids = [_id(m["id"]) for m in _LABEL.finditer(sentence)] or [_id(m["id"]) for m in _ORDINAL.finditer(sentence)]
        named.update(i for i in (_index(each, labels) for each in ids[:1]) if i is not None)
    if len(named) == 1:
        return whole[named.pop()]
    raise ReplyUnusable(f"it offers {len(whole)} programs to choose from, but one is run; {ONE_BLOCK}.")


def _index(id: str, labels: Sequence[str | None]) -> int | None:
    if id in ("last", "latter"):
        return len(labels) - 1
    if id == "former":
        return 0
    if id in labels:
        return labels.index(id)
    return int(id) - 1 if id.isdigit() and 0 < int(id) <= len(labels) else None


def _label(lead: str) -> str | None:
    m = _LABEL.search(lead)
    return None if m is None else _id(m["id"])


def _id(word: str) -> str:
    return _NUMBERS.get(word.lower(), word.lower())


def _last_line(lead: str) -> str:
    line = lead.rpartition("\n")[2]
    return re.sub(r"^[\W\d_]+", "", line).strip()


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


def problem(c: Candidate) -> str:
    """What is wrong with a candidate that does not compile, for the repair turn."""
    said = f"the program does not compile: {c.fault}."
    return f"{said} {CUT}" if c.open else said


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
