"""The validation score that a program reports by itself: one reader for what it printed and for its metrics.json.

A program prints a line `validation_score: <number>` or writes `metrics.json` with that key. What reaches the harness
is what a terminal would have been sent: progress bars that are painted over, colours, numbers in the words of a
library. All of these are read; what could mean two numbers is not.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

from mlesearch.tasks import submission
from mlesearch.tasks.protocol import Scored

METRICS_BYTES = 64 * 2**10
"""A larger `metrics.json` is refused unread."""

NAME = "validation_score"
WANTED = f"expected a printed line `{NAME}: <number>`, or metrics.json with {{'{NAME}': <number>}}"

_LOOKED_AT = 400
"""So many characters on either side of the name are looked at: a line of a program can have millions."""
_SHOWN = 80

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI: colours, moves of the cursor
    r"|[\]PX^_][^\x07\x1b]{0,1000}(?:\x07|\x1b\\)?"  # OSC and other strings
    r"|[ -/]*[0-~])"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_BREAKS = re.compile(r"[\r\n\x08\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
"""Where a line ends, or is painted over: of a line `fold 1\\rvalidation_score: 0.85` a terminal shows the latter."""

_KEY = re.compile(r"[*_`'\"]*\s*[:=]\s*")
_OPENING = re.compile(r"[*_`'\"{(\[#>\-\s]*")
_LEVEL = re.compile(r"\b(?:DEBUG|INFO|WARNING|WARN|ERROR)[\s\])]*$")

_DIGITS = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_PLAIN = re.compile(rf"[+-]?{_DIGITS}", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+\.\d+", re.ASCII)
_COMMA = re.compile(r"([+-]?)(\d+),(\d+)((?:[eE][+-]?\d+)?)", re.ASCII)
_NUMBER = re.compile(rf"{_THOUSANDS.pattern}|{_COMMA.pattern}|{_PLAIN.pattern}|{_NOT_FINITE.pattern}", re.I | re.A)
_WRAPPER = re.compile(r"[A-Za-z_][\w.]{0,60}\s*\(\s*", re.ASCII)
_AFTER = re.compile(r"$|[,;|)\]}*`'\"]|\.$|\s+(?:$|[()\[\]}|#;±]|\+/-|\+-)")
_AGAIN = re.compile(r"[,;]\s*[+-]?\.?\d|[%‰]")
"""What makes one number two, or another: `0.8, 0.9`, `85%`."""


def number(text: str) -> float | None:
    """A number as programs write it: plain, in the words of a library, in brackets or quotes; None where it is none.

    `0,85` and `1,234.5` are read as they can only be meant; `1,234` can be meant in two ways, and is none. NaN and
    infinities are numbers here.

    Args:
        text: all that was written in the place of the number, e.g. `tensor(0.85, device='cuda:0')`.
    """
    read = _read(text.strip())
    return None if read is None else read[0]


def _read(text: str) -> tuple[float, str] | None:
    """The number that a text begins with, and the number's own words; None where it begins with none."""
    at, closing = 0, ""
    while True:
        wrapper = _WRAPPER.match(text, at)
        if wrapper:
            at, closing = wrapper.end(), closing + ")"
        elif at < len(text) and text[at] in "([`*'\"":
            closing += {"(": ")", "[": "]"}.get(text[at], text[at])
            at += 1
            at += len(text[at:]) - len(text[at:].lstrip())
        else:
            break
        if len(closing) > 8:
            return None
    found = _NUMBER.match(text, at)
    if found is None:
        return None
    value, rest = _value(found[0]), text[found.end() :]
    if value is None or not _AFTER.match(rest):
        return None
    if "(" in text[:at] and not closing.startswith("("):
        rest = rest.partition(")")[2] if re.match(r"[,\s]+[A-Za-z_]\w*\s*=", rest) else rest  # device='cuda:0'
    if _AGAIN.match(rest.lstrip(")]}*`'\" ")):
        return None
    return value, found[0]


def _value(text: str) -> float | None:
    if _PLAIN.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        return float(text)
    if _THOUSANDS.fullmatch(text):
        return float(text.replace(",", ""))
    comma = _COMMA.fullmatch(text)
    if comma and (len(comma[3]) != 3 or not comma[2].strip("0") or len(comma[2]) > 3):
        return float(f"{comma[1]}{comma[2]}.{comma[3]}{comma[4]}")
    return None


def printed(text: str) -> str | None:
    """What stands in the place of the number in the last line that reports a score; None where no line does.

    A line that begins with the name wins over one where it follows something else (a progress bar, a logger's mark).
    """
    leading, inside = None, None
    for line in _BREAKS.split(_ESCAPES.sub("", text)) if "\x1b" in text or "\x9b" in text else _BREAKS.split(text):
        at = line.find(NAME)
        while at >= 0:
            key = _KEY.match(line[at + len(NAME) : at + len(NAME) + _LOOKED_AT])
            if key:
                start = at + len(NAME) + key.end()
                value = line[start : start + _LOOKED_AT].strip()
                before = line[max(0, at - _LOOKED_AT) : at]
                if at <= _LOOKED_AT and _OPENING.fullmatch(before):
                    leading = value if _reads_alone(value) else leading
                elif not _is_word(before) and _read(value) is not None:
                    inside = value
            at = line.find(NAME, at + len(NAME))
    return leading if leading is not None else inside


def _reads_alone(value: str) -> bool:
    """Whether a line that begins with the name reports something, be it readable or not, and is no sentence."""
    return len(value.split()) == 1 or (value != "" and not value[0].isalpha()) or bool(_WRAPPER.match(value))


def _is_word(before: str) -> bool:
    """Whether what stands before the name is prose, or a part of a longer name."""
    text = before.rstrip()
    if before and (before[-1].isalnum() or before[-1] in "._"):
        return True
    return bool(text) and text[-1].isalnum() and not _LEVEL.search(before)


def reported_score(stdout: str, stderr: str = "", metrics_path: Path | None = None) -> Scored:
    """What a program reported: `validation_score` in metrics.json, else its last printed line of that name.

    Args:
        stdout: what it printed (its tail is enough).
        stderr: likewise; looked at where the other one reports nothing, since loggers write there.
        metrics_path: its metrics.json, where it left one; one without the key counts as none.
    """
    text = None if metrics_path is None else _in_metrics(metrics_path)
    where = "metrics.json"
    if text is None:
        text, where = printed(stdout), f"the last printed {NAME}"
    if text is None:
        text = printed(stderr)
    if text is None:
        said = "no validation score was reported" if metrics_path is None else f"metrics.json holds no {NAME}"
        return Scored(None, f"{said}; {WANTED}", unreported=True)
    score = number(text)
    if score is None or not math.isfinite(score):
        return Scored(None, f"{where} is {text[:_SHOWN]!r}, not a finite number; {WANTED}", unreported=True)
    return Scored(score)


def _in_metrics(path: Path) -> str | None:
    """What metrics.json holds under the name; None where it is unreadable or lacks it."""
    data = submission.read_bytes(path, METRICS_BYTES)
    try:
        return str(json.loads(data)[NAME]) if isinstance(data, bytes) else None
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, OverflowError):
        return None
