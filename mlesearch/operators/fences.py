"""Finding the program in a reply: fenced blocks, a fence that was never closed, or a reply that is only code."""

from __future__ import annotations

import ast
import re
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from mlesearch.types import ReplyUnusable

_FENCE = re.compile(r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*)$")
_PYTHON = frozenset({"python", "py", "python3", "python2", "ipython"})
_CODE_START = re.compile(r"^(?:import|from)[ \t]+[A-Za-z_]", re.MULTILINE)
_BLANKS = re.compile(r"\n{3,}")
_WARNINGS = threading.Lock()
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Fence:
    """One fenced block of a reply: its language as written, its body, and the lines it spans."""

    language: str
    body: str
    first: int
    last: int
    closed: bool


def fences(text: str) -> list[Fence]:
    """All fenced blocks, in order; one that the text never closes reaches to its end."""
    lines = text.split("\n")
    found: list[Fence] = []
    i = 0
    while i < len(lines):
        opening = _FENCE.match(lines[i])
        if opening is None:
            i += 1
            continue
        info = opening["info"].strip().lower().split()
        end = _closing(lines, i + 1, opening["fence"])
        body = "\n".join(lines[i + 1 : end])
        if lines[i][0].isspace():
            body = textwrap.dedent(body)
        found.append(Fence(info[0].strip("{}.") if info else "", body, i, end, end < len(lines)))
        i = end + 1
    return found


def _closing(lines: list[str], start: int, fence: str) -> int:
    """The line that closes a fence: the same mark, at least as long, and nothing else; indented by 3 at most."""
    for i in range(start, len(lines)):
        line = lines[i]
        mark = line.strip()
        if len(mark) >= len(fence) and mark == fence[0] * len(mark) and len(line) - len(line.lstrip()) <= 3:
            return i
    return len(lines)


def program(text: str) -> tuple[str, str]:
    """A reply's plan and program.

    The program is the longest block marked as Python, else the longest unmarked one, else the whole reply or its
    rest from the first import on, where that compiles. Blocks that do not compile give way to ones that do.

    Returns:
        Plan (the prose outside of all blocks; may be empty) and program (it compiles and is not empty).

    Raises:
        ReplyUnusable: there is none, or it does not compile; the text names the line.
    """
    blocks = fences(text)
    python = [b for b in blocks if b.language in _PYTHON] or [b for b in blocks if not b.language]
    problem = ""
    for block in sorted(python, key=lambda b: (len(b.body), b.first), reverse=True):
        fault = syntax_fault(block.body)
        if not fault:
            return _prose(text, blocks), _ended(block.body)
        problem = problem or _with_cut(fault, block)
    for span in _spans(text, python):
        if not syntax_fault(span.body):
            return _prose(text, [span]), _ended(span.body)
    if problem:
        raise ReplyUnusable(problem)
    if not blocks:
        return _unfenced(text)
    raise ReplyUnusable("it holds no fenced block marked as Python; give the whole program in one ```python block.")


def _spans(text: str, python: list[Fence]) -> Iterator[Fence]:
    """A program that itself holds fence marks looks like several blocks: from the first opening to the last mark."""
    if not python:
        return
    lines = text.split("\n")
    first = python[0].first
    last = next((i for i in range(len(lines) - 1, first, -1) if _FENCE.match(lines[i])), first)
    if last > python[0].last:
        yield Fence("python", "\n".join(lines[first + 1 : last]), first, last, True)


def _unfenced(text: str) -> tuple[str, str]:
    """A reply without any fence: only code, or prose and then code from the first import on."""
    if _is_program(text):
        return "", _ended(text)
    for start in _CODE_START.finditer(text):
        if _is_program(text[start.start() :]):
            return text[: start.start()].strip(), _ended(text[start.start() :])
        break
    raise ReplyUnusable("it holds no program; give the whole program in one fenced block that opens with ```python.")


def _is_program(text: str) -> bool:
    """Whether it compiles and does something: a lone word of prose is an expression of Python, too."""
    if syntax_fault(text):
        return False
    tree = quietly(lambda: ast.parse(text))
    return any(not isinstance(s, ast.Expr) or isinstance(s.value, ast.Call) for s in tree.body)


def _prose(text: str, blocks: list[Fence]) -> str:
    """What stands outside of all blocks."""
    lines = text.split("\n")
    kept: list[str] = []
    at = 0
    for b in blocks:
        kept += [*lines[at : b.first], ""]
        at = b.last + 1
    return _BLANKS.sub("\n\n", "\n".join([*kept, *lines[at:]])).strip() if blocks else text.strip()


def _ended(code: str) -> str:
    return code.strip("\n").rstrip() + "\n"


def _with_cut(fault: str, block: Fence) -> str:
    return fault if block.closed else f"{fault} The block is not closed: the reply seems to be cut off."


@lru_cache(maxsize=1024)
def syntax_fault(code: str) -> str:
    """Why a program does not compile, with the line; empty when it does."""
    if not any(line.strip() and not line.lstrip().startswith("#") for line in code.split("\n")):
        return "the program is empty: the fenced block holds no statement."
    try:
        quietly(lambda: compile(code, "<program>", "exec", dont_inherit=True))
    except SyntaxError as e:
        line = (e.text or "").strip()
        where = f"line {e.lineno}" if e.lineno else "an unknown line"
        return f"the program does not compile: {where}: {e.msg}" + (f": `{line[:200]}`." if line else ".")
    except (ValueError, RecursionError, MemoryError, OverflowError) as e:
        return f"the program does not compile: {e or type(e).__name__}."
    return ""


def quietly(work: Callable[[], R]) -> R:
    """Without the warnings that odd escapes in strings and the like give: they are no errors."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return work()
