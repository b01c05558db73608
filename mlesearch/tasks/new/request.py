"""What is asked for when a task is made from a table, checked as far as words alone can be."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from mlesearch.tasks import folder, metrics
from mlesearch.tasks.protocol import Validation
from mlesearch.types import ConfigError, did_you_mean

TEST_SHARE, VALIDATION_SHARE = 0.25, 0.2
PROGRAM_TIME_S = 600.0


@dataclass(frozen=True, slots=True)
class NewTaskRequest:
    """A table, and what to make of it.

    Attributes:
        table: the file.
        targets: columns to predict; one entry may name several, separated by commas.
        metric: its name.
        folder: of the task; it does not exist yet. None: `tasks/NAME` here, NAME that of the file.
        group: rows with one value in this column stay on one side.
        time: the last rows by this column are the test.
        texts: columns of free text.
        id: column of unique keys; None: a column named id that holds such, else new ones are made.
        drop: columns to leave out.
        keep: columns that stay although they tell the target.
        drop_missing: leave out rows without target, group or time.
        drop_rare: leave out rows of classes that are too rare to be split.
        drop_duplicates: leave out rows that repeat an earlier one.
        positive: label of class 1.
        test_share: of all rows.
        validation_share: of the other rows.
        validation: where the validation score comes from.
        seed: of the split.
        title: of the task; empty: made from its name.
        encoding: of the table; None: found out. The same for `delimiter` and `decimal`.
    """

    table: Path
    targets: tuple[str, ...]
    metric: str
    folder: Path | None = None
    group: str | None = None
    time: str | None = None
    texts: tuple[str, ...] = ()
    id: str | None = None
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    drop_missing: bool = False
    drop_rare: bool = False
    drop_duplicates: bool = False
    positive: str | None = None
    test_share: float = TEST_SHARE
    validation_share: float = VALIDATION_SHARE
    validation: Validation = Validation.HARNESS
    seed: int = 0
    title: str = ""
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None

    def check(self) -> metrics.Metric:
        """What can be seen before the table is read.

        Returns:
            The metric.

        Raises:
            ConfigError: an unknown metric, a share that is none, two splits at once, a folder that is there already.
        """
        for option, share in (("--test-share", self.test_share), ("--validation-share", self.validation_share)):
            if not (math.isfinite(share) and 0 < share < 1):
                raise ConfigError(f"{option}: {share:g} is no share; give a number above 0 and below 1, such as 0.25")
        if self.seed < 0:
            raise ConfigError(f"--seed: {self.seed}; a whole number from 0 is expected")
        if self.group is not None and self.time is not None:
            raise ConfigError("--group and --time: rows are split by the one or by the other; leave one out")
        if self.name in folder.names():
            raise ConfigError(f"--out: the suite has a task called {self.name!r}; name a folder of another name")
        if self.place.exists():
            raise ConfigError(f"--out: {self.place} is there already; remove it, or name another folder")
        return metrics.find(self.metric, "--metric")

    @property
    def name(self) -> str:
        """The id of the task, from the folder's name or from the file's."""
        given = self.table.stem if self.folder is None else self.folder.name
        return re.sub(r"[^A-Za-z0-9._-]+", "-", given).strip("-._") or "task"

    @property
    def place(self) -> Path:
        """The task's folder."""
        return Path("tasks", self.name) if self.folder is None else self.folder

    def columns(self, names: list[str]) -> dict[str, list[str]]:
        """The columns of the table that each option names.

        Args:
            names: of the table's columns.

        Returns:
            By option: target, group, time, text, id, drop, keep.

        Raises:
            ConfigError: the table has none of this name, or one has two parts at once.
        """
        given: dict[str, tuple[str, ...]] = {
            "target": self.targets,
            "group": (self.group,) if self.group is not None else (),
            "time": (self.time,) if self.time is not None else (),
            "text": self.texts,
            "id": (self.id,) if self.id is not None else (),
            "drop": self.drop,
            "keep": self.keep,
        }
        found = {option: _listed(option, words, names) for option, words in given.items()}
        parts = {
            name: [option for option in given if name in found[option]]
            for name in names
            if sum(name in found[option] for option in given) > 1
        }
        for name, options in parts.items():
            if (
                set(options) <= {"text", "keep"}
                or set(options) <= {"group", "keep"}
                or set(options) <= {"time", "keep"}
            ):
                continue
            raise ConfigError(
                f"--{options[0]} and --{options[1]}: both name {name!r}, which can only be one of them; leave one out"
            )
        if not found["target"]:
            raise ConfigError(f"--target: no column is named; the table has: {_shown(names)}")
        return found


def _listed(option: str, words: tuple[str, ...], names: list[str]) -> list[str]:
    """The columns that an option names, once each, by itself or several at once with commas between them."""
    found: list[str] = []
    for word in words:
        for name in [word] if word in names else [part.strip() for part in word.split(",") if part.strip()]:
            if name not in names:
                alike = next((n for n in names if n.casefold() == name.casefold()), None)
                hint = f" (did you mean {alike!r}?)" if alike else did_you_mean(name, names)
                raise ConfigError(f"--{option}: the table has no column {name!r}{hint}; it has: {_shown(names)}")
            if name not in found:
                found.append(name)
    return found


def _shown(names: list[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
