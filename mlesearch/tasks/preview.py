"""A short description of a task's public data for prompts: the file tree, then the columns of each table.

Bounded in characters and in bytes read, the same at every call, and free of paths of the host.
"""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlesearch.tasks.files import is_litter, shown
from mlesearch.tasks.protocol import Task

if TYPE_CHECKING:
    import pandas as pd

MAX_CHARS = 6000
MAX_TABLE_BYTES = 4 * 2**20
"""At most this much of a table is read; figures of a larger one are of its first rows, and the text says so."""

PER_FOLDER, DEPTH, TREE_LINES = 10, 3, 60
"""Bounds of the file tree: files and folders listed in each folder, levels of folders, lines."""

MAX_TABLES = 8
MAX_VALUES = 12
"""A text column with at most this many different values has them all listed."""

EXAMPLES = 3
EXAMPLE_CHARS = 90
MIN_COLLAPSED = 5

_FIRST = ("train", "validation", "test", "sample_submission")
_NUMBERED = re.compile(r"(.*?)(\d+)$")


@dataclass(frozen=True, slots=True)
class _Column:
    """What is said of a column: `kind` and `summary` decide whether neighbours are alike."""

    name: str
    kind: str
    low: float
    high: float
    missing: float
    text: str


@dataclass(slots=True)
class _First:
    """The first table that was described, which later ones are compared with."""

    name: str = ""
    columns: Sequence[str] = ()


def preview(public_dir: Path, max_chars: int = MAX_CHARS, max_table_bytes: int = MAX_TABLE_BYTES) -> str:
    """What lies in a task's public folder, for a prompt.

    Args:
        public_dir: the folder; only names relative to it are shown.
        max_chars: length limit of the text.
        max_table_bytes: at most this much of each CSV is read.

    Returns:
        The file tree with sizes; for each of up to 8 CSV files rows, columns, kinds, missing shares, ranges and
        examples; a table with columns of the first one only names them. What was left out is said.
    """
    lines, tables = _tree(public_dir)
    first = _First()
    for path in sorted(tables, key=_table_order)[:MAX_TABLES]:
        lines += ["", *_table(public_dir, path, first, max_table_bytes)]
    if len(tables) > MAX_TABLES:
        lines += ["", "(more CSV files are not described)"]
    return _cut("\n".join(lines), max_chars)


@lru_cache(maxsize=128)
def task_preview(task: Task) -> str:
    """What lies in a task's public folder, for a prompt; as it was kept, where the folder may not be here any more.

    Kept in this process by the task, whose version changes with its files.
    """
    return task.preview or preview(task.public_dir)


def _cut(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    note = "\n[preview cut here]"
    kept = text[: max(0, max_chars - len(note))]
    return (kept[: kept.rfind("\n")] if "\n" in kept else kept) + note


def _table_order(path: str) -> tuple[int, str]:
    stem = Path(path).stem
    return (_FIRST.index(stem) if stem in _FIRST else len(_FIRST), path)


def _size(size_bytes: int) -> str:
    for unit, width in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= width:
            return f"{size_bytes / width:.1f} {unit}"
    return f"{size_bytes} bytes"


def _entries(root: str, folder: Path, folders: bool) -> tuple[list[os.DirEntry[str]], int]:
    """The first files (or folders) of a folder in the preview's order, and how many there are; bounded memory."""
    count = 0

    def wanted() -> Iterator[os.DirEntry[str]]:
        nonlocal count
        for entry in scan:
            if not is_litter(entry.name) and entry.is_dir(follow_symlinks=_inside(root, entry)) is folders:
                count += 1
                yield entry

    with os.scandir(folder) as scan:
        return heapq.nsmallest(PER_FOLDER, wanted(), key=lambda entry: _table_order(entry.name)), count


def _inside(root: str, entry: os.DirEntry[str]) -> bool:
    """Whether an entry is no link, or one to something in the folder that is described."""
    return not entry.is_symlink() or os.path.realpath(entry.path).startswith(f"{root}{os.sep}")


def _tree(root: Path) -> tuple[list[str], list[str]]:
    """The lines of the file tree, and the relative paths of the CSV files in it."""
    lines, tables, real = ["Files:"], list[str](), os.path.realpath(root)

    def walk(folder: Path, depth: int) -> None:
        indent = "  " * depth
        files, n_files = _entries(real, folder, folders=False)
        folders, n_folders = _entries(real, folder, folders=True)
        for entry in files:
            follow = _inside(real, entry)
            lines.append(f"{indent}{shown(entry.name)} ({_size(entry.stat(follow_symlinks=follow).st_size)})")
            if entry.name.endswith(".csv") and entry.is_file(follow_symlinks=follow):
                tables.append(str(Path(entry.path).relative_to(root)))
        if n_files > len(files):
            lines.append(f"{indent}... and {n_files - len(files):,} more files")
        for entry in folders:
            lines.append(f"{indent}{shown(entry.name)}/")
            if depth < DEPTH and len(lines) < TREE_LINES:
                walk(Path(entry.path), depth + 1)
        if n_folders > len(folders):
            lines.append(f"{indent}... and {n_folders - len(folders):,} more folders")

    walk(root, 0)
    if len(lines) > TREE_LINES:
        lines[TREE_LINES:] = ["(more files and folders are not listed)"]
    return lines, tables


def _read_table(path: Path, max_bytes: int) -> tuple[pd.DataFrame, bool]:
    """The table, or its first rows, and whether it is whole.

    Raises:
        ValueError: no CSV.
    """
    import pandas as pd

    with path.open("rb") as file:
        data = file.read(max_bytes)
        whole = not file.read(1)
    if not whole:
        if b"\n" not in data:
            raise ValueError("its first line is longer than what is read")
        data = data[: data.rfind(b"\n") + 1]
    frame = pd.read_csv(
        BytesIO(data),
        keep_default_na=False,
        na_values=[""],
        encoding_errors="replace",
        low_memory=False,
        on_bad_lines="skip",
    )
    return frame, whole


@dataclass(frozen=True, slots=True)
class _Table:
    """What is said of one table: its names, the line about its size, one line a column; or why it is unreadable."""

    names: tuple[str, ...]
    head: str
    columns: tuple[str, ...]
    problem: str = ""


@lru_cache(maxsize=64)
def _described(path: Path, size_bytes: int, _modified_ns: int, max_bytes: int, with_columns: bool) -> _Table:
    """Reads a table once a process, as long as the file stays the same: every run on a task shows the same preview."""
    try:
        frame, whole = _read_table(path, max_bytes)
    except ValueError as error:
        return _Table((), "", (), f"not readable as a CSV ({' '.join(str(error).split())})")
    rows, columns = frame.shape
    head = f"{rows:,} rows, {columns:,} columns"
    if not whole:
        share = max_bytes / size_bytes
        head = f"{columns:,} columns; only its first {rows:,} rows ({share:.1%} of the file) were read"
    names = tuple(str(column) for column in frame.columns)
    described = [_column(names[place], frame.iloc[:, place]) for place in range(columns)] if with_columns else []
    return _Table(names, head, tuple(_column_lines(described)))


def _table(root: Path, name: str, first: _First, max_bytes: int) -> list[str]:
    status = (root / name).stat()
    described = partial(_described, root / name, status.st_size, status.st_mtime_ns, max_bytes)
    table = described(with_columns=False)
    if table.problem:
        return [f"{shown(name)}: {table.problem}"]
    head = f"{shown(name)}: {table.head}"
    if not first.columns or not set(table.names) <= set(first.columns):
        if not first.columns:
            first.name, first.columns = shown(name), table.names
        return [head, *described(with_columns=True).columns]
    absent = [column for column in first.columns if column not in table.names]
    if len(absent) <= EXAMPLES and len(absent) < len(table.names):
        return [f"{head}: those of {first.name}" + (f" without {', '.join(absent)}" if absent else "")]
    return [f"{head}: {_listed(table.names)}"]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_VALUES]) + (f" and {len(names) - MAX_VALUES} more" if len(names) > MAX_VALUES else "")


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= EXAMPLE_CHARS else text[:EXAMPLE_CHARS] + "..."


def _column(name: str, values: pd.Series[Any]) -> _Column:
    import pandas as pd

    missing = float(values.isna().mean()) if len(values) else 0.0
    present = values.dropna()
    if present.empty:
        return _Column(name, "empty", 0.0, 0.0, missing, "no values")
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        counts = present.astype(str).value_counts()
        if len(counts) <= MAX_VALUES:
            ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
            text = "values " + ", ".join(f"{_short(value)} ({count:,})" for value, count in ordered)
        else:
            shown = " | ".join(_short(value) for value in present.iloc[:EXAMPLES])
            text = f"{len(counts):,} different values, such as {shown}"
        return _Column(name, "text", 0.0, 0.0, missing, text)
    low, high = float(present.min()), float(present.max())
    whole = bool((present == present.round()).all())
    text = f"{low:.6g} to {high:.6g}, median {float(present.median()):.6g}, {present.nunique():,} different"
    return _Column(name, "whole number" if whole else "number", low, high, missing, text)


def _missing(share: float) -> str:
    return f", {share:.1%} missing" if share else ""


def _column_lines(columns: Sequence[_Column]) -> list[str]:
    """One line a column; a run of numbered columns of one kind (p000, p001, ...) takes one line together."""
    lines, at = [], 0
    while at < len(columns):
        end = at + 1
        first = _NUMBERED.match(columns[at].name)
        while first and end < len(columns):
            following = _NUMBERED.match(columns[end].name)
            same_kind = columns[end].kind.split()[-1] == columns[at].kind.split()[-1]
            if not (following and same_kind and following[1] == first[1]):
                break
            end += 1
        run = columns[at:end]
        if len(run) >= MIN_COLLAPSED:
            lines.append(_run_line(run))
        else:
            lines += [f"- {c.name}: {c.kind}, {c.text}{_missing(c.missing)}" for c in run]
        at = end
    return lines


def _run_line(run: Sequence[_Column]) -> str:
    kinds = {column.kind for column in run}
    kind = run[0].kind if len(kinds) == 1 else "number"
    spread = f", {min(c.low for c in run):.6g} to {max(c.high for c in run):.6g}" if "number" in kind else ""
    worst = max(column.missing for column in run)
    missing = f", up to {worst:.1%} missing" if worst else ""
    return f"- {run[0].name} ... {run[-1].name} ({len(run)} columns): {kind}{spread}{missing}"
