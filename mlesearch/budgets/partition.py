"""Where a study's money is kept: one shared budget in its folder, or a part of it on each machine that shares nothing.

On a network file system SQLite can't be shared, so there every limit is split into N parts. A machine takes one of them
for good, by a file in the study's folder that only one can make. Its shared budget lies on its own disk, and what it
has spent is written beside that file, so that another machine can take the part over later. What was spent before the
split is shared out alike.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from mlesearch.budgets.shared import SharedBudget, SpendingCaps
from mlesearch.storage.events import CallEvent, calls_of
from mlesearch.storage.files import make_folder, open_file, read_json, temporary_of, write_atomically, write_whole
from mlesearch.storage.journal import JOURNAL, begun, read
from mlesearch.storage.layout import run_folders
from mlesearch.types import ConfigError


@dataclass(frozen=True, slots=True)
class BudgetPlace:
    """Where the shared budget of a study lies for this machine, and what may be spent from it.

    Attributes:
        path: of the database.
        caps: of the whole study, or of this machine's part.
        folder: of the study.
        part: the file of the part that this machine has taken; None: the budget is not split.
    """

    path: Path
    caps: SpendingCaps
    folder: Path
    part: Path | None = None

    def open(self) -> SharedBudget:
        """The shared budget, which begins with what was spent before it was made."""
        if self.part is None:
            return SharedBudget(self.path, self.caps, partial(spent_before, self.folder))
        on_change = partial(_write_part, self.part)
        return SharedBudget(self.path, self.caps, partial(_read_part, self.folder, self.part), on_change)


def whole_budget(folder: Path, caps: SpendingCaps) -> BudgetPlace:
    """The budget of a study that is not split, in its folder."""
    return BudgetPlace(folder / "budgets.db", caps, folder)


def part_of_budget(folder: Path, caps: SpendingCaps, parts: int, machine: str) -> BudgetPlace:
    """A machine's part of a study's budget, on its own disk.

    Args:
        folder: of the study.
        caps: of the whole study.
        parts: how many there are.
        machine: its name.

    Raises:
        ConfigError: as `take_part`.
    """
    part = take_part(folder, parts, machine)
    partition = partition_of(folder)
    name = sha256(f"{partition and partition.id}:{part.name}".encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"mlesearch-{os.getuid()}" / f"budgets-{name}.db"
    own = SpendingCaps(*(None if n is None else n // parts for n in (caps.study_nusd, caps.cell_nusd)))
    return BudgetPlace(path, own, folder, part)


def spent_before(folder: Path) -> Mapping[str, int]:
    """What each cell has spent by the journals of a study, nano-dollars."""
    found: Counter[str] = Counter()
    for run in run_folders(folder):
        journal = run / JOURNAL
        if begun(journal):  # one that is being made has no first line yet
            cell = "/".join(run.relative_to(folder).parts[:3])
            found[cell] += sum(map(_cost, calls_of(read(journal)[1])))
    return found


def _cost(event: CallEvent) -> int:
    cost = event["usage"].get("cost_nusd", 0)
    charged = event.get("charged_nusd", 0) if cost is None else cost
    return charged + event["usage"].get("lost_nusd", 0)


@dataclass(frozen=True, slots=True)
class Partition:
    """How a study's budgets are split: into how many parts, and what each cell had spent before, nano-dollars.

    `id` is another one after every split, so that no shared budget of an earlier one is taken up again.
    """

    id: str
    parts: int
    before_nusd: Mapping[str, int]

    @property
    def share(self) -> Mapping[str, int]:
        """What one part takes over of what was spent before; all of them together take over all of it."""
        return {cell: -(-nusd // self.parts) for cell, nusd in self.before_nusd.items()}


def partition_of(folder: Path) -> Partition | None:
    """How a study's budgets are split; None where they are not."""
    path = folder / "budgets" / "split.json"
    if not path.exists():
        return None
    found = read_json(path)
    return Partition(found["id"], found["parts"], found["before_nusd"])


def take_part(folder: Path, parts: int, machine: str) -> Path:
    """The file of this machine's part: the one that it has taken before, else the first that is free.

    Args:
        folder: of the study, whose budgets are split when the first part is taken.
        parts: how many there are.
        machine: its name.

    Raises:
        ConfigError: all are taken by other machines; names them.
    """
    place = folder / "budgets"
    make_folder(place)
    if partition_of(folder) is None:
        with closing(SharedBudget(whole_budget(folder, SpendingCaps()).path, SpendingCaps())) as shared_budget:
            known = shared_budget.spent()
        journaled = spent_before(folder)
        before = {cell: max(known.get(cell, 0), journaled.get(cell, 0)) for cell in sorted({*known, *journaled})}
        split = {"id": secrets.token_hex(8), "parts": parts, "before_nusd": before}
        _first(place / "split.json", json.dumps(split) + "\n", machine)
    files = [place / f"part-{n + 1}.machine" for n in range(parts)]
    for path in files:
        if path.exists() and path.read_text(encoding="utf-8") == machine:
            return path.with_suffix(".json")
    for path in files:
        if _first(path, machine, machine) == machine:
            return path.with_suffix(".json")
    taken = ", ".join(sorted(path.read_text(encoding="utf-8") for path in files))
    raise ConfigError(
        f"limits.partition: all {parts} parts of the budget are taken (by {taken}); remove the file of a machine "
        f"that has stopped for good, e.g. {files[0]}; or, with no machine at work, {place} to split anew"
    )


def _first(path: Path, text: str, machine: str) -> str:
    """Write a file that only the first one makes, on a network file system too; returns what it holds."""
    temporary = temporary_of(path)
    try:
        fd = open_file(temporary, os.O_WRONLY | os.O_TRUNC)
        try:
            write_whole(fd, text.encode(), path)
        finally:
            os.close(fd)
        os.link(temporary, path)
    except FileExistsError:
        return path.read_text(encoding="utf-8")
    finally:
        temporary.unlink(missing_ok=True)
    return text


def _read_part(folder: Path, part: Path) -> Mapping[str, int]:
    if part.exists():
        found: Mapping[str, int] = read_json(part)
        return found
    partition = partition_of(folder)
    return {} if partition is None else partition.share


def _write_part(part: Path, spent: Mapping[str, int]) -> None:
    write_atomically(part, json.dumps(dict(spent), sort_keys=True) + "\n", durable=False)
