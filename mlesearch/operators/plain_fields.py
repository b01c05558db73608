"""A judgement without JSON: its fields by name, one after the other, as lists, tables, YAML and tags have them."""

from __future__ import annotations

import re
from collections.abc import Sequence

_END = re.compile(r"\n[ \t]*(?:\n|```)")
_MARKS = " \t\n|,;*"


def plain_fields(text: str, keys: Sequence[str]) -> dict[str, object] | None:
    """The fields of a text that names each of them once at the beginning of a line; None where it does not.

    Args:
        text: what of the reply answers; without any brace.
        keys: of all fields.
    """
    if "{" in text or len(text) > 20_000:
        return None
    found = [(m, key) for key in keys for m in _label(key).finditer(text)]
    if sorted(key for _, key in found) != sorted(keys):
        return None
    found.sort(key=lambda each: each[0].start())
    starts = [m.start() for m, _ in found[1:]] + [len(text)]
    return {key: _value(text[m.end() : end], key) for (m, key), end in zip(found, starts, strict=True)}


def _label(key: str) -> re.Pattern[str]:
    name = re.escape(key).replace("_", r"(?:\\?_|[ -])")
    return re.compile(
        rf"^[ \t>|*•#\-]*(?:\d[.)][ \t]*)?(?:<{name}>|[\"'`*]*{name}[\"'`*]*[ \t]*[:=|：][\"'`*]*(?=\s))", re.I | re.M
    )


def _value(said: str, key: str) -> str:
    said = re.sub(rf"</{key}>.*", "", said, flags=re.DOTALL | re.IGNORECASE).lstrip()
    end = _END.search(said)
    said = (said[: end.start()] if end else said).removesuffix("```")
    said = re.sub(r"^[>|][-+]?[ \t]*\n", "", said)
    said = re.sub(r"\s*\n\s*", " ", said.strip(_MARKS))
    return said[1:-1] if len(said) > 1 and said[0] in "\"'`" and said[0] == said[-1] else said.lstrip("\"'")
