"""Where two studies, or two runs, part: the first field of an identity that differs, else the first event that does.

Two equal runs differ in measured durations alone (`mlesearch.storage.events`), so whatever else differs has a cause:
another identity, or something that is no part of one and decides all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlesearch.storage.cell_store import exists, read_bytes
from mlesearch.storage.diff import first_difference
from mlesearch.storage.documents import RUN, STUDY, read_run
from mlesearch.storage.events import Event, without_durations
from mlesearch.storage.journal import JOURNAL, JournalError, begun, read
from mlesearch.storage.layout import run_folders
from mlesearch.study.shares import in_shares
from mlesearch.types import ConfigError

SAME = ""
"""What is said of two runs that are the same, durations aside."""
UNBEGUN = "begun in neither"
"""What is said of two runs of one identity, neither of which has an event."""


@dataclass(frozen=True, slots=True)
class Parting:
    """What two studies, or two runs, have in common.

    Attributes:
        differing: of runs that are in both, how they differ, in words; `SAME` or `UNBEGUN` where they do not. By id.
        only_first: ids of runs that only the first has begun.
        only_second: likewise.
    """

    differing: dict[str, str]
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to compare: neither has begun a run."""
        return not self.only_first and not self.only_second and all(t == UNBEGUN for t in self.differing.values())

    @property
    def same(self) -> bool:
        """Whether there is something to compare, and nothing of it differs but durations."""
        whole = not self.only_first and not self.only_second
        return whole and not self.empty and all(t in (SAME, UNBEGUN) for t in self.differing.values())


def compare(first: Path, second: Path) -> Parting:
    """Compare two studies run by run, or two runs.

    Args:
        first: folder of a study or of a run; `there` in what is said.
        second: of the same kind; `here` in what is said.

    Raises:
        ConfigError: they are not two studies, or two runs.
        JournalError: a journal is corrupt.
    """
    kinds = [_kind(folder) for folder in (first, second)]
    if kinds[0] != kinds[1]:
        raise ConfigError(f"{first} is a {kinds[0]} and {second} a {kinds[1]}: name two studies, or two runs")
    if kinds[0] == "run":
        return Parting({read_run(second)["id"]: difference(first, second)})
    ids = [dict.fromkeys(_ids(folder)) for folder in (first, second)]
    both = [run_id for run_id in ids[0] if run_id in ids[1]]
    found = {run_id: text for part in in_shares(partial(_differences, first, second), both) for run_id, text in part}
    return Parting(
        {run_id: found[run_id] for run_id in both},
        tuple(run_id for run_id in ids[0] if run_id not in ids[1]),
        tuple(run_id for run_id in ids[1] if run_id not in ids[0]),
    )


def _kind(folder: Path) -> str:
    if (folder / STUDY).is_file():
        return "study"
    if exists(folder / RUN):
        return "run"
    raise ConfigError(f"{folder}: no study and no run here; name a study's folder, or a run's in it")


def _ids(study: Path) -> Iterable[str]:
    return (folder.relative_to(study).as_posix() for folder in run_folders(study))


def _differences(first: Path, second: Path, run_ids: Sequence[str]) -> list[tuple[str, str]]:
    return [(run_id, difference(first / run_id, second / run_id)) for run_id in run_ids]


def difference(first: Path, second: Path) -> str:
    """How two runs differ, in words; `SAME` where they differ in durations alone, `UNBEGUN` where neither has begun.

    Raises:
        JournalError: a journal is corrupt.
    """
    runs = [read_run(folder) for folder in (first, second)]
    different = first_difference(runs[0]["identity"], runs[1]["identity"], "")
    if different:
        return f"identity: {different}"
    journals = [folder / JOURNAL for folder in (first, second)]
    there = [begun(path) for path in journals]
    if not all(there):
        return UNBEGUN if not any(there) else f"begun {'there' if there[0] else 'here'} alone"
    if read_bytes(journals[0]) == read_bytes(journals[1]):
        return SAME
    (_, before), (_, after) = (_read(path) for path in journals)
    for number, (old, new) in enumerate(zip(before, after, strict=False), 1):
        different = first_difference(without_durations(old), without_durations(new), "")
        if different:
            return f"event {number} ({_named(old)}): {different}"
    if len(before) == len(after):
        return SAME
    longer, where = (before, "there") if len(before) > len(after) else (after, "here")
    at = min(len(before), len(after))
    return f"event {at + 1} ({_named(longer[at])}) is {where} alone: the other run stands after event {at}"


def _read(path: Path) -> tuple[object, list[Event]]:
    try:
        return read(path)
    except OSError as error:
        raise JournalError(f"{path}: it can't be read ({error.strerror})") from None


def _named(event: Event) -> str:
    """An event's type, and the proposal that it is about."""
    proposal = event["p"]["id"] if event["type"] == "asked" else event.get("id")
    return event["type"] if proposal is None else f"{event['type']} of proposal {proposal}"
