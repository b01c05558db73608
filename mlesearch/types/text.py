"""Small helps for texts of errors."""

from __future__ import annotations

from collections.abc import Iterable


def printable(text: str) -> str:
    """A text that can be written: half of a surrogate pair becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def did_you_mean(name: str, known: Iterable[str], *, clause: bool = False) -> str:
    """A hint for a name that does not exist.

    Args:
        name: as the user wrote it.
        known: the names that do exist.
        clause: whether it follows a semicolon instead of standing in parentheses.

    Returns:
        ` (did you mean 'x'?)`, or `; did you mean 'x'?`; empty where no known name is close.
    """
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1)
    if not close:
        return ""
    return f"; did you mean {close[0]!r}?" if clause else f" (did you mean {close[0]!r}?)"
