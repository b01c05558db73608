"""MLE-bench's competitions where tasks are found by name: they can be named, and are no folders of our own layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlesearch.tasks.mlebench.facts import table
from mlesearch.tasks.mlebench.names import PREFIX
from mlesearch.types import ConfigError


class CompetitionSource:
    """A `TaskSource` that knows its names alone: a competition is used where it lies (`competition`)."""

    def names(self) -> Sequence[str]:
        """Every competition."""
        return list(table())

    def folder(self, name: str) -> Path:
        """There is none.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"tasks: {PREFIX}{name} is used where it lies, and is no task folder; runs take it by its name, and "
            f"`mlesearch mlebench check {name}` is its preflight"
        )
