"""Reads a table of unknown make: its encoding, delimiter and header are found out, and said.

Every cell stays the text that it is; the empty text is a missing cell.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlesearch.types import ConfigError

if TYPE_CHECKING:
    import pandas as pd

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
NAMED_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "\\t": "\t"}

_LOOKED_AT_CHARS = 256 * 1024
_LOOKED_AT_ROWS = 200
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive or a spreadsheet; unpack it, or save the sheet as CSV",
    b"\x1f\x8b": "compressed by gzip; unpack it (gunzip)",
    b"PAR1": "a Parquet file; write it as CSV (pandas.read_parquet(...).to_csv(..., index=False))",
    b"BZh": "compressed by bzip2; unpack it (bunzip2)",
    b"(\xb5/\xfd": "compressed by zstandard; unpack it (unzstd)",
    b"\xd0\xcf\x11\xe0": "a spreadsheet of an old format; save the sheet as CSV",
}
_NUMBER = re.compile(r"\s*[+-]?[\d.,]*\d[\d.,]*\s*")


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table as it was read.

    Attributes:
        frame: one column of texts a column of the file, one row a line; the empty text is a missing cell.
        encoding: in words, e.g. "UTF-8".
        delimiter: one character.
        sha256: of the file.
        notes: what else it was taken for, one sentence each.
    """

    frame: pd.DataFrame
    encoding: str
    delimiter: str
    sha256: str
    notes: tuple[str, ...] = ()

    @property
    def taken_for(self) -> str:
        """What the file was read as, in one line."""
        rows, columns = self.frame.shape
        between = DELIMITERS.get(self.delimiter, repr(self.delimiter))
        return f"{self.encoding} text, {columns:,} columns separated by {between}, {rows:,} rows below a header"


def read_table(path: Path, *, encoding: str | None = None, delimiter: str | None = None) -> SourceTable:
    """Read a table.

    Args:
        path: of the file.
        encoding: a name that Python knows; None: UTF-8 where all of it is, else Latin-1 as Windows extends it.
        delimiter: one character, or comma, semicolon, tab, bar; None: the one that gives all rows equally many cells.

    Raises:
        ConfigError: not there, no text, no table; in one line that says what to do.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"--from: {path} can't be read: {error.strerror}") from error
    text, words = _decoded(path, data, encoding)
    if not text.strip():
        raise ConfigError(f"--from: {path} is empty; expected a header and one row a line")
    wanted = _delimiter(path, text) if delimiter is None else _named(delimiter)
    frame, notes = _parsed(path, text, wanted)
    return SourceTable(frame, words, wanted, hashlib.sha256(data).hexdigest(), notes)


def _decoded(path: Path, data: bytes, encoding: str | None) -> tuple[str, str]:
    """The text of a file, and its encoding in words."""
    for start, what in _OTHER_FORMATS.items():
        if data.startswith(start):
            raise ConfigError(f"--from: {path} is {what}")
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is not None:
        try:
            return data.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding), encoding
        except LookupError:
            raise ConfigError(f"--encoding: Python knows no {encoding!r}; try utf-8, cp1252, latin-1, utf-16") from None
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"--encoding: {path} is no {encoding} text ({error.reason}, byte {error.start})"
            ) from error
    if marked is None and b"\0" in data[:_LOOKED_AT_CHARS]:
        raise ConfigError(f"--from: {path} holds NUL bytes, so it is no text, or UTF-16 without its mark (--encoding)")
    words = {None: "UTF-8", "utf-8-sig": "UTF-8 (with a byte-order mark)", "utf-16": "UTF-16"}[marked]
    try:
        return data.decode(marked or "utf-8"), words
    except UnicodeDecodeError as error:
        if marked is not None:
            raise ConfigError(f"--from: {path} begins as {words} and is none ({error.reason})") from error
    try:
        return data.decode("cp1252"), "Latin-1 (Windows-1252)"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "Latin-1"


def _named(delimiter: str) -> str:
    found = NAMED_DELIMITERS.get(delimiter, delimiter)
    if len(found) != 1 or found in '"\r\n':
        names = ", ".join(name for name in NAMED_DELIMITERS if name != "\\t")
        raise ConfigError(f"--delimiter: {delimiter!r} is not one character; give one, or {names}")
    return found


def _rows(text: str, delimiter: str) -> list[list[str]]:
    """The first rows; the last one is left out where the text is longer than what is looked at."""
    part = text[:_LOOKED_AT_CHARS]
    rows = []
    try:
        for row in csv.reader(io.StringIO(part, newline=""), delimiter=delimiter, skipinitialspace=True):
            if row:
                rows.append(row)
            if len(rows) > _LOOKED_AT_ROWS:
                break
    except csv.Error:
        return rows
    return rows[:-1] if len(part) < len(text) and 1 < len(rows) <= _LOOKED_AT_ROWS else rows


def _delimiter(path: Path, text: str) -> str:
    """The delimiter under which the most rows have as many cells as the header; of equals, that of the most cells."""
    best, found = (0.0, 1), ""
    for delimiter in DELIMITERS:
        rows = _rows(text, delimiter)
        width = len(rows[0]) if rows else 0
        if width > 1:
            alike = sum(len(row) == width for row in rows) / len(rows)
            if (alike, width) > best:
                best, found = (alike, width), delimiter
    if not found:
        raise ConfigError(
            f"--from: {path} has one column only, whichever of {', '.join(DELIMITERS.values())} separates its cells; "
            "name the character with --delimiter"
        )
    return found


def _parsed(path: Path, text: str, delimiter: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    import pandas as pd

    rows = _rows(text, delimiter)
    header = [" ".join(name.split()) for name in rows[0]]
    if len(header) > 1 and all(_NUMBER.fullmatch(name) for name in header if name) and any(header):
        raise ConfigError(
            f"--from: the first line of {path} is {', '.join(header[:4])}, ..., which looks like data; put the names "
            "of the columns into a first line"
        )
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise ConfigError(f"--from: {path} has several columns named {twice[0]!r}; give each a name of its own")
    names = [name or f"unnamed {place}" for place, name in enumerate(header, 1)]
    try:
        frame = pd.read_csv(
            io.StringIO(text), sep=delimiter, names=names, header=0, dtype=str, keep_default_na=False,
            skipinitialspace=True, low_memory=False,
        )  # fmt: skip
    except (ValueError, RecursionError) as error:
        said = " ".join(str(error).removeprefix("Error tokenizing data. C error: ").split())
        raise ConfigError(f"--from: {path} is no well-formed table: {said}") from error
    if not isinstance(frame.index, pd.RangeIndex):
        raise ConfigError(
            f"--from: rows of {path} have more cells than its header has names ({len(names)}); correct the header, or "
            "name the right --delimiter"
        )
    notes = []
    short = int(frame.isna().any(axis=1).sum())
    if short:
        notes.append(f"{short:,} rows have fewer cells than the header; the cells that lack were taken for missing.")
        frame = frame.fillna("")
    for name in names:
        frame[name] = frame[name].str.replace("\0", "").str.replace(r"\r\n?", "\n", regex=True).str.strip()
    for name in [name for name, given in zip(names, header, strict=True) if not given]:
        if frame[name].is_unique or (frame[name] == "").all():
            what = "an index" if (frame[name] != "").any() else "nothing"
            notes.append(f"Column {names.index(name) + 1} has no name and holds {what}; it was left out.")
            frame = frame.drop(columns=name)
    if frame.shape[1] == 0:
        raise ConfigError(f"--from: {path} names no column in its first line; it needs a header, a name a column")
    return frame, tuple(notes)
