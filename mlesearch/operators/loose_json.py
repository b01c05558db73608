"""Finding a JSON object in a reply, and reading its fields with words for what is wrong."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence

from mlesearch.operators.fences import fences, quietly
from mlesearch.types import ReplyUnusable, printable

Object = dict[str, object]

_STARTS = 64
"""How many places where an object may begin are tried."""

_LOOSE = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*")|,(?=\s*[}\]])|(?P<word>\b(?:True|False|None)\b)|//[^\n]*|/\*.*?\*/""", re.DOTALL
)
_START = re.compile(r"[{\[]")
_WORDS = {"True": "true", "False": "false", "None": "null"}
_DECODER = json.JSONDecoder(strict=False)
_YES = frozenset({"true", "yes", "y", "1"})
_NO = frozenset({"false", "no", "n", "0"})
_NULL = frozenset({"null", "none", "n/a", "unknown", ""})
_NUMBER = re.compile(r"^\s*(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*(?:/\s*10)?\s*$", re.IGNORECASE)


def find(text: str, wanted: Callable[[object], bool]) -> object:
    """The JSON value of a reply that is the one wanted: bare, fenced, or with prose around it.

    Trailing commas, comments, Python's True, False and None, and Python's quotes are put up with. Of several the last
    one counts, since a model may correct itself; what is fenced goes before what is not.

    Args:
        text: the reply.
        wanted: tells the value that is looked for, e.g. an object with a certain key.

    Raises:
        ReplyUnusable: there is no JSON, or none that is wanted.
    """
    seen = False
    for read in (_values, _python):
        for source in (*(b.body for b in reversed(fences(text))), text):
            values = list(read(source))
            seen = seen or bool(values)
            for value in reversed(values):
                if wanted(value):
                    return value
    if seen:
        raise ReplyUnusable("it holds JSON, but not the object that was asked for.")
    if "{" in text:
        raise ReplyUnusable(f"its JSON cannot be read: {_complaint(text)}.")
    raise ReplyUnusable("it holds no JSON object.")


def _values(text: str) -> Iterator[object]:
    """Every outermost object or list that can be read, each place strictly first, then with its slips tidied."""
    at = 0
    for _ in range(_STARTS):
        start = _START.search(text, at)
        if start is None:
            return
        try:
            value, at = _DECODER.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            tidy = _LOOSE.sub(_tidied, text[start.start() :])
            try:
                value, at = _DECODER.raw_decode(tidy)
            except (ValueError, RecursionError):
                at = start.end()
                continue
            text = tidy
        yield value


def _tidied(m: re.Match[str]) -> str:
    if m["string"] is not None:
        return m["string"]
    return _WORDS[m["word"]] if m["word"] is not None else ""


def _python(text: str) -> Iterator[object]:
    """A dictionary as Python prints it."""
    try:
        span = text[text.index("{") : text.rindex("}") + 1]
        yield quietly(lambda: ast.literal_eval(span))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return


def _complaint(text: str) -> str:
    try:
        json.loads(text[text.index("{") :])
    except json.JSONDecodeError as e:
        return f"{e.msg} (line {e.lineno}, column {e.colno} of the object)"
    except (ValueError, RecursionError) as e:
        return str(e)
    return "it is not an object"


def require(item: Object, keys: Sequence[str], where: str) -> None:
    """Refuse an object that lacks keys.

    Raises:
        ReplyUnusable: names those that are missing and all that it must have.
    """
    missing = [k for k in keys if k not in item]
    if missing:
        raise ReplyUnusable(f"{where} lacks {_quoted(missing)}; it must have exactly {_quoted(keys)}.")


def _quoted(keys: Sequence[str]) -> str:
    return ", ".join(f'"{k}"' for k in keys)


def flag(item: Object, key: str, where: str) -> bool:
    """A field that is true or false, as a word also in a string.

    Raises:
        ReplyUnusable: it is neither.
    """
    value = item[key]
    if isinstance(value, bool):
        return value
    if isinstance(value, str | int) and (word := str(value).strip().lower()) in _YES | _NO:
        return word in _YES
    raise ReplyUnusable(f'"{key}" of {where} must be true or false, not {_shown(value)}.')


def maybe_flag(item: Object, key: str, where: str) -> bool | None:
    """A field that is true, false or null.

    Raises:
        ReplyUnusable: it is none of them.
    """
    value = item[key]
    if value is None or (isinstance(value, str) and value.strip().lower() in _NULL):
        return None
    try:
        return flag(item, key, where)
    except ReplyUnusable:
        raise ReplyUnusable(f'"{key}" of {where} must be true, false or null, not {_shown(value)}.') from None


def words(item: Object, key: str, where: str, *, empty: bool = False) -> str:
    """A text field; a list of texts is joined by lines.

    Args:
        item: the object.
        key: of the field.
        where: what the object is, for the message.
        empty: whether it may be empty or null.

    Raises:
        ReplyUnusable: it is no text.
    """
    value = item[key]
    if isinstance(value, list) and all(isinstance(v, str | int | float) for v in value):
        value = "\n".join(str(v) for v in value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    elif value is None and empty:
        value = ""
    if not isinstance(value, str) or not (empty or value.strip()):
        raise ReplyUnusable(f'"{key}" of {where} must be a text, not {_shown(value)}.')
    return printable(value).strip()


def number(item: Object, key: str, where: str, low: float, high: float) -> float:
    """A number, clipped to a range; "8" and "8/10" are read as well.

    Raises:
        ReplyUnusable: it is none, or not finite.
    """
    value = item[key]
    if isinstance(value, str) and (m := _NUMBER.match(value)):
        value = float(m[1])
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int):
            value = max(min(value, 10**6), -(10**6))
        if math.isfinite(value):
            return float(min(max(value, low), high))
    raise ReplyUnusable(f'"{key}" of {where} must be a number from {low:g} to {high:g}, not {_shown(value)}.')


def choice(item: Object, key: str, where: str, allowed: Sequence[str]) -> str:
    """One of several words; case and a plural's s do not matter.

    Raises:
        ReplyUnusable: it is another one; lists those that are allowed.
    """
    value = item[key]
    if isinstance(value, str):
        word = value.strip().lower()
        for name in allowed:
            if word.removesuffix("s") == name.removesuffix("s"):
                return name
    raise ReplyUnusable(f'"{key}" of {where} must be one of {_quoted(allowed)}, not {_shown(value)}.')


def _shown(value: object) -> str:
    text = printable(repr(value) if not isinstance(value, str) else f'"{value}"')
    return text if len(text) <= 80 else f"{text[:80]}..."
