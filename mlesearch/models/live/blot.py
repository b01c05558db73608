"""Keys blotted out of a provider's words, however a server spells them.

A gateway may send a key back as it came, in base64 (alone or as `user:key`), in hexadecimal digits, escaped for URLs,
JSON or HTML, as numbers, backwards, in parts, or with something between its characters. So a text is compared with each
spelling by its letters and digits alone: what stands between them is left out on both sides.
"""

from __future__ import annotations

import base64
import codecs
import html
import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote

MARK = "[key]"
FRAGMENT = 8
"""So many characters of a key in a row are a part of it that is not shown."""
LEAST = 4
"""A shorter key is no secret, and would blot out ordinary words."""
RANDOM_CHARS, RANDOM_DIGITS = 16, 3
"""A key of so many characters, with so many digits, is nothing that somebody writes by chance."""


def blot(text: str, secrets: Iterable[str], *, whole: bool = False) -> str:
    """A text with `[key]` in place of secrets and of their parts, in all spellings.

    Args:
        text: of a provider.
        secrets: keys.
        whole: only whole keys that nobody writes by chance: for text that is kept to the letter, such as a program.
    """
    for secret in secrets:
        if whole and (len(secret) < RANDOM_CHARS or sum(map(str.isdigit, secret)) < RANDOM_DIGITS):
            continue
        if len(secret) >= LEAST and text:
            text = _without(text, secret, whole)
    return text


def _without(text: str, secret: str, whole: bool) -> str:
    text = text.replace(secret, MARK)
    if len(secret) < FRAGMENT:
        return text
    places = [i for i, c in enumerate(text) if c.isascii() and c.isalnum()]
    plain = "".join(text[i] for i in places).lower()
    spans: list[tuple[int, int]] = []
    for n, grams in _grams(secret, whole):
        spans += [(places[at], places[at + n - 1] + 1) for at in _found(plain, n, grams, whole)]
    return _covered(text, spans) if spans else text


def _found(plain: str, n: int, grams: frozenset[str], whole: bool) -> Iterator[int]:
    """Where one of some runs of `n` characters begins."""
    if not whole:
        yield from (at for at in range(len(plain) - n + 1) if plain[at : at + n] in grams)
        return
    for gram in grams:  # few, in a text that may be long
        at = plain.find(gram)
        while at >= 0:
            yield at
            at = plain.find(gram, at + n)


def _covered(text: str, spans: list[tuple[int, int]]) -> str:
    """A text with marks over spans; those that touch get one."""
    made: list[str] = []
    end = 0
    marked = False
    for start, stop in sorted(spans):
        if start > end or not marked:
            made += [text[end:start], MARK]
            marked = True
        end = max(end, stop)
    return "".join((*made, text[end:]))


@lru_cache(maxsize=64)
def _grams(secret: str, whole: bool) -> tuple[tuple[int, frozenset[str]], ...]:
    """Runs of letters and digits to look for, by their length."""
    by_length: dict[int, set[str]] = {}
    for spelling in set(_spellings(secret)):
        plain = "".join(c for c in spelling if c.isascii() and c.isalnum()).lower()
        n = len(plain) if whole else min(len(plain), math.ceil(FRAGMENT * len(plain) / len(secret)))
        if n < FRAGMENT:
            n = min(len(plain), FRAGMENT)
        if len(plain) >= min(FRAGMENT, len(secret)) and n:
            by_length.setdefault(n, set()).update(plain[i : i + n] for i in range(len(plain) - n + 1))
    return tuple((n, frozenset(grams)) for n, grams in sorted(by_length.items()))


def _spellings(secret: str) -> Iterator[str]:
    """How a server may write a key down."""
    for turned in (secret, secret[::-1]):
        raw = turned.encode()
        yield turned
        yield quote(turned, safe="")
        yield quote(quote(turned, safe=""), safe="")
        yield html.escape(turned)
        yield "".join(c if c.isalnum() else f"u{ord(c):04x}" for c in turned)
        yield "".join(c if c.isalnum() else f"x{ord(c):02x}" for c in turned)
        yield "".join(c if c.isalnum() else str(ord(c)) for c in turned)
        yield raw.hex()
        yield "".join(f"x{b:02x}" for b in raw)
        yield "".join(f"0x{b:02x}" for b in raw)
        yield "".join(f"u{b:04x}" for b in raw)
        yield "".join(f"25{b:02x}" for b in raw)
        yield "".join(str(b) for b in raw)
        yield "".join(f"{b:03o}" for b in raw)
        yield from _base64(raw)
        yield from _base32(raw)
    yield codecs.encode(secret, "rot13")
    for once in _base64(secret.encode()):
        yield from _base64(once.encode())
    yield from _base64(secret.encode().hex().encode())


def _base64(raw: bytes) -> Iterator[str]:
    """What of a base64 text depends on these bytes alone, wherever in it they stand."""
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        first = math.ceil(before * 8 / 6)
        last = (before + len(raw)) * 8 // 6
        core = text[first:last]
        yield core
        yield core.replace("+", "").replace("/", "")


def _base32(raw: bytes) -> Iterator[str]:
    for before in range(5):
        text = base64.b32encode(b"\0" * before + raw).decode().rstrip("=")
        yield text[math.ceil(before * 8 / 5) : (before + len(raw)) * 8 // 5]
