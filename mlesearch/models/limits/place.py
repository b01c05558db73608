"""Where the processes of a study keep the counters of their calls, and which part of every limit is a process's own."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol, runtime_checkable

from mlesearch.models.limits.windows import Caps
from mlesearch.storage.file_systems import on_network
from mlesearch.types import ConfigError


@dataclass(frozen=True, slots=True)
class CountersPlace:
    """Where the counters of a study's processes are, and which part of every limit is theirs.

    Attributes:
        path: of the database; None: this process shares with no other.
        parts: in how many equal parts each limit is split; a process keeps to one of them.
    """

    path: Path | None = None
    parts: int = 1


THIS_PROCESS = CountersPlace()
"""Counters that are shared with no other process."""


@runtime_checkable
class Limited(Protocol):
    """A model or embedder that calls a provider."""

    @property
    def caps(self) -> Caps:
        """The limits that it declares."""
        ...

    def use_place(self, place: CountersPlace) -> None:
        """Keep to the limits together with other processes."""
        ...


def place_of(
    folder: Path, partition: int | None, *, network: bool | None = None, limited: bool = True
) -> CountersPlace:
    """Where the processes of a study share their limits.

    Args:
        folder: of the study.
        partition: None: one set of counters, in the folder; N: N jobs that share nothing, each with an Nth of every
            limit and counters on its machine's own disk.
        network: whether the folder is on a network file system; None: look.
        limited: whether anything is limited.

    Raises:
        ConfigError: the folder is on a network file system, and nobody said how many jobs there are.
    """
    if partition is None:
        if not (on_network(folder) if network is None else network):
            return CountersPlace(folder / "limits.db")
        if limited:
            raise ConfigError(
                f"limits.partition: {folder} is on a network file system, where the limits of a model can't be "
                f"shared; set limits.partition to the number of jobs that run side by side (1 if there is one)"
            )
        return THIS_PROCESS
    if partition < 1:
        raise ConfigError(f"limits.partition: {partition}; at least 1 is needed, or null to share them in one place")
    name = sha256(str(folder.absolute()).encode()).hexdigest()[:16]
    return CountersPlace(Path(tempfile.gettempdir()) / f"mlesearch-{os.getuid()}" / f"limits-{name}.db", partition)


def part_of(caps: Caps, parts: int) -> Caps:
    """An Nth of every limit, rounded down, but at least 1."""
    if parts == 1 or not caps.any:
        return caps

    def part(limit: int | None) -> int | None:
        return None if limit is None else max(1, limit // parts)

    return Caps(part(caps.requests), part(caps.tokens), part(caps.in_flight), caps.window_s)
