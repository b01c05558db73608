"""Programs that leave code out: a comment or dots where lines should stand, names that nothing binds, no submission.

A comment that leaves code out is told from one that describes code by its form ("# ... rest of the code ...", "# ...",
dots on both sides). Where the form decides nothing ("# unchanged"), two signs are needed: such a comment, names that
are used and never bound, and no submission written are one each. One sign alone is let run: it is an honest mistake,
and what the run says of it is of use.
"""

from __future__ import annotations

import io
import re
import tokenize
from difflib import get_close_matches

from mlesearch.operators.code_facts import CodeFacts, facts, only_looks, only_writes_a_program, writes
from mlesearch.operators.elision_words import leaves_out

_CODE = (
    r"(?:code|script|program|pipeline|file|function|implementation|class|body|logic|notebook|imports|steps|solution)"
)
_HARD = re.compile(
    rf"^(?:the |your |my |all )?(?:rest|remainder) of (?:the |your |my |this )?(?:\w+ )?{_CODE}\W*"
    r"(?:(?:code )?(?:remains?|stays?|is|goes|continues?|unchanged|the same|same|as|here|follows|omitted|identical|"
    r"like)\b.*)?$|"
    rf"^(?:the |your |all )?(?:remaining|existing|previous|original|other|same|unchanged) (?:\w+ )?{_CODE}\W*"
    r"(?:(?:code )?(?:as|here|unchanged|remains?|stays?|goes|above|below|is (?:the same|unchanged)|from|"
    r"continues?)\b.*)?$|"
    r"\b(?:omitted|elided|left out|skipped|shortened|truncated|abbreviated|snipped)\b.{0,20}\bfor brevity\b|"
    r"^(?:omitted|elided|snip|snipped|truncated)$|"
    r"\b(?:omitted|elided|left out|not shown)\b.{0,40}\b(?:identical|same|unchanged|as in|as before|base|original)\b|"
    rf"^(?:your|insert|add|put|place|paste)\b.{{0,40}}\b{_CODE}\b.{{0,20}}\bhere$|"
    r"^and so on\b|^code (?:unchanged|as before|as above|same as .*|stays .*|remains .*)$",
    re.IGNORECASE,
)
_SOFT = re.compile(
    r"\bunchanged\b|\bsame as\b|\bas (?:before|above|is)\b|\bstays? the same\b|\bremains? the same\b|\bthe same\b|"
    r"\bidentical to\b|\bas in the (?:base|original|previous|above|earlier)\b|\bexisting\b|\brest of\b|\bremaining\b|"
    r"\bomitted\b|\belided\b|\bleft out\b|\btruncated\b|\babbreviated\b|\bskipped\b|\bprevious code\b|"
    r"\boriginal code\b|\bso on\b|\bcontinues?\b|\bto ?do\b|\bplaceholder\b|\bimplement\b|\bcode here\b|\bgoes here\b",
    re.IGNORECASE,
)
_CREDIT = re.compile(r"https?:|\b(?:written by|code (?:from|by))\b", re.IGNORECASE)
"""Where code was taken from."""

_EMPTY_BODY = re.compile(
    r"^\s*(?:pass|\.\.\.|return(?: None)?|raise NotImplementedError\b.*?)[ \t]*#(?P<said>.*)$", re.MULTILINE
)
_SAID_BODY = re.compile(r":[ \t]*\n\s*#(?P<said>[^\n]*)\n\s*(?:pass|\.\.\.|return(?: \w+)?)[ \t]*(?=\n\S|\n*\Z|\n\n)")
_ALIASES = frozenset(
    {
        "np",
        "pd",
        "plt",
        "sns",
        "os",
        "sys",
        "re",
        "json",
        "math",
        "time",
        "gc",
        "random",
        "Path",
        "tqdm",
        "torch",
        "nn",
        "F",
    }
)
_MANY_DOTS = 6
"""More of them in a row are a line that is drawn."""

_DOTS = ("...", "…", "..")
_JOINING = ("and", "then", "but", "or", "so", "which", "because", "with")
_PAIRS = ("[]", "()", "<>", "{}")
_WRITE_OUT = "write out the whole program, every line, unchanged ones included"


def elision(code: str) -> str:
    """Why a program that compiles is not whole, in words for the repair turn; empty where nothing speaks for that.

    Args:
        code: the program.
    """
    silent = not writes(code) and "submission" not in code.lower()
    found = facts(code)
    if found is not None and found.gap:
        return f"the program leaves code out: {found.gap}; {_WRITE_OUT}."
    hard, soft = _comments(code) if "#" in code or (found is not None and found.idle_texts) else ("", "")
    if hard:
        return f"the program leaves code out: {hard}; {_WRITE_OUT}."
    missing = "" if found is None else _missing(found.lacks if soft or silent else found.needs)
    if soft and missing:
        return f"the program leaves code out: {soft}, and {missing}; {_WRITE_OUT}."
    if soft and silent:
        return f"the program leaves code out: {soft}, and no submission is written; {_WRITE_OUT}."
    if only_writes_a_program(code):
        return f"its program only writes another program to a file, and nothing runs that; {_WRITE_OUT}, by itself."
    if silent and only_looks(code):
        return f"its program reads and prints, and writes nothing, so that it leaves no submission; {_WRITE_OUT}."
    if found is not None and silent and found.only_binds and not found.inert:
        return f"it is a part of a program: it sets names, and neither prints nor writes anything; {_WRITE_OUT}."
    if found is not None and silent and found.inert and ("def " in code or "import " in code):
        return f"it is a part of a program: it defines and imports, and runs nothing; {_WRITE_OUT}."
    if found is not None and not silent and found.uncalled:
        return f"it is a part of a program: nothing calls `{found.uncalled}`, which writes; {_WRITE_OUT}."
    if found is not None and missing and (silent or len(_unknown(found)) > 1):
        missing = missing if silent else f"{listed(_unknown(found))} used and never defined"
        silence = ", and no submission is written" if silent else ""
        return f"it is a part of a program: {missing}{silence}; {_WRITE_OUT}."
    return ""


def _missing(names: frozenset[str]) -> str:
    return f"{listed(sorted(names))} used and never defined" if names else ""


def _unknown(found: CodeFacts) -> list[str]:
    """Names that are used and never bound, but for those that are misspelt, or that an import was forgotten for."""
    return [
        n for n in sorted(found.needs - _ALIASES) if not get_close_matches(n.lower(), _folded(found.binds), 1, 0.75)
    ]


def _folded(names: frozenset[str]) -> list[str]:
    return sorted({n.lower() for n in names})


def listed(names: list[str]) -> str:
    """Some names for a message: "`a` is", "`a`, `b` and 3 more are"."""
    shown = ", ".join(f"`{name}`" for name in names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{shown}{more} {'is' if len(names) == 1 else 'are'}"


def _comments(code: str) -> tuple[str, str]:
    """The first comment that leaves code out by its form, and the first that may; in words, each empty without one."""
    lines = code.split("\n")
    real = _comment_lines(code)
    hard = soft = ""
    for i, line in enumerate(lines):
        said = line.strip()
        if not said.startswith("#") or (real is not None and i + 1 not in real):
            continue
        follows = i > 0 and lines[i - 1].strip().startswith("#")
        bare = said.lstrip("#").strip(" \t-=*#")
        degree = 2 if leaves_out(bare, "\n".join(lines[i + 1 : i + 4])) else _degree(bare, follows)
        words = f"line {i + 1} is `{said[:120]}`"
        if degree == 2 and not hard:
            hard = words
        elif degree == 1 and not soft:
            soft = words
    found = facts(code)
    for n, said in () if found is None else found.idle_texts:
        if leaves_out(said, "") or _degree(said, False) == 2 or (len(said.split()) < 5 and _SOFT.search(said)):
            hard = hard or f"line {n} is the text `{said[:120]}`"
    for m in _EMPTY_BODY.finditer(code):
        n = code.count("\n", 0, m.start("said")) + 1
        if (real is None or n in real) and (_SOFT.search(m["said"]) or m["said"].strip().startswith(_DOTS)):
            hard = hard or f"line {n} is `{m[0].strip()[:120]}`"
    for m in _SAID_BODY.finditer(code):
        n = code.count("\n", 0, m.start("said")) + 1
        if (real is None or n in real) and _SOFT.search(m["said"]):
            hard = hard or f"line {n} is `#{m['said'].rstrip()[:120]}`, in place of a body"
    return hard, soft


def _degree(said: str, follows: bool) -> int:
    """2: a comment of this form leaves code out; 1: it may; 0: it does not.

    Args:
        said: the comment, without its marks.
        follows: whether the line before is a comment too, which it may go on with.
    """
    bare, dotted, both = _bared(said)
    if _CREDIT.search(said):
        return 0
    if not bare:
        return 2 if dotted and not follows and len(said) <= _MANY_DOTS else 0
    if _HARD.search(bare):
        return 2 if dotted or both or not follows or _HARD.fullmatch(bare) else 1
    soft = _SOFT.search(bare) is not None
    if both:
        return 2
    if dotted and not follows and bare.split()[0].lower() not in _JOINING:
        return 2
    return 1 if soft else 0


def _bared(said: str) -> tuple[str, bool, bool]:
    """A comment without dots and brackets around it; whether dots stand before it, and whether on both sides."""
    before = after = False
    while True:
        trimmed = said.strip(" \t-=*~:")
        for dots in _DOTS:
            if trimmed.startswith(dots):
                before, trimmed = True, trimmed.lstrip(".…")
            if trimmed.endswith(dots) and len(trimmed) > len(dots):
                after, trimmed = True, trimmed.rstrip(".…")
        for pair in _PAIRS:
            if trimmed.startswith(pair[0]) and trimmed.endswith(pair[1]) and _SOFT.search(trimmed):
                before = after = True
                trimmed = trimmed[1:-1]
        if trimmed == said:
            return said.strip().rstrip("."), before, before and after
        said = trimmed


def _comment_lines(code: str) -> set[int] | None:
    """Lines that hold a comment, and no text of a string; None where this process' Python can't tell."""
    try:
        return {t.start[0] for t in tokenize.generate_tokens(io.StringIO(code).readline) if t.type == tokenize.COMMENT}
    except (tokenize.TokenError, SyntaxError, ValueError):
        return None
