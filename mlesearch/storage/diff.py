"""Where two JSON values differ, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

_ABSENT = object()
_SHOWN_CHARS = 80


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
        return f"{at} is {_shown(here)} here and {_shown(there)} there"
    return ""


def differences(stored: object, asked: object) -> list[str]:
    """Every field in which what is stored differs from what is asked for, in words."""
    plain = json.loads(json.dumps(asked))
    return [f"{at} (stored {_shown(s)}, asked for {_shown(a)})" for at, s, a in _differing(stored, plain, "")]


def _shown(value: object) -> str:
    if value is _ABSENT:
        return "absent"
    text = json.dumps(value)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."
