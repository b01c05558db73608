"""Results of others that stand beside a study's own: imported_results/<name>.json, one file an import.

They are no runs of the study: none of its tables has them, and nothing pools them with its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import NoneType
from typing import NotRequired, TypedDict, cast

from mlesearch.storage.documents import STUDY
from mlesearch.storage.files import make_folder, read_json, write_atomically
from mlesearch.types import ConfigError

IMPORTED_RESULTS = "imported_results"
IMPORT_FORMAT = 1


class ImportedRow(TypedDict):
    """One run of somebody else.

    score: nan, inf and -inf are words. medal, above_median: null where nothing is known of medals. submitted: whether
    there was a submission. kind: test, or validation where it is the program's own score. lower_is_better: null where
    it is not known. source: the file it is from.
    """

    model: str
    strategy: str
    task: str
    seed: int
    score: float | str | None
    medal: str | None
    above_median: bool | None
    submitted: bool
    valid: bool
    kind: str
    lower_is_better: bool | None
    source: str


class ImportedFile(TypedDict):
    """One import: its rows, what they were made of, and what was said about them.

    imported: always true. sources: sha256 by file. incomplete: what was done with seeds that lack a task. notes: what
    was left out or made up. mismatches: medals that are not those of their score. tasks: the suite that was asked for.
    """

    format: int
    name: str
    imported: bool
    mlesearch: str
    sources: dict[str, str]
    incomplete: str
    notes: list[str]
    mismatches: list[str]
    rows: list[ImportedRow]
    tasks: NotRequired[str]


def imported_path(study: Path, name: str) -> Path:
    """Where an import of a name is kept."""
    return study / IMPORTED_RESULTS / f"{name}.json"


def read_imported(study: Path) -> list[ImportedFile]:
    """All imports of a study, by name; none where there is nothing.

    Raises:
        ConfigError: one is damaged, or of a later version.
    """
    return [_read(path) for path in sorted((study / IMPORTED_RESULTS).glob("*.json"))]


def write_imported(
    study: Path, content: ImportedFile, own: Iterable[tuple[str, str]], *, simulated: bool = False
) -> Path:
    """Keep an import in a study.

    Args:
        study: its folder.
        content: the import.
        own: model and strategy of the study's runs.
        simulated: whether a simulated engineer answered in them.

    Returns:
        Where it is.

    Raises:
        ConfigError: there is no study, or a simulated one; the name is taken; or it has a model and strategy that the
            study or another of its imports has: one name for both would pool them.
    """
    if not (study / STUDY).is_file():
        raise ConfigError(f"--into: {study}: no study here (no {STUDY}); name the folder that a launch wrote")
    if simulated:
        raise ConfigError(
            f"--into: {study} is simulated, and simulated and other results may never stand in one table; name a study "
            "of live models"
        )
    path = imported_path(study, content["name"])
    if path.exists():
        raise ConfigError(f"--name: {path} is there already; remove it, or give another name")
    names = {(row["model"], row["strategy"]) for row in content["rows"]}
    taken = dict.fromkeys(own, "its own runs")
    for other in read_imported(study):
        taken |= {(row["model"], row["strategy"]): f"the import {other['name']}" for row in other["rows"]}
    for model, strategy in sorted(names):
        if (model, strategy) in taken:
            raise ConfigError(
                f"{study}: model {model!r} with strategy {strategy!r} is {taken[model, strategy]} there; imported "
                "results are never pooled: give them another name by --strategy"
            )
    make_folder(path.parent)
    write_atomically(path, json.dumps(content, indent=1) + "\n")
    return path


def _read(path: Path) -> ImportedFile:
    content = read_json(path)
    if content.get("format") != IMPORT_FORMAT or content.get("imported") is not True:
        raise ConfigError(f"{path}: no import of this version of mlesearch; remove it and import the results again")
    rows = content.get("rows")
    lists = [content.get(key) for key in ("notes", "mismatches")]
    texts = all(isinstance(found, list) and all(isinstance(line, str) for line in found) for found in lists)
    if not (texts and isinstance(content.get("name"), str) and isinstance(rows, list) and all(map(_is_row, rows))):
        raise ConfigError(f"{path}: it is damaged; remove it and import the results again")
    return cast("ImportedFile", content)


_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("model", "strategy", "task", "kind", "source"), (str,)),
    "seed": (int,),
    "score": (float, int, str, NoneType),
    "medal": (str, NoneType),
    **dict.fromkeys(("above_median", "lower_is_better"), (bool, NoneType)),
    **dict.fromkeys(("submitted", "valid"), (bool,)),
}
_WORDS = ("nan", "inf", "-inf")


def _is_row(row: object) -> bool:
    if not isinstance(row, Mapping) or row.keys() != _TYPES.keys():
        return False
    typed = all(isinstance(row[key], types) for key, types in _TYPES.items())
    return typed and (not isinstance(row["score"], str) or row["score"] in _WORDS)
