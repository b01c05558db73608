"""Where a study's money is kept: one shared budget in its folder, or a part of it on each machine that shares nothing.

On a network file system SQLite can't be shared, so with `limits.partition=N` every limit is split into N parts. A
machine claims one of them for good, by a file in the study's folder that only one can make. Its shared budget lies on
its own disk, and what it has spent is written beside the claim, so that another machine can take the part over later.
What was spent before the split is shared out alike.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path

from mlesearch.budgets.shared import SharedBudget, SpendingCaps
from mlesearch.config.settings import Settings
from mlesearch.storage import file_systems
from mlesearch.storage.events import CallEvent, calls_of
from mlesearch.storage.files import read_json, write_atomically
from mlesearch.storage.journal import read
from mlesearch.storage.layout import RunKey, run_folders
from mlesearch.types import NANODOLLARS, ConfigError


def cell_of(key: RunKey) -> str:
    """The cell of a run: model, strategy, variant."""
    return "/".join(key.id.split("/")[:3])


def caps_of(s: Settings) -> SpendingCaps:
    """What the study and each of its cells may cost."""
    study, cell = (None if usd is None else round(usd * NANODOLLARS) for usd in (s.budget.study_usd, s.budget.cell_usd))
    return SpendingCaps(study, cell)


def on_network(s: Settings) -> bool:
    """Whether the study's folder is on a network file system."""
    return file_systems.on_network(Path(s.study.dir)) if s.limits.network is None else s.limits.network


def check_shared(s: Settings) -> None:
    """Refuse a budget that can't be shared where the study lies, or that is shared otherwise.

    Raises:
        ConfigError: the folder is on a network file system and nobody said how many machines there are; or the study's
            budgets are split into another number of parts.
    """
    if s.cassette == "replay":
        return
    folder = Path(s.study.dir).absolute()
    split = _split(folder)
    if split is not None and split.parts != s.limits.partition:
        raise ConfigError(
            f"limits.partition: the budgets of {folder} are split into {split.parts} parts, so set it to "
            f"{split.parts}; or, with no machine at work, remove {folder / 'budgets'} to split anew"
        )
    if caps_of(s).any and s.limits.partition is None and on_network(s):
        raise ConfigError(
            f"budget: {folder} is on a network file system, where a budget of the study or a cell can't be shared; set "
            f"limits.partition to the number of machines that work on it (1 if there is one)"
        )


def shared_budget_of(s: Settings) -> SharedBudget | None:
    """A study's shared budget, as this machine has it; None where nothing is limited or was, or nothing is paid for.

    A study that has a shared budget goes on counting where a launch sets no limit, since a later one may.

    Raises:
        ConfigError: as `check_shared`; or all parts are taken by other machines.
    """
    if s.cassette == "replay":
        return None
    check_shared(s)
    limits, parts = caps_of(s), s.limits.partition
    folder = Path(s.study.dir).absolute()
    if parts is None:
        path = folder / "budgets.db"
        return _shared_budget(path, limits, folder, None, os.getpid()) if limits.any or path.exists() else None
    if not limits.any and _split(folder) is None:
        return None
    part = take_part(folder, parts, socket.gethostname())
    share = SpendingCaps(*(None if n is None else n // parts for n in (limits.study_nusd, limits.cell_nusd)))
    split = _split(folder)
    name = sha256(f"{split and split.id}:{part.name}".encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"mlesearch-{os.getuid()}" / f"budgets-{name}.db"
    return _shared_budget(path, share, folder, part, os.getpid())


@lru_cache(maxsize=8)
def _shared_budget(path: Path, limits: SpendingCaps, folder: Path, part: Path | None, pid: int) -> SharedBudget:
    """Kept for the life of the process."""
    if part is None:
        return SharedBudget(path, limits, partial(spent_before, folder))
    return SharedBudget(path, limits, partial(_read_part, folder, part), partial(_write_part, part))


def spent_before(folder: Path) -> Mapping[str, int]:
    """What each cell has spent by the journals of a study, nano-dollars."""
    found: Counter[str] = Counter()
    for run in run_folders(folder):
        journal = run / "journal.jsonl"
        if journal.exists() and journal.stat().st_size:  # one that is being made has no first line yet
            cell = "/".join(run.relative_to(folder).parts[:3])
            found[cell] += sum(map(_cost, calls_of(read(journal)[1])))
    return found


def _cost(event: CallEvent) -> int:
    cost = event["usage"].get("cost_nusd", 0)
    charged = event.get("charged_nusd", 0) if cost is None else cost
    return charged + event["usage"].get("lost_nusd", 0)


# parts


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


def _split(folder: Path) -> Partition | None:
    path = folder / "budgets" / "split.json"
    if not path.exists():
        return None
    found = read_json(path)
    return Partition(found["id"], found["parts"], found["before_nusd"])


def take_part(folder: Path, parts: int, machine: str) -> Path:
    """The file of this machine's part: the one that it has claimed before, else the first that is free.

    Args:
        folder: of the study, whose budgets are split at the first claim.
        parts: how many there are.
        machine: its name.

    Raises:
        ConfigError: all are taken by other machines; names them.
    """
    place = folder / "budgets"
    place.mkdir(parents=True, exist_ok=True)
    if _split(folder) is None:
        with closing(SharedBudget(folder / "budgets.db", SpendingCaps())) as shared_budget:
            known = shared_budget.spent()
        journaled = spent_before(folder)
        before = {cell: max(known.get(cell, 0), journaled.get(cell, 0)) for cell in sorted({*known, *journaled})}
        split = {"id": secrets.token_hex(8), "parts": parts, "before_nusd": before}
        _first(place / "split.json", json.dumps(split) + "\n", machine)
    claims = [place / f"part-{n + 1}.machine" for n in range(parts)]
    for path in claims:
        if path.exists() and path.read_text() == machine:
            return path.with_suffix(".json")
    for path in claims:
        if _first(path, machine, machine) == machine:
            return path.with_suffix(".json")
    taken = ", ".join(sorted(path.read_text() for path in claims))
    raise ConfigError(
        f"limits.partition: all {parts} parts of the budget are taken (by {taken}); remove the file of a machine "
        f"that has stopped for good, e.g. {claims[0]}; or, with no machine at work, {place} to split anew"
    )


def _first(path: Path, text: str, machine: str) -> str:
    """Write a file that only the first one makes, on a network file system too; returns what it holds."""
    temporary = path.with_name(f".{machine}.{os.getpid()}")
    temporary.write_text(text)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return path.read_text()
    finally:
        temporary.unlink(missing_ok=True)
    return text


def _read_part(folder: Path, part: Path) -> Mapping[str, int]:
    if part.exists():
        found: Mapping[str, int] = read_json(part)
        return found
    split = _split(folder)
    return {} if split is None else split.share


def _write_part(part: Path, spent: Mapping[str, int]) -> None:
    write_atomically(part, json.dumps(dict(spent), sort_keys=True) + "\n", durable=False)
