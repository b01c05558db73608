r"""What is written to terminals: all of it goes through here, so that no text of others can steer one.

Texts of programs, models, providers, tasks and file names come up to a terminal. Characters that a terminal would obey
or hide (escapes, bidirectional overrides, zero-width ones) are shown as what they are: U+001B as `\x1b`. A stream that
can't show a character shows another in its place, and one that nobody reads any more ends no work.

The rule of what is invisible follows Unicode's general categories and its property Default_Ignorable_Code_Point
(Unicode Standard, chapter 5.21).
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import unicodedata
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_ORDINARY = re.compile(r"[^\x20-\x7e\n\t]")
_SHOWN_AS_ESCAPES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters of other categories that show nothing."""
_TAGS = range(0xE0000, 0xE1000)


def visible(text: str) -> str:
    """A text with every character that a terminal would obey or hide shown as an escape; newlines and tabs are kept."""
    return _ORDINARY.sub(_shown, text.replace("\r\n", "\n"))


def visible_line(text: str) -> str:
    """A text as a part of one line: newlines and tabs are shown as escapes too."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def one_line(text: str) -> str:
    """A text as one line: its lines one after the other, with a blank between them."""
    return visible_line(re.sub(r"\s*\n\s*", " ", text.strip()))


def _shown(found: re.Match[str]) -> str:
    char = found[0]
    number = ord(char)
    if unicodedata.category(char) not in _SHOWN_AS_ESCAPES and char not in _BLANK and number not in _TAGS:
        return char
    if char == "\r":
        return "\\r"
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def say(text: str = "", end: str = "\n") -> None:
    """Write to standard output, in lines."""
    _write(sys.stdout, visible(text) + end)


def complain(text: str, end: str = "\n") -> None:
    """Write one line to standard error."""
    _write(sys.stderr, one_line(text) + end)


def above_bars(text: str, console: Console) -> None:
    """One line of progress on standard output; above rich's progress bars, where a terminal shows them."""
    if console.is_terminal:
        console.print(one_line(text), highlight=False, markup=False, soft_wrap=True)
    else:
        say(one_line(text))


def hand_over(text: str) -> None:
    """Write a text that is to be kept (a program, a file's content): to a file or pipe byte by byte, else as `say`."""
    buffer = getattr(sys.stdout, "buffer", None)
    if sys.stdout is None or sys.stdout.isatty() or buffer is None:
        say(text, end="")
        return
    _write(sys.stdout, "")
    try:
        buffer.write(text.encode("utf-8", "surrogatepass"))
        buffer.flush()
    except OSError as error:
        _give_up(sys.stdout, error)


def prepare_streams() -> None:
    """Before the first line of a command: streams that exist, and that show something for every character.

    A standard stream that was closed would give its number to the next file that is opened, a journal for one, and
    whatever writes to the stream would write into that.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (for the life of the process)
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except UnicodeEncodeError:  # of a stream that `prepare_streams` has not seen
        stream.write(text.encode(stream.encoding or "ascii", "replace").decode(stream.encoding or "ascii"))
    except OSError as error:
        _give_up(stream, error)


def _give_up(stream: TextIO, error: OSError) -> None:
    """Nobody reads a stream any more, or it can't be written: what follows is dropped, and the work goes on."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    if stream is sys.stdout and not isinstance(error, BrokenPipeError):
        complain(f"mlesearch: standard output can't be written ({error.strerror}): what follows is not shown")
