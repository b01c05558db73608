"""Programs that a chat's format has spoiled, put right where they then compile: never a guess at what was meant.

Each change is tried only on code that does not compile as it stands, and is kept only where the result does: HTML
entities, typographic quotes and spaces, prompts of an interactive session, lines that only a notebook knows, a text
that was escaped as a whole, a part of the indentation or of the list around it, line numbers.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable

from mlesearch.operators.code_facts import facts
from mlesearch.operators.syntax import SyntaxJudge

_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos|nbsp|#\d+|#x[0-9a-fA-F]+);")
_ENTITY_NAMES = frozenset({"lt", "gt", "amp", "quot", "apos", "nbsp"})
_WIDE = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_SPACES: dict[int, str | None] = {
    **dict.fromkeys(map(ord, _WIDE), " "),
    **dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"), None),
}
_TYPOGRAPHY: dict[int, str | None] = {
    **_SPACES,
    **dict.fromkeys(map(ord, "“”„‟″"), '"'),
    **dict.fromkeys(map(ord, "‘’‚‛′"), "'"),
    **dict.fromkeys(map(ord, "−–‐‑"), "-"),
    **{ord(wide): plain for wide, plain in zip("，（）：", ",():", strict=True)},
}
_CELL = re.compile(r"^[ \t]*(?:In|Out)[ \t]*\[[\d ]*\]:[ \t]?", re.MULTILINE)
_PROMPT = re.compile(r"^[ \t]*(?:>>>|\.\.\.)(?: |$)")
_NUMBERED = re.compile(r"^[ \t]*\d{1,4}(?:[ \t]*[|:│][ \t]?|[ \t]{2}|\t|$)")
_HARMLESS = re.compile(
    r"^(?P<indent>[ \t]*)(?:%(?:matplotlib|load_ext|reload_ext|autoreload|config|pip|conda|capture|precision|pylab)"
    r"\b.*|%%(?:time|capture)\b.*|[!%](?:\w+/bin/)?(?:pip3?|conda|mamba|uv|apt|apt-get|sudo apt-get|python3? -m pip)"
    r"\b.*|!(?:ls|pwd|head|nvidia-smi|free|df|cat|tree|nproc|lscpu)\b.*)$",
    re.MULTILINE,
)
_TIMED = re.compile(r"^(?P<indent>[ \t]*)%time[ \t]+(?=\S)", re.MULTILINE)
_FILE = re.compile(r"\A\s*%%(?:writefile|file)[ \t][^\n]*\n")
_LEFT_OVER = re.compile(
    r"(?:[ \t\n]*(?:</?(?:code|pre|python|answer|script|program|solution)>|<\|[\w▁]+\|>|</s>|`{3,}|~{3,}))+[ \t\n]*\Z"
)
_PROSE_HEAD = re.compile(r"(?:[A-Z*#>\-•]|\d+\.)(?![^=\[{\s]*\()[^=\[{]*$")


def before_closing_prose(text: str) -> str:
    """Bare code up to the prose that follows it, whose every line reads as prose; empty where there is none."""
    lines = text.rstrip().split("\n")
    last = len(lines)
    while last and (not lines[last - 1].strip() or _is_prose(lines[last - 1])):
        last -= 1
    return "\n".join(lines[:last]) if 0 < last < len(lines) else ""


def _is_prose(line: str) -> bool:
    """Whether a line reads as prose: several words, no assignment, no call as its first word; in linear time."""
    return sum(c.isspace() for c in line) >= 3 and _PROSE_HEAD.match(line) is not None


def mended(code: str, judge: SyntaxJudge) -> tuple[str, str]:
    """Code as it stands where it compiles, else as it does after as little as possible was put right.

    Args:
        code: of a block.
        judge: whether a program compiles.

    Returns:
        The code and what is wrong with it as it stands; empty where the code that is returned compiles.
    """
    fault = judge(code)
    if not fault:
        return (_unescaped(code, judge), "") if _ENTITY.search(code) else (code, "")
    changed = [c for change in _CHANGES if (c := change(code)) != code]
    for candidate in changed:
        if not judge(candidate):
            return candidate, ""
    if len(changed) > 1:
        together = code
        for change in _CHANGES:
            together = change(together)
            if not judge(together):
                return together, ""
    return code, fault


def _unescaped(code: str, judge: SyntaxJudge) -> str:
    """Code that compiles with its entities, since `a &amp; b` is two statements: without, where that binds nothing."""
    found = facts(code)
    if found is not None and found.needs & _ENTITY_NAMES:
        plain = html.unescape(code)
        if not judge(plain):
            return plain
    return code


def _without_entities(code: str) -> str:
    return html.unescape(code) if _ENTITY.search(code) else code


def _without_typography(code: str) -> str:
    return code if code.isascii() else code.translate(_TYPOGRAPHY)


def _with_plain_spaces(code: str) -> str:
    return code if code.isascii() else code.translate(_SPACES)


def _without_prompts(code: str) -> str:
    """Of an interactive session the lines that were typed in; with prompts of cells, all lines without them."""
    if _CELL.search(code):
        code = _CELL.sub("", code)
    lines = code.split("\n")
    if not any(line.lstrip().startswith(">>>") for line in lines):
        return code
    return "\n".join(_PROMPT.sub("", line) for line in lines if _PROMPT.match(line))


def _without_notebook_lines(code: str) -> str:
    """Without lines that only a notebook knows and that change nothing; a block that loses its only line keeps one."""
    if "%" not in code and "!" not in code:
        return code
    code = _FILE.sub("", code)
    code = _TIMED.sub(lambda m: m["indent"], code)
    return _HARMLESS.sub(lambda m: f"{m['indent']}pass" if m["indent"] else "", code)


def _without_line_numbers(code: str) -> str:
    lines = code.split("\n")
    if all(_NUMBERED.match(line) for line in lines if line.strip()):
        return textwrap.dedent("\n".join(_NUMBERED.sub("", line) for line in lines))
    return code


def _without_escapes(code: str) -> str:
    r"""A text that was escaped as a whole: its line ends stand in it as \n."""
    if "\\n" not in code or "\n" in code.strip():
        return code
    return re.sub(r'\\(n|t|r|"|\'|\\)', lambda m: {"n": "\n", "t": "\t", "r": ""}.get(m[1], m[1]), code.strip())


def _without_left_over_marks(code: str) -> str:
    return _LEFT_OVER.sub("\n", code)


def _without_quote_marks(code: str) -> str:
    lines = code.split("\n")
    if all(line.startswith(">") for line in lines if line.strip()):
        return "\n".join(re.sub(r"^> ?", "", line) for line in lines)
    return code


_CHANGES: tuple[Callable[[str], str], ...] = (
    textwrap.dedent,
    _without_left_over_marks,
    _with_plain_spaces,
    _without_typography,
    _without_entities,
    _without_prompts,
    _without_notebook_lines,
    _without_line_numbers,
    _without_quote_marks,
    _without_escapes,
)
"""In the order in which they are tried alone, and then one after the other."""
