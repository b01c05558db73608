"""One imported result, and how files from elsewhere are opened."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mlesearch.types import ConfigError

MEDAL_WORDS = ("gold", "silver", "bronze", "none")
NOT_RECORDED = "not recorded"
"""Stands for a model or strategy that a file does not name."""
LFS_START = b"version https://git-lfs"
LIMIT_BYTES = 256 << 20

ScoreKind = Literal["test", "validation"]
"""On which rows a score is: those of the test set, or the program's own validation, which wins no medal."""


@dataclass(frozen=True, slots=True)
class ImportedResult:
    """One run of somebody else.

    Attributes:
        model: that it used.
        strategy: agent or search.
        task: id of the competition or task.
        seed: number of the run among those of its task.
        score: in the metric's units; may be NaN or infinite; None where there is none.
        medal: gold, silver, bronze or none; None where the source says nothing of medals and no table has the task.
        above_median: likewise.
        submitted: whether there was a submission.
        valid: whether it was a valid one.
        kind: on which rows the score is.
        lower_is_better: of the metric; None where it is not known.
        source: the file, as it was named.
    """

    model: str
    strategy: str
    task: str
    seed: int
    score: float | None
    medal: str | None
    above_median: bool | None
    submitted: bool
    valid: bool
    kind: ScoreKind
    lower_is_better: bool | None
    source: str

    @property
    def of(self) -> tuple[str, str]:
        """Model and strategy."""
        return self.model, self.strategy


@dataclass(frozen=True, slots=True)
class SourceHints:
    """What a user says of files that do not say it themselves; None: nothing.

    Attributes:
        model: that results are of.
        strategy: likewise.
        experiment: which of several, in a folder of run groups.
    """

    model: str | None = None
    strategy: str | None = None
    experiment: str | None = None


def content_of(path: Path) -> bytes:
    """The content of a file from elsewhere.

    Raises:
        ConfigError: it is not there, too large, or a Git-LFS pointer.
    """
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise ConfigError(f"{path}: it has more than {LIMIT_BYTES >> 20} MiB; no results are that large")
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'it can not be read'}") from None
    if data.startswith(LFS_START):
        raise ConfigError(
            f"{path}: a Git-LFS pointer, not the results; fetch them with `git lfs pull` in that repository"
        )
    return data


def is_pointer(path: Path) -> bool:
    """Whether a file is a Git-LFS pointer."""
    with path.open("rb") as file:
        return file.read(len(LFS_START)) == LFS_START


def json_of(path: Path) -> dict[str, Any]:
    """A JSON object from elsewhere.

    Raises:
        ConfigError: as `content_of`, or it is no JSON object.
    """
    try:
        found = json.loads(content_of(path))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: no JSON ({' '.join(str(error).split())[:200]})") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: a JSON object was expected, this is a {type(found).__name__}")
    return found


def number_of(value: object, where: str) -> float | None:
    """A score; None stays None.

    Args:
        value: as it stands in a file.
        where: file and field, for the error.

    Raises:
        ConfigError: it is no number.
    """
    if value is None:
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(str(value))
    except ValueError:
        raise ConfigError(f"{where} is {str(value)[:40]!r}; a number is expected") from None


def text_of(content: Mapping[str, Any], key: str, path: Path) -> str:
    """A text that a file must have.

    Raises:
        ConfigError: it has none.
    """
    value = content.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{path}: its {key!r} is absent or no text; this is not the format that it looks like")
    return value


def finite(score: float | None) -> float | None:
    """A score that can be compared; None for NaN and infinities."""
    return score if score is not None and math.isfinite(score) else None
