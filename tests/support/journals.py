"""Journals read and compared: of a run, and of all runs of a study."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pandas as pd

from mlesearch.storage.codec import Json
from mlesearch.storage.columns import DURATIONS
from mlesearch.storage.events import without_durations
from mlesearch.storage.files import read_lines
from mlesearch.storage.journal import read
from mlesearch.study.tables.collect import tables

_MEASURED = {*DURATIONS, "peak_bytes"}
_JOURNALS = "*/*/*/*/seed-*/journal.jsonl"


def events(folder: Path, kind: str | None = None) -> list[Json]:
    """All events of a run, or those of one kind, as plain JSON: a test reads what it likes of them."""
    found = cast("list[Json]", read(folder / "journal.jsonl")[1])
    return [e for e in found if kind is None or e["type"] == kind]


def comparable(folder: Path) -> list[object]:
    """All events of a run without what was measured."""
    return [without_durations(e) for e in events(folder)]


def copy_cut(whole: Path, folder: Path, lines: Sequence[bytes]) -> None:
    """What a kill after these lines leaves (blobs and grades may be ahead of the journal, never behind)."""
    folder.mkdir()
    (folder / "journal.jsonl").write_bytes(b"".join(lines))
    (folder / "blobs").symlink_to(whole / "blobs")
    ran = {e["id"] for x in lines[1:] if (e := json.loads(x))["type"] in ("executed", "told")}
    grades = [g for g in (whole / "grades.jsonl").read_text().splitlines(keepends=True) if json.loads(g)["id"] in ran]
    (folder / "grades.jsonl").write_text("".join(grades))


def journals(study: Path) -> dict[str, list[bytes]]:
    """Whole lines of each journal."""
    return {str(p.relative_to(study)): p.read_bytes().split(b"\n")[:-1] for p in study.glob(_JOURNALS)}


def same_tables(a: Path, b: Path) -> None:
    """The tables of two studies are equal but for what was measured."""
    for x, y in zip(tables(a), tables(b), strict=True):
        columns = [c for c in x.columns if c not in _MEASURED]
        pd.testing.assert_frame_equal(x[columns], y[columns])


def once_each(study: Path) -> None:
    """No stage of any proposal is in a journal twice."""
    for path in study.glob(_JOURNALS):
        stages = [
            (e["type"], e.get("id", e.get("p", {}).get("id")), e.get("op"), e.get("attempt"))
            for e in events(path.parent)
        ]
        assert len(stages) == len(set(stages)), path
        graded = [g["id"] for g in read_lines(path.with_name("grades.jsonl"))]
        assert len(graded) == len(set(graded)), path


def comparable_runs(study: Path) -> dict[str, list[object]]:
    """As `comparable`, of each run of a study."""
    return {str(p.parent.relative_to(study)): comparable(p.parent) for p in sorted(study.glob(_JOURNALS))}
