"""Slips of JSON that need more than one look: quotes within texts, commas that are missing, a text escaped as a whole.

Each is put right only in what cannot be read as it stands, and counts only where the result then reads as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_KEY = r"(?:\"[\w \-*\\]{1,40}\"|'[\w \-*\\]{1,40}')\s*:"
_VALUE = re.compile(
    rf"(?P<key>{_KEY}\s*)(?P<quote>[\"'])(?P<body>(?:(?!{_KEY}).)*?)(?P=quote)(?=\s*(?:,\s*{_KEY}|,?\s*[}}\]]))",
    re.DOTALL,
)
_SINGLE_KEY = re.compile(r"(?<=[{,\n])(?P<space>\s*)'(?P<key>[\w \-]{1,40})'(?=\s*:)")
_BARE_QUOTE = re.compile(r'(?<!\\)((?:\\\\)*)"')
_NO_COMMA = re.compile(rf"(?<=[\"}}\]el\d])(?P<space>[ \t]*\n\s*)(?={_KEY})")
_ESCAPED = re.compile(r"[{\[]\s*\\\"")
_TRIPLE = re.compile(r"(?P<quote>\"{3}|'{3})(?P<body>.*?)(?P=quote)", re.DOTALL)
_LONGEST = 20_000
"""Characters of a text that are looked at so closely."""


def put_right(text: str) -> Iterator[str]:
    """A text that begins with JSON that cannot be read, each time with one more kind of slip put right.

    Args:
        text: from the bracket on that opens the value.
    """
    text = text[:_LONGEST]
    if _ESCAPED.match(text):
        yield text.replace('\\"', '"')
    if '"""' in text or "'''" in text:
        text = _TRIPLE.sub(lambda m: json.dumps(m["body"], ensure_ascii=False), text)
        yield text
    commas = _NO_COMMA.sub(r",\g<space>", text)
    if commas != text:
        yield commas
    quoted = _VALUE.sub(_quoted, _SINGLE_KEY.sub(r'\g<space>"\g<key>"', commas))
    if quoted != commas:
        yield quoted


def _quoted(m: re.Match[str]) -> str:
    body = m["body"].replace("\\'", "'") if m["quote"] == "'" else m["body"]
    return f'{m["key"]}"{_BARE_QUOTE.sub(_escaped, body)}"'


def _escaped(m: re.Match[str]) -> str:
    return f'{m[1]}\\"'
