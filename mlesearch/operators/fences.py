"""The fenced blocks of a reply, as models write them: in lists, glued to prose, inside one another, never closed.

A line of a Python program that begins with a fence mark stands in a string, so no program compiles that ends before
such a line. That decides where a block of Python ends: at the first mark at which it compiles. A block that compiles
nowhere, or that is no Python, ends at the first line that is a closing mark.
"""

from __future__ import annotations

import enum
import re
import textwrap
from dataclasses import dataclass

from mlesearch.operators.syntax import SyntaxJudge

_OPENING = re.compile(
    r"^(?P<lead>[ \t]*(?:>[ \t]?)*(?:(?:[-*+]|\d{1,3}[.)])[ \t]+)?(?:\*\*)?[ \t]*)(?P<mark>`{3,}|~{3,})[ \t]*"
    r"(?P<info>[^`\n]*?)[ \t]*$"
)
_GLUED = re.compile(r"^(?P<lead>[^`\n]*[^`\s\n][ \t]*)(?P<mark>`{3,})[ \t]*(?P<info>[A-Za-z][\w.+:#-]*)?[ \t]*$")
_CODE_END = re.compile(r"^(?P<code>[^`#\n]*[^`#\s\n])[ \t]*(?P<mark>`{3,}|~{3,})[ \t]*$")
_MARK = re.compile(r"^[ \t]*(?:>[ \t]?)*(?P<mark>`{3,}|~{3,})")
_QUOTE = re.compile(r"^[ \t]*>[ \t]?")
_CODE_AFTER_INFO = re.compile(r"(?:import|from|def|class|print|if|for|with)\b|[A-Za-z_]\w*[ \t]*=[^=]*[(\[]")

_PYTHON_WORDS = """
python py pyton python3 python2 ipython ipython3 py3 pycon python-repl jupyter jupyter-python notebook sage
tool_code python-exec execute_python code_interpreter
"""
_OTHER_WORDS = """
text txt plaintext plain output console terminal log stdout stderr result bash sh shell zsh shell-session
powershell cmd bat dos fish json json5 jsonc jsonl ndjson yaml yml toml ini cfg conf xml html css js
javascript ts typescript jsx tsx c cpp c++ cxx h hpp java kotlin scala go rust rs ruby rb php perl r julia
matlab sql diff patch csv tsv latex tex math mermaid dot graphviz dockerfile docker makefile make requirements
md markdown mdx rst error traceback pseudocode pseudo tree http nginx
"""
_PYTHON, _OTHER = frozenset(_PYTHON_WORDS.split()), frozenset(_OTHER_WORDS.split())
_WRAPPER = frozenset({"markdown", "md", "mdx", "answer", "response", "reply"})
_CLOSINGS = 16
"""At how many marks a block of Python is tried to end."""

_MARKS = 64
"""How many marks after an opening one are looked at for that."""

_TRIALS = 96
"""How many times a reply's blocks are tried to end, all together."""


class Language(enum.Enum):
    """What a block's info string says of it."""

    PYTHON = "python"
    UNSAID = "unsaid"
    OTHER = "other"


class End(enum.Enum):
    """How a block ends."""

    CLOSED = "closed"  # by a mark
    INTERRUPTED = "interrupted"  # by the mark of the next block
    OPEN = "open"  # with the text


@dataclass(frozen=True, slots=True)
class Fence:
    """One fenced block of a reply.

    Attributes:
        language: by its info string.
        info: the first word of its info string, in lower case.
        body: between the marks, without the indentation and the quote marks of the fence.
        first: the line of its opening mark.
        last: the line of its closing mark, or the last line of the block.
        end: how it ends.
        compiles: whether it was seen to compile as Python, as it stands.
        before: prose on the line of the opening mark.
        after: prose on the line of the closing mark.
    """

    language: Language
    info: str
    body: str
    first: int
    last: int
    end: End
    compiles: bool = False
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class _Opening:
    """The line that opens a block."""

    lead: str
    mark: str
    info: str
    language: Language
    code: str  # that follows the info string on its line


def scan(text: str, judge: SyntaxJudge) -> list[Fence]:
    """All fenced blocks of a text, in order.

    Args:
        text: of the reply.
        judge: whether a program compiles.
    """
    return _Scanner(text, judge).blocks()


class _Scanner:
    """One pass over the lines of a text."""

    def __init__(self, text: str, judge: SyntaxJudge) -> None:
        self._lines = text.split("\n")
        self._judge = judge
        self._trials = _TRIALS
        self._marked = [i for i, line in enumerate(self._lines) if "```" in line or "~~~" in line]

    def blocks(self) -> list[Fence]:
        found: list[Fence] = []
        free, wrapped = 0, False
        for at, i in enumerate(self._marked):
            if i < free:
                continue
            opening = _opening(self._lines[i])
            if opening is None:
                continue
            if self._wraps(at, opening):
                wrapped = True
                continue
            block = self._block(i, at, opening)
            if wrapped and opening.language is Language.UNSAID and not block.body.strip():
                continue  # the closing mark of what was wrapped
            found.append(block)
            free = block.last + 1
        return found

    def _wraps(self, at: int, opening: _Opening) -> bool:
        """Whether a block is around the next one: it is said to be markdown, or its mark is the longer one."""
        inner = _opening(self._lines[self._marked[at + 1]]) if at + 1 < len(self._marked) else None
        if inner is None or not inner.info:
            return False
        return opening.info in _WRAPPER or (not opening.info and len(inner.mark) < len(opening.mark))

    def _block(self, i: int, at: int, opening: _Opening) -> Fence:
        if opening.language is not Language.OTHER:
            found = self._compiling(i, self._marked[at + 1 : at + 1 + _MARKS], opening)
            if found is not None:
                return found
        return self._plain(i, at, opening)

    def _compiling(self, i: int, marks: list[int], opening: _Opening) -> Fence | None:
        """The block that ends at the first mark at which it compiles; None where there is none."""
        glued: Fence | None = None
        tried = 0
        for j in [*marks, len(self._lines)]:
            if tried == _CLOSINGS or not self._trials:
                break
            line = self._lines[j] if j < len(self._lines) else ""
            m = _MARK.match(line)
            if j < len(self._lines) and (m is None or m["mark"][0] != opening.mark[0]):
                code_end = _CODE_END.match(line)
                if glued is None and code_end is not None and code_end["mark"][0] == opening.mark[0]:
                    body = self._body(i, j, opening, code_end["code"])
                    tried, self._trials = tried + 1, self._trials - 1
                    if self._ok(body):
                        glued = Fence(opening.language, opening.info, body, i, j, End.CLOSED, True, _prose(opening))
                continue
            if m is not None and len(m["mark"]) < len(opening.mark):
                continue
            body = self._body(i, j, opening)
            if not body.strip():
                return None if opening.language is Language.UNSAID else self._ended(i, j, opening, body, False)
            tried, self._trials = tried + 1, self._trials - 1
            if self._ok(body):
                return self._ended(i, j, opening, body, True)
        return glued

    def _ok(self, body: str) -> bool:
        return bool(body.strip()) and not self._judge(body)

    def _ended(self, i: int, j: int, opening: _Opening, body: str, compiles: bool) -> Fence:
        """A block whose next line is `j`."""
        if j >= len(self._lines):
            last, end, after = len(self._lines) - 1, End.OPEN, ""
        else:
            m = _MARK.match(self._lines[j])
            rest = self._lines[j][m.end() :].strip() if m is not None else ""
            following = _opening(self._lines[j])
            if following is not None and following.info and following.language is not Language.UNSAID:
                last, end, after = j - 1, End.INTERRUPTED, ""
            else:
                last, end, after = j, End.CLOSED, rest
        return Fence(opening.language, opening.info, body, i, last, end, compiles, _prose(opening), after)

    def _plain(self, i: int, at: int, opening: _Opening) -> Fence:
        """The block up to the first line that closes it, or that opens another one."""
        for k in range(at + 1, len(self._marked)):
            j = self._marked[k]
            line = self._lines[j]
            m = _MARK.match(line)
            if m is None or m["mark"][0] != opening.mark[0] or len(m["mark"]) < len(opening.mark):
                if line.rstrip().endswith(opening.mark) and (end := _CODE_END.match(line)) is not None:
                    body = self._body(i, j, opening, end["code"])
                    return Fence(opening.language, opening.info, body, i, j, End.CLOSED, False, _prose(opening))
                continue
            return self._ended(i, j, opening, self._body(i, j, opening), False)
        j = len(self._lines)
        return self._ended(i, j, opening, self._body(i, j, opening), False)

    def _body(self, i: int, j: int, opening: _Opening, last: str | None = None) -> str:
        lines = self._lines[i + 1 : j]
        if last is not None:
            lines = [*lines, last]
        if ">" in opening.lead and all(_QUOTE.match(line) or not line.strip() for line in lines):
            lines = [_QUOTE.sub("", line) for line in lines]
        elif opening.lead:
            lines = _unindented(lines, opening.lead)
        if opening.code:
            lines = [opening.code, *lines]
        return "\n".join(lines)


def _unindented(lines: list[str], lead: str) -> list[str]:
    """Without the indentation that the block owes to its place: all of it, where every line has some."""
    if all(line[:1].isspace() for line in lines if line.strip()):
        return textwrap.dedent("\n".join(lines)).split("\n")
    width = len(lead) - len(lead.lstrip())
    return [line[min(width, len(line) - len(line.lstrip())) :] for line in lines]


def _prose(opening: _Opening) -> str:
    return opening.lead.strip(" \t>*-+") if opening.lead.strip() else ""


def _opening(line: str) -> _Opening | None:
    """What a line opens, if it opens a block: a mark alone, in a list, in a quotation, or after prose."""
    m = _OPENING.match(line)
    if m is None:
        m = _GLUED.match(line)
        if m is None or (m["info"] is None and not m["lead"].rstrip().endswith(":")):
            return None
        if m["info"] is not None and language(m["info"])[1] is Language.UNSAID:
            return None
    word, rest = _words(m["info"] or "")
    info, kind = language(word)
    if kind is Language.UNSAID and not word:
        rest = ""
    code = rest if kind is not Language.OTHER and _CODE_AFTER_INFO.match(rest) and '="' not in rest else ""
    return _Opening(m["lead"], m["mark"], info, kind, code)


def _words(info: str) -> tuple[str, str]:
    info = info.strip()
    if info.startswith("{"):
        info = info.strip("{}").replace("{", " ")
    first, _, rest = info.partition(" ")
    return first, rest.strip()


def language(word: str) -> tuple[str, Language]:
    """The first word of an info string in lower case, and what it says: `python:solution.py`, `py3`, `main.py`."""
    word = word.strip().strip("{}").lower().lstrip(".").removeprefix("language-").removeprefix("lang-")
    head = re.split(r"[:{,;=(\[|]", word, maxsplit=1)[0]
    if word.endswith((".py", ".ipynb", ".pyw")) or head.endswith(".py") or ".py:" in word:
        return head, Language.PYTHON
    if head in _PYTHON or re.fullmatch(r"(?:i?python|py)[-_ ]?\d[\d.]*", head):
        return head, Language.PYTHON
    if head in ("file", "filename", "path", "title", "name", "lang", "language"):
        return language(word[len(head) + 1 :].strip("\"'")) if len(word) > len(head) + 1 else (head, Language.UNSAID)
    return head, Language.OTHER if head in _OTHER else Language.UNSAID
