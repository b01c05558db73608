"""What goes to terminals: nothing that one would obey or hide, in any encoding, and no stream that ends the work."""

import errno
import io
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.study import output
from mlesearch.study.output import complain, hand_over, one_line, prepare_streams, say, visible, visible_line

OBEYED = {
    "a title": ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
    "a cleared screen": ("\x1b[2J", "\\x1b[2J"),
    "a line up": ("\x1b[1A", "\\x1b[1A"),
    "the clipboard": ("\x1b]52;c;aGk=\x1b\\", "\\x1b]52;c;aGk=\\x1b\\"),
    "C1": ("\x9b2J\x85", "\\x9b2J\\x85"),
    "a line written over": ("all is well\rfailed", "all is well\\rfailed"),
    "backspaces and DEL": ("ok\b\b\x7f", "ok\\x08\\x08\\x7f"),
    "NUL, form feed, vertical tab": ("\0\f\v", "\\x00\\x0c\\x0b"),
    "right to left": ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
    "zero width": ("a\u200bb\u200d\ufeff\u2060", "a\\u200bb\\u200d\\ufeff\\u2060"),
    "other lines": ("a\u2028b\u2029", "a\\u2028b\\u2029"),
    "tags": ("\U000e0041\U000e0100", "\\U000e0041\\U000e0100"),
    "fillers": ("\u3164\u115f\u2800", "\\u3164\\u115f\\u2800"),
    "half a pair": ("\ud83d", "\\ud83d"),
}


@pytest.mark.parametrize("name", OBEYED)
def test_what_a_terminal_obeys_or_hides_is_shown_as_text(name):
    text, shown = OBEYED[name]
    assert visible(text) == shown


def test_ordinary_text_is_left_alone():
    text = "def f():\n\treturn 'ü ± 数 🙂 é'\n"
    assert visible(text) == text
    assert visible("a\r\nb\r\n") == "a\nb\n"
    assert visible_line("a\tb\nc") == "a\\tb\\nc"
    assert one_line("  first\n   second \n") == "first second"


@given(st.text(st.characters(codec=None), max_size=40))
def test_nothing_is_left_that_steers(text):
    shown = visible(text)
    assert visible(shown) == shown
    for char in shown:
        assert char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
    assert "\n" not in one_line(text)
    assert len([c for c in visible_line(text) if not c.isprintable() and c != "\u3000"]) <= len(text)


class Stream(io.TextIOWrapper):
    """A stream whose reader has gone, or whose disk is full."""

    def __init__(self, number: int | None = None, encoding: str = "utf-8", errors: str = "strict") -> None:
        self.raw_bytes = io.BytesIO()
        super().__init__(self.raw_bytes, encoding=encoding, errors=errors, write_through=True)
        self._number = number

    def write(self, text: str) -> int:
        if self._number == errno.EPIPE:
            raise BrokenPipeError(self._number, "Broken pipe")
        if self._number is not None:
            raise OSError(self._number, "No space left on device")
        return super().write(text)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_stream_of_any_encoding_takes_everything(monkeypatch, encoding):
    stream = Stream(encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    say("± 数 é")  # not even prepared
    prepare_streams()
    say("± 数 é")
    stream.flush()
    first, second = stream.raw_bytes.getvalue().decode(encoding).splitlines()
    assert first == second == "± 数 é".encode(encoding, "replace").decode(encoding)


def test_a_reader_that_has_gone_ends_no_work(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Stream(errno.EPIPE))
    say("one")
    assert capsys.readouterr().err == ""


def test_a_full_output_is_told_of(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Stream(errno.ENOSPC))
    say("one")
    assert "standard output can't be written (No space left on device)" in capsys.readouterr().err


def test_absent_streams_do_no_harm(monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    say("one")
    complain("two")
    hand_over("three")
    prepare_streams()
    assert sys.stdin.read() == ""
    say("one")


def test_a_program_is_handed_over_byte_by_byte_but_never_to_a_terminal(monkeypatch):
    code = "print('\x1b[2J\u200b±')\r\n"
    stream = Stream(encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    hand_over(code)
    assert stream.raw_bytes.getvalue() == code.encode()
    terminal = Stream()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", terminal)
    hand_over(code)
    assert terminal.raw_bytes.getvalue().decode() == "print('\\x1b[2J\\u200b±')\n"


def test_the_one_place_escapes_whatever_it_is_given(capsys):
    for text, shown in OBEYED.values():
        output.say(text)
        output.complain(text)
        told = capsys.readouterr()
        assert told.out == f"{shown}\n"
        assert "\x1b" not in told.err
