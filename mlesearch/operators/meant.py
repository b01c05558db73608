"""Of several whole programs in a reply the one that is meant, by what its prose says of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlesearch.operators.candidate import ONE_BLOCK, Candidate
from mlesearch.types import ReplyUnusable

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
_RECOMMENDED = re.compile(
    r"\b(?:recommended|preferred|my (?:choice|pick)|final (?:answer|version)|[(\[]final[)\]])", re.IGNORECASE
)
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
_WRONG = re.compile(
    r"^(?:wrong|bad|incorrect|buggy|broken|avoid|never)\b|\b(?:do not|don't|never)\s+(?:do|write) (?:it|this|"
    r"that) like\b",
    re.IGNORECASE,
)
_STANDBY = re.compile(
    r"^(?:only )?(?:if|in case|when|should)\b.*\b(?:missing|unavailable|not (?:available|installed|present|supported)|"
    r"fails?|no gpu|too (?:slow|long|large|big)|runs? out|out of memory|times? ?out)\b|"
    r"\b(?:smoke|sanity|dry)[- ](?:test|run|check)|\bfor (?:a )?(?:quick |local |fast(?:er)? )?(?:test(?:s|"
    r"ing)?|trials?|debug\w*)\b|"
    r"\bfall(?:s|ing)?[- ]?back\b",
    re.IGNORECASE,
)
_NUMBERS = {
    **dict.fromkeys(("one", "first", "a"), "1"),
    **dict.fromkeys(("two", "second", "b"), "2"),
    **dict.fromkeys(("three", "third", "c"), "3"),
    "d": "4",
}


def meant(pool: Sequence[Candidate], good: Sequence[Candidate], text: str) -> Candidate:
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
    if are_options(whole):
        return _optional(whole, labels, text)
    recommended = [c for c in whole if _RECOMMENDED.search(c.lead) and not _NOT.search(c.lead)]
    if len(recommended) == 1:
        return recommended[0]
    if last is not whole[-1]:
        return last
    said = _last_line(last.lead)
    if _OLDER.search(said) and not _BETTER.search(said):
        return whole[-2]
    if _not_to_run(said) and not _not_to_run(_last_line(whole[-2].lead)) and len(whole) == 2:
        return whole[-2]
    older = _MAYBE_OLDER.search(said) and not _BETTER.search(said) and not _OLDER.search(_last_line(whole[-2].lead))
    if older or _NOT.search(said):
        raise ReplyUnusable(f"it holds {len(whole)} programs, and it is not clear which one counts; {ONE_BLOCK}.")
    return last


def _not_to_run(said: str) -> bool:
    """Whether the line before a program says that it is wrong, or only for when another one fails."""
    return _WRONG.search(said) is not None or _STANDBY.search(said) is not None


def are_options(whole: Sequence[Candidate]) -> bool:
    """Whether programs are offered under numbers or letters, to choose from."""
    return sum(_label(c.lead) is not None for c in whole) > 1


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
