"""Who judges the syntax of the programs that a sandbox runs: its own interpreter, or a record of what that said."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from mlesearch.sandbox.protocol import Sandbox

SyntaxCheck = Callable[[str], str]
"""Says in one line why a program does not compile; empty where it does."""


@runtime_checkable
class OwnJudge(Protocol):
    """A sandbox whose judgement of syntax is not, or not always, that of the harness' Python."""

    def syntax_check(self, here: SyntaxCheck) -> SyntaxCheck:
        """Who judges.

        Args:
            here: the judgement of the harness' Python.
        """
        ...


@runtime_checkable
class _Versioned(Protocol):
    """A sandbox that knows the version of its interpreter."""

    python_version: str


@runtime_checkable
class _Around(Protocol):
    """A sandbox around another one."""

    inner: Sandbox


def syntax_check(sandbox: Sandbox, here: SyntaxCheck) -> SyntaxCheck:
    """Who judges the syntax of the programs that a sandbox runs.

    Args:
        sandbox: a rung, or one around a rung.
        here: the judgement of the harness' Python, which is the interpreter of most rungs.
    """
    if isinstance(sandbox, OwnJudge):
        return sandbox.syntax_check(here)
    return syntax_check(sandbox.inner, here) if isinstance(sandbox, _Around) else here


def python_version(sandbox: Sandbox) -> str:
    """The version of the interpreter that programs run in, as in "3.12"; of most rungs the harness' own."""
    if isinstance(sandbox, _Versioned):
        return sandbox.python_version
    return python_version(sandbox.inner) if isinstance(sandbox, _Around) else python_here()


def python_here() -> str:
    """The version of the harness' Python."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
