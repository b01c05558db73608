"""Where two JSON values differ, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

_ABSENT = object()
_ONE_SHOWN_CHARS = 80
"""Of a value, where one difference is named."""
_EACH_SHOWN_CHARS = 60
"""Of a value, where all differences are."""


def _differing(old: object, new: object, path: str) -> Iterator[tuple[str, object, object]]:
    """The fields in which two values differ, in the order of their names; objects are compared field by field."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            yield from _differing(old.get(name, _ABSENT), new.get(name, _ABSENT), f"{path}.{name}" if path else name)
    elif old is _ABSENT or new is _ABSENT or old != new:
        yield path, old, new


def first_difference(old: object, new: object, path: str = "") -> str:
    """The first field in which two JSON values differ, in words; empty when they are equal."""
    for at, there, here in _differing(old, new, path):
        shown = ["absent" if x is _ABSENT else _short(x, _ONE_SHOWN_CHARS) for x in (here, there)]
        return f"{at} is {shown[0]} here and {shown[1]} there"
    return ""


def differences(stored: object, asked: object) -> list[str]:
    """Every field in which what is stored differs from what is asked for, in words."""
    plain = json.loads(json.dumps(asked))
    found = []
    for at, *values in _differing(stored, plain, ""):
        old, new = (_short("(absent)" if x is _ABSENT else x, _EACH_SHOWN_CHARS) for x in values)
        found.append(f"{at} (stored {old}, asked for {new})")
    return found


def _short(value: object, most_chars: int) -> str:
    text = json.dumps(value)
    return text if len(text) <= most_chars else text[: most_chars - 3] + "..."
