"""A competition as a run keeps it (task.json): all that prompts, rows of tables and a replay need, without the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from mlesearch.tasks.preview import task_preview
from mlesearch.tasks.protocol import FullData, Modality, OfficialGrading, Task, Thresholds, Validation
from mlesearch.types import ConfigError, Direction

GONE = "the data are not here"
"""Stands for the folders of a task that was read from what a run kept of it."""

_PATHS = ("public_dir", "private_dir", "board", "grader", "full")
_LEFT_OUT = (*_PATHS, "sample", "ungraded", "time_column", "category")
"""What a run need not keep: paths, and what is the same of every competition."""
_TUPLES = ("target_columns", "tags", "known_issues")


def to_json(task: Task) -> dict[str, Any]:
    """A task as plain data, with the preview of its data and without a path."""
    plain = asdict(replace(task, preview=task_preview(task)))
    known: dict[str, Any] = {key: value for key, value in plain.items() if key not in _LEFT_OUT}
    known["ranked"] = task.board is not None
    if task.category:
        known["category"] = task.category
    if task.full is not None:
        known["twice"] = True
    return known


def from_json(content: Mapping[str, Any], where: Path) -> Task:
    """The inverse of `to_json`; the task's folders do not exist.

    Args:
        content: of a task.json.
        where: the file, for the error.

    Raises:
        ConfigError: something is missing or damaged.
    """
    try:
        plain = {f.name: content[f.name] for f in fields(Task) if f.name not in _LEFT_OUT}
        official = plain["official"]
        versions = tuple((str(name), str(version)) for name, version in official["versions"])
        return Task(
            **{
                **plain,
                "category": content.get("category", ""),
                **{key: tuple(plain[key]) for key in _TUPLES},
                "direction": Direction(plain["direction"]),
                "validation": Validation(plain["validation"]),
                "modality": Modality(plain["modality"]),
                "thresholds": Thresholds(**plain["thresholds"]),
                "official": OfficialGrading(**{**official, "versions": versions}),
                "public_dir": Path(GONE),
                "private_dir": Path(GONE),
                "board": Path(GONE) if content["ranked"] else None,
                "full": FullData(Path(GONE), Path(GONE)) if content.get("twice") else None,
            }
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{where}: it is damaged ({' '.join(str(error).split())}); restore it") from None


def is_kept(task: Task) -> bool:
    """Whether a task was read from what a run kept of it, so that its data and answers are not at hand."""
    return task.official is not None and str(task.private_dir) == GONE
