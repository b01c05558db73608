"""Whether a program compiles: as this process' Python says, or the interpreter that will run it where that differs."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol, TypeVar, runtime_checkable

SyntaxJudge = Callable[[str], str]
"""Says in one line why a program does not compile ("line 2: '(' was never closed: `y = (2`"); empty where it does."""

_WARNINGS = threading.Lock()
_SOURCE_CHARS = 200
R = TypeVar("R")


@runtime_checkable
class JudgesSyntax(Protocol):
    """An operator set that reads programs, and lets the interpreter that will run them judge their syntax."""

    def judge_with(self, judge: SyntaxJudge) -> None:
        """From now on this decides whether a program compiles."""
        ...


@lru_cache(maxsize=1024)
def fault_here(code: str) -> str:
    """The judgement of this process' own Python, as a `SyntaxJudge` gives it."""
    try:
        quietly(lambda: compile(code, "<program>", "exec", dont_inherit=True))
    except SyntaxError as e:
        return described(e.lineno, e.msg, e.text)
    except (ValueError, RecursionError, MemoryError, OverflowError) as e:
        return str(e) or type(e).__name__
    return ""


def described(line: int | None, message: str, source: str | None) -> str:
    """A syntax error in one line: where, what, and the line of the program itself.

    Args:
        line: counted from 1; None where it is not known.
        message: of the interpreter.
        source: the line's text; None where it is not known.
    """
    where = f"line {line}" if line else "an unknown line"
    shown = " ".join((source or "").split())[:_SOURCE_CHARS]
    return f"{where}: {message}" + (f": `{shown}`" if shown else "")


def quietly(work: Callable[[], R]) -> R:
    """Without the warnings that odd escapes in strings and the like give: they are no errors."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return work()
