"""Texts in Hydra's grammar of overrides: which have to be quoted to stay what was written, and how.

Source: https://hydra.cc/docs/1.3/advanced/override_grammar/basic/ (quoted values, escapes, whitespace, functions).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_FUNCTIONS = "choice|range|interval|glob|sort|shuffle|tag|extend_list|int|float|str|bool|json_str"
_CALL = re.compile(rf"({_FUNCTIONS})\(.*\)", re.DOTALL)
_OPEN, _CLOSE = "([{", ")]}"
_PLAIN = re.compile(r"[A-Za-z_./\\@?|+*%-][\w./\\@?|+*%-]*", re.ASCII)
"""A text that the grammar reads as itself, where it is none of the words below."""
_WORDS = re.compile(r"null|true|false|[+-]?(nan|inf)", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][+-]?\d[\d_]*)?")
_KEY = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ESCAPED = re.compile(r"\\([\\()\[\]{}:=, \t])")


def split(value: str) -> list[str]:
    """The parts between commas that are in no quotes and no brackets; one part where there is no such comma."""
    parts, start = [], 0
    for at in _commas(value):
        parts.append(value[start:at])
        start = at + 1
    return [*parts, value[start:]]


def _commas(value: str) -> Iterator[int]:
    depth, quote, escaped = 0, "", False
    for at, letter in enumerate(value):
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and (not value[:at].strip() or value[:at].rstrip()[-1] in ",[({:"):
            quote = letter
        elif letter in _OPEN:
            depth += 1
        elif letter in _CLOSE:
            depth -= 1
        elif letter == "," and depth <= 0:
            yield at


def unclosed(value: str) -> str:
    """The bracket or quote that is opened and not closed; empty where all are."""
    waiting: list[str] = []
    for at, letter in enumerate(value):
        if waiting and waiting[-1] in "'\"":
            if letter == waiting[-1] and value[at - 1] != "\\":
                waiting.pop()
        elif (letter in "'\"" and (not value[:at].strip() or value[:at].rstrip()[-1] in ",[({:")) or letter in _OPEN:
            waiting.append(letter)
        elif letter in _CLOSE and waiting and _CLOSE.index(letter) == _OPEN.index(waiting[-1]):
            waiting.pop()
    return waiting[-1] if waiting else ""


def is_call(value: str) -> bool:
    """Whether it is a call of one of the grammar's functions."""
    return _CALL.fullmatch(value.strip()) is not None


def is_list(value: str) -> bool:
    """Whether it is written as a list."""
    return value.strip()[:1] == "[" and value.strip()[-1:] == "]"


def is_mapping(value: str) -> bool:
    """Whether it is written as a mapping."""
    return value.strip()[:1] == "{"


def is_quoted(value: str) -> bool:
    """Whether it stands in quotes already."""
    text = value.strip()
    return len(text) > 1 and text[0] == text[-1] and text[0] in "'\""


def is_left_alone(value: str) -> bool:
    """Whether the grammar has its own word on it: quotes, a call, or an interpolation."""
    return is_quoted(value) or is_call(value) or "${" in value


def as_text(part: str) -> str:
    """A value, or one of several, that the grammar will read as the text that it is.

    Args:
        part: as a user wrote it; escapes of the grammar's unquoted values are taken as such.
    """
    text = part.strip()
    if is_left_alone(part) or not text:
        return part
    if _PLAIN.fullmatch(text) and not _WORDS.fullmatch(text) and not _NUMBER.fullmatch(text) and "\\" not in text:
        return part
    return quoted(_ESCAPED.sub(r"\1", text))


def as_any(part: str) -> str:
    """A free-form value: quoted only where the grammar could not read it at all."""
    text = part.strip()
    if is_left_alone(part) or not text or text[0] in "[{('\"" or re.fullmatch(r"[\w./\\@?|+*%:$ -]*", text, re.ASCII):
        return part
    return quoted(_ESCAPED.sub(r"\1", text))


def from_json(text: str) -> str:
    """An object or array of JSON as the grammar writes it, whose keys stand in no quotes; empty where it is none."""
    try:
        return "" if text.strip()[:1] not in ("{", "[") or "${" in text else _written(json.loads(text))
    except (ValueError, RecursionError):
        return ""


def _written(value: object) -> str:
    if isinstance(value, dict):
        if not all(_KEY.fullmatch(key) and not _WORDS.fullmatch(key) for key in value):
            raise ValueError("a key that the grammar can't read")
        return f"{{{','.join(f'{key}:{_written(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    return quoted(value) if isinstance(value, str) else json.dumps(value)


def as_texts(value: str) -> str:
    """A list of texts, each of them quoted where it has to be."""
    inner = value.strip()[1:-1]
    return f"[{','.join(as_text(part) for part in split(inner))}]" if inner.strip() else value


def quoted(text: str) -> str:
    """A text in quotes, as the grammar reads them: only backslashes before a quote are escapes."""
    return f"'{re.sub(_BEFORE_QUOTE, lambda m: m[1] * 2 + (_ESCAPED_QUOTE if m[2] else ''), text)}'"


_BEFORE_QUOTE = re.compile(r"(\\*)('|$)")
_ESCAPED_QUOTE = "\\'"
