"""The folders that programs read as `input/`: whether what was in them at first is there still.

A program whose data went away while it ran did not fail by itself, and says nothing about whoever wrote it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mlesearch.sandbox.protocol import Spec
from mlesearch.types import ConfigError

SHOWN = 3
"""So many names are told of what is gone."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A folder as it was.

    Attributes:
        stamp: device, number and time of the last change, nanoseconds.
        names: what lay in it at first.
    """

    stamp: tuple[int, int, int]
    names: frozenset[str]


class InputFolders:
    """What lay in each folder when it was served first.

    Only what lies in it directly is looked at, and names that begin with a dot are not.
    """

    def __init__(self) -> None:
        """None was served yet."""
        self._seen: dict[tuple[str, Path], _Seen] = {}

    def check(self, spec: Spec) -> None:
        """Look before a program runs, and afterwards: then its data were there all the while.

        Args:
            spec: of its slot.

        Raises:
            ConfigError: the folder, or something in it, is not there any more.
        """
        folder, key = spec.input_dir, (spec.task, spec.input_dir)
        known = self._seen.get(key)
        try:
            status = os.stat(folder)
            stamp = status.st_dev, status.st_ino, status.st_mtime_ns
            if known is not None and known.stamp == stamp:
                return
            names = frozenset(name for name in os.listdir(folder) if not name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            raise absent(spec) from None
        gone = sorted(known.names - names) if known is not None else []
        if gone:
            more = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
            raise ConfigError(
                f"task {spec.task}: its public folder {folder} has lost {', '.join(gone[:SHOWN])}{more} since it was "
                "first used, so a program that could not read that is not counted; put it back, then run again"
            )
        self._seen[key] = _Seen(stamp, names if known is None else known.names)


def absent(spec: Spec) -> ConfigError:
    """The error where the public folder of a task is not there (any more)."""
    return ConfigError(f"task {spec.task}: its public folder {spec.input_dir} does not exist")
