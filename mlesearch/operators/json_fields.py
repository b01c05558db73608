"""The fields of a judgement, each with its type: lenient about form, strict about content."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from mlesearch.operators.loose_json import Object
from mlesearch.types import ReplyUnusable, printable

_YES = frozenset({"true", "yes", "y", "1"})
_NO = frozenset({"false", "no", "n", "0"})
_NULL = frozenset(
    {"null", "none", "n/a", "unknown", "inconclusive", "not applicable", "not stated", "unclear", "undecided", ""}
)
_SUPPORTED = {"supported": True, "not supported": False, "unsupported": False, "refuted": False}
_EXPLAINED = re.compile(r"(?P<said>true|false|yes|no)\s*(?:\.|(?:\s[-–]|[—,;:(])(?P<why>.*))", re.DOTALL)
_TURNED = re.compile(r"\b(?:true|false|yes|no|not|if|unless|except|otherwise|unclear|maybe|unsure|perhaps|partly)\b")
_NUMBER = re.compile(
    r"^\s*\+?(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*(?:/\s*10|out of (?:10|"
    r"ten))?\s*\*{0,2}\s*(?:[-–:(,;]\s*[^\d\s][^\n]*)?$",
    re.IGNORECASE,
)


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
    said = _EXPLAINED.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if said is not None and not _TURNED.search(said["why"] or ""):
        return said["said"] in _YES
    raise ReplyUnusable(f'"{key}" of {where} must be true or false, not {_shown(value)}.')


def maybe_flag(item: Object, key: str, where: str) -> bool | None:
    """A field that is true, false or null.

    Raises:
        ReplyUnusable: it is none of them.
    """
    value = item[key]
    if value is None or (isinstance(value, str) and value.strip().lower() in _NULL):
        return None
    if isinstance(value, str) and value.strip().lower() in _SUPPORTED:
        return _SUPPORTED[value.strip().lower()]
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
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        value = str(value)
    elif value is None and empty:
        value = ""
    dots = isinstance(value, str) and value.strip() in ("...", "…")
    if not isinstance(value, str) or dots or not (empty or value.strip()):
        raise ReplyUnusable(f'"{key}" of {where} must be a text, not {_shown(value)}.')
    return printable(value).strip()


def number(item: Object, key: str, where: str, low: float, high: float) -> float:
    """A number, clipped to a range; "8" and "8/10" are read as well.

    Raises:
        ReplyUnusable: it is none, or not finite.
    """
    value = item[key]
    if isinstance(value, dict) and "score" in value:
        value = value["score"]
    if isinstance(value, str) and (m := _NUMBER.match(value)):
        value = float(m[1])
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int):
            value = max(min(value, 10**6), -(10**6))
        if math.isfinite(value):
            return float(min(max(value, low), high))
    raise ReplyUnusable(f'"{key}" of {where} must be a number from {low:g} to {high:g}, not {_shown(value)}.')


def choice(item: Object, key: str, where: str, allowed: Sequence[str], near: Mapping[str, str] | None = None) -> str:
    """One of several words. Case, a plural's s and words around it do not matter; of several words the first counts.

    Args:
        item: the object.
        key: of the field.
        where: what the object is, for the message.
        allowed: the words.
        near: other words that mean one of them.

    Raises:
        ReplyUnusable: it is another one; lists those that are allowed.
    """
    value = item[key]
    if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
        value = value[0]
    if isinstance(value, str):
        known = {name.removesuffix("s"): name for name in allowed} | dict(near or {})
        word = " ".join(re.findall(r"[a-z]+", value.lower()))
        found = known.get(word.removesuffix("s")) or known.get(word)
        if found is not None:
            return found
        for length in (3, 2, 1) if not {"not", "no"} & set(word.split()) else ():
            split = word.split()
            for at in range(len(split) - length + 1):
                part = " ".join(split[at : at + length])
                found = known.get(part.removesuffix("s")) or known.get(part)
                if found is not None and len(split) <= 6:
                    return found
    raise ReplyUnusable(f'"{key}" of {where} must be one of {_quoted(allowed)}, not {_shown(value)}.')


def _shown(value: object) -> str:
    text = printable(repr(value) if not isinstance(value, str) else f'"{value}"')
    return text if len(text) <= 80 else f"{text[:80]}..."
