"""Finding JSON in a reply: bare, fenced, wrapped, one level down, with the slips that models make. Never a guess.

What is read is what stands there: commas too many, comments, Python's words and quotes, unquoted keys, typographic
quotes and HTML entities are put up with where the rest then reads; nothing is added but brackets that close an object
whose last value is whole.
"""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Callable, Iterator

from mlesearch.operators.fences import scan
from mlesearch.operators.json_slips import put_right
from mlesearch.operators.syntax import quietly
from mlesearch.types import ReplyUnusable

Object = dict[str, object]

_STARTS = 64
"""How many places where an object may begin are tried in vain."""

_LOOKED = 400_000
"""How many characters are tidied in vain, all together."""

_DEPTH = 3
"""How many levels below an outermost value are looked through."""

_LOOSE = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*(?:"|\Z))|,(?=\s*[}\]])|(?P<word>\b(?:True|False|None|NaN|undefined)\b)|"""
    r"""(?P<key>(?<=[{,\n])[ \t]*[A-Za-z_]\w*[ \t]*(?=:))|(?P<wide>[：，])|//[^\n]*|/\*.*?\*/|(?<![\w&])#[^\n]*""",
    re.DOTALL | re.MULTILINE,
)
_NO_ESCAPE = re.compile(r"(?P<valid>\\(?:[\"\\/bfnrt]|u[0-9a-fA-F]{4}))|\\(?P<marked>[_*`#~])|\\")
_START = re.compile(r"[{\[]")
_WORDS = {"True": "true", "False": "false", "None": "null", "NaN": "NaN", "undefined": "null"}


class _Twice(ValueError):
    """A key that stands twice in an object, with two values."""


def _once(pairs: list[tuple[str, object]]) -> Object:
    found: Object = {}
    for key, value in pairs:
        if key in found and found[key] != value:
            raise _Twice(f'"{key}" stands twice in an object, with two values')
        found[key] = value
    return found


_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=_once)
_TYPOGRAPHY = {
    **dict.fromkeys(map(ord, "“”„‟"), '"'),
    **dict.fromkeys(map(ord, "‘’‚‛"), "'"),
    **dict.fromkeys(map(ord, "\u00a0\u202f\u2009"), " "),
    **dict.fromkeys(map(ord, "\u200b\ufeff"), None),
}
_WHOLE_END = re.compile(r"""(?:["}\]]|true|false|null)\s*\Z""")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def find(text: str, wanted: Callable[[object], bool], whole: Callable[[object], bool] | None = None) -> object:
    """The JSON value of a reply that is the one wanted: the last whole one, since a model may correct itself.

    Args:
        text: what of the reply answers.
        wanted: tells the value that is looked for, e.g. an object with a certain key.
        whole: tells a value of those that lacks nothing; None: each of them.

    Raises:
        ReplyUnusable: there is no JSON, none that is wanted, several in one, or the last contradicts a whole one.
    """
    seen = values(text)
    by_value = [each for value in seen if (each := _wanted(value, wanted))]
    found = [v for each in by_value for v in each]
    if not found:
        if seen:
            raise ReplyUnusable("it holds JSON, but not the object that was asked for.")
        if "{" in text:
            raise ReplyUnusable(f"its JSON cannot be read: {_complaint(text)}.")
        raise ReplyUnusable("it holds no JSON object.")
    if any(v != by_value[-1][0] for v in by_value[-1]):
        raise ReplyUnusable(f"it holds {len(by_value[-1])} objects in one, where one is asked for.")
    complete = [v for v in found if whole is None or whole(v)]
    if complete and found[-1] is not complete[-1]:
        last, kept = found[-1], complete[-1]
        if isinstance(last, dict) and isinstance(kept, dict) and any(kept.get(k, v) != v for k, v in last.items()):
            raise ReplyUnusable("its last JSON object is not complete, and differs from the complete one before it.")
    return complete[-1] if complete else found[-1]


def _wanted(value: object, wanted: Callable[[object], bool]) -> list[object]:
    """The wanted values in a value: itself, or those that are nearest below it."""
    level: list[object] = [value]
    for _ in range(_DEPTH + 1):
        found = [v for v in level if wanted(v)]
        if found:
            return found
        level = [inner for v in level for inner in _inner(v)]
    return []


def objects(value: object, depth: int) -> Iterator[Object]:
    """An object and those below it, itself first.

    Args:
        value: of JSON.
        depth: how many levels below are looked at.
    """
    level: list[object] = [value]
    for _ in range(depth + 1):
        yield from (v for v in level if isinstance(v, dict))
        level = [inner for v in level for inner in _inner(v)]


def _inner(value: object) -> Iterator[object]:
    if isinstance(value, str):
        if value.lstrip().startswith("{") and len(value) < 200_000:
            try:
                yield _keyed(_DECODER.decode(value))
            except (ValueError, RecursionError):
                return
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def values(text: str) -> list[object]:
    """All outermost objects and lists of a text, in order; their keys in the form that is asked for.

    Where a text can be read nowhere, it is read once more without entities and typographic quotes, and then block by
    block.
    """
    found = list(_values(text))
    if not any(isinstance(v, dict) or (isinstance(v, list) and any(isinstance(i, dict) for i in v)) for v in found):
        plain = html.unescape(text).translate(_TYPOGRAPHY)
        found = (list(_values(plain)) if plain != text else []) or found
    if not found and text.count("{") > _STARTS:
        found = [v for b in scan(text, lambda code: "not asked") for v in _values(b.body)]
    return [_keyed(v) for v in found]


def _values(text: str) -> Iterator[object]:
    """Every outermost object or list that can be read, each place strictly first, then with its slips tidied."""
    at = failed = looked = 0
    tidied = False
    while failed < _STARTS:
        start = _START.search(text, at)
        if start is None:
            return
        try:
            value, at = _DECODER.raw_decode(text, start.start())
            yield value
            continue
        except (ValueError, RecursionError):
            pass
        if not tidied and looked < _LOOKED:
            looked += len(text) - start.start()
            tidy = _LOOSE.sub(_tidied, text[start.start() :])
            try:
                value, at = _DECODER.raw_decode(tidy)
            except (ValueError, RecursionError):
                pass
            else:
                text, tidied = tidy, True
                yield value
                continue
        right = _put_right(text[start.start() :]) if failed < 3 else None
        if right is not None:
            value, at, text = right
            yield value
            continue
        end, literal = _literal(text, start.start())
        if end:
            at = end
            yield literal
            continue
        closed = _closed(text[start.start() :]) if failed < 3 and text[start.start()] == "{" else None
        if closed is not None:
            yield closed
            return
        at = start.end()
        failed += 1


def _put_right(text: str) -> tuple[object, int, str] | None:
    """The value that a text begins with once its slips are put right, where it ends, and the text so put right."""
    for right in put_right(text):
        tidy = _LOOSE.sub(_tidied, right)
        try:
            value, at = _DECODER.raw_decode(tidy)
        except (ValueError, RecursionError):
            continue
        if value:
            return value, at, tidy
    return None


def _tidied(m: re.Match[str]) -> str:
    if m["string"] is not None:
        return (
            _NO_ESCAPE.sub(lambda e: e["valid"] or e["marked"] or "\\\\", m["string"])
            if "\\" in m["string"]
            else m["string"]
        )
    if m["wide"] is not None:
        return ":" if m["wide"] == "：" else ","
    if m["key"] is not None:
        return f'"{m["key"].strip()}"'
    return _WORDS[m["word"]] if m["word"] is not None else ""


def _literal(text: str, start: int) -> tuple[int, object]:
    """A dictionary or list as Python prints it, and where it ends; 0 where there is none."""
    if text[start] == "[" and not text.startswith(("[{", "['", "[ {"), start):
        return 0, None
    end = _matching(text, start)
    if not end or "'" not in text[start:end]:
        return 0, None
    try:
        value: object = quietly(lambda: ast.literal_eval(text[start:end]))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return 0, None
    return end, value


def _matching(text: str, start: int) -> int:
    """Where the bracket that opens at some place is closed, strings of Python left out; 0 where it is not."""
    depth = 0
    quote = ""
    at = start
    limit = min(len(text), start + 100_000)
    while at < limit:
        c = text[at]
        if quote:
            if c == "\\":
                at += 1
            elif c == quote:
                quote = ""
        elif c in "\"'":
            quote = c
        elif c in "{[":
            depth += 1
        elif c in "}]":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return 0


def _closed(text: str) -> object | None:
    """An object that lacks only its closing brackets, after a value that is whole; None where it is none."""
    text = text.rstrip().removesuffix("```").rstrip()
    if not _WHOLE_END.search(text):
        return None
    stack: list[str] = []
    quote = False
    skip = False
    for c in text:
        if skip:
            skip = False
        elif quote:
            skip, quote = c == "\\", c != '"'
        elif c == '"':
            quote = True
        elif c in "{[":
            stack.append("}" if c == "{" else "]")
        elif c in "}]" and (not stack or stack.pop() != c):
            return None
    if quote or not stack or len(stack) > 8:
        return None
    try:
        value: object = _DECODER.decode(text + "".join(reversed(stack)))
    except (ValueError, RecursionError):
        return None
    return value


def _keyed(value: object, depth: int = 8) -> object:
    """With keys as they are asked for: in lower case, words joined by underscores; a key that is there twice stays."""
    if depth == 0:
        return value
    if isinstance(value, list):
        return [_keyed(v, depth - 1) for v in value]
    if not isinstance(value, dict):
        return value
    found: Object = {}
    for key, inner in value.items():
        plain = re.sub(r"[\s\-]+", "_", _CAMEL.sub("_", str(key).strip(" *`:"))).lower()
        found[str(key) if plain in value or plain in found else plain] = _keyed(inner, depth - 1)
    return found


def _complaint(text: str) -> str:
    try:
        json.loads(text[text.index("{") :])
    except json.JSONDecodeError as e:
        return f"{e.msg} (line {e.lineno}, column {e.colno} of the object)"
    except (ValueError, RecursionError) as e:
        return str(e)
    return "it is not an object"
