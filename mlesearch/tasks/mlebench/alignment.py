"""A copy of a submission with rows and columns in the official order, to see whether a grader depends on the order.

Standard library only: a worker loads this file by its path, in an interpreter that has no mlesearch. Cells are texts
and stay what they are. A submission that has the order already is only read through, whatever its size.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

_CELL_CHARS = 1 << 30
"""A run-length code of a large mask is longer than the 131,072 characters that `csv` takes by itself."""

_QUOTED = re.compile(r"""["\r\n]""")


class Alignment:
    """The official orders of competitions, kept as long as their files are the same."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Path, Path], tuple[str, tuple[list[str], str]]] = {}

    def write(self, submission: Path, sample: Path, answers: Path, target: Path) -> bool:
        """Write the aligned copy of a submission.

        Args:
            submission: a CSV.
            sample: the sample submission, which has the order of columns; its first column is the key.
            answers: whose order of keys counts, where it is a CSV that has each of them once; else the sample's does.
            target: the copy.

        Returns:
            Whether there is one: not where the submission has that order already, or other columns or keys.
        """
        limit = csv.field_size_limit(_CELL_CHARS)
        try:
            columns, wanted = self._order(sample, answers)
            found = next(_rows(submission), [])
            if sorted(found) != sorted(columns) or len(set(columns)) < len(columns):
                return False
            at = found.index(columns[0])
            if found == columns and _digest(row[at] for row in _body(submission, len(found))) == wanted:
                return False
            return self._write(submission, found, columns, _keys(sample, answers, columns[0]), target)
        except (ValueError, OSError, csv.Error, StopIteration):  # what can't be read has no order
            target.unlink(missing_ok=True)
            return False
        finally:
            csv.field_size_limit(limit)

    @staticmethod
    def _write(submission: Path, found: list[str], columns: list[str], keys: list[str], target: Path) -> bool:
        at, order = found.index(columns[0]), [found.index(column) for column in columns]
        as_it_is = found == columns and len(found) > 1 and _is_plain(submission)
        whole = ((line[: line.find(",")], line) for line in _plain_body(submission, len(found)))
        parsed = ((row[at], _line([row[i] for i in order])) for row in _body(submission, len(found)))
        lines: dict[str, str] = {}
        rows = 0
        for key, line in whole if as_it_is else parsed:
            rows, lines[key] = rows + 1, line
        if not rows == len(keys) == len(lines) or not lines.keys() >= set(keys):
            return False
        with target.open("w", encoding="utf-8", newline="") as file:
            file.write(_line(columns))
            file.writelines(map(lines.__getitem__, keys))
        return True

    def _order(self, sample: Path, answers: Path) -> tuple[list[str], str]:
        """The sample's columns, and a digest of the keys in their order."""
        stamp = " ".join(f"{(s := os.stat(path)).st_mtime_ns} {s.st_size}" for path in (sample, answers))
        kept = self._kept.get((sample, answers))
        if kept is None or kept[0] != stamp:
            columns = next(_rows(sample))
            kept = stamp, (columns, _digest(iter(_keys(sample, answers, columns[0]))))
            self._kept[sample, answers] = kept
        return kept[1]


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from (row for row in csv.reader(file) if row)


def _body(path: Path, cells: int) -> Iterator[list[str]]:
    """The rows below the header.

    Raises:
        ValueError: one has another number of cells.
    """
    rows = _rows(path)
    next(rows, None)
    for row in rows:
        if len(row) != cells:
            raise ValueError(f"a row of {len(row)} cells, not {cells}")
        yield row


def _is_plain(path: Path) -> bool:
    """Whether each line of a CSV is a row of its own, with no cell in quotes."""
    with path.open("rb") as file:
        return not any(b'"' in part or b"\r" in part for part in iter(lambda: file.read(1 << 20), b""))


def _plain_body(path: Path, cells: int) -> Iterator[str]:
    """The lines below the header of a plain CSV of two columns or more.

    Raises:
        ValueError: one has another number of cells.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = (line for line in file if line != "\n")
        next(lines, None)
        for line in lines:
            if line.count(",") != cells - 1:
                raise ValueError(f"a row of {line.count(',') + 1} cells, not {cells}")
            yield line if line.endswith("\n") else line + "\n"


def _line(cells: list[str]) -> str:
    """A row as a line of a CSV; one text a row takes a quarter of the memory of its cells."""
    line = ",".join(cells)
    if line and line.count(",") == len(cells) - 1 and not _QUOTED.search(line):
        return line + "\n"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _keys(sample: Path, answers: Path, key: str) -> list[str]:
    if answers.suffix == ".csv":
        with contextlib.suppress(ValueError):
            header = next(_rows(answers), [])
            at = header.index(key)
            keys = [row[at] for row in _body(answers, len(header))]
            if len(set(keys)) == len(keys):
                return keys
    header = next(_rows(sample))
    return [row[header.index(key)] for row in _body(sample, len(header))]


def _digest(keys: Iterator[str]) -> str:
    total = hashlib.sha256()
    for key in keys:
        total.update(key.encode("utf-8", "surrogatepass") + b"\0")
    return total.hexdigest()
