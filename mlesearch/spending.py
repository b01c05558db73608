"""Where a study's money is kept: one purse in its folder, or a part of it on each machine that shares nothing.

On a network file system SQLite can't be shared, so with `limits.partition=N` every limit is split into N parts. A
machine claims one of them for good, by a file in the study's folder that only one can make; its purse lies on its own
disk, and what it has spent is written beside the claim, so that another machine can take the part over later.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path

from mlesearch.journal import read, write_atomically
from mlesearch.models.limits import NETWORK, file_system_of
from mlesearch.purse import Limits, Purse
from mlesearch.settings import Settings
from mlesearch.study import RunKey, read_json, run_folders
from mlesearch.types import NANODOLLARS, ConfigError


def cell_of(key: RunKey) -> str:
    """The cell of a run: model, strategy, variant."""
    return "/".join(key.id.split("/")[:3])


def limits_of(s: Settings) -> Limits:
    """What the study and each of its cells may cost."""
    study, cell = (None if usd is None else round(usd * NANODOLLARS) for usd in (s.budget.study_usd, s.budget.cell_usd))
    return Limits(study, cell)


def on_network(s: Settings) -> bool:
    """Whether the study's folder is on a network file system."""
    return file_system_of(Path(s.study.dir)) in NETWORK if s.limits.network is None else s.limits.network


def check_shared(s: Settings) -> None:
    """Refuse a budget that can't be shared where the study lies.

    Raises:
        ConfigError: the folder is on a network file system and nobody said how many machines there are.
    """
    if limits_of(s).any and s.limits.partition is None and s.cassette != "replay" and on_network(s):
        raise ConfigError(
            f"budget: {Path(s.study.dir).absolute()} is on a network file system, where a budget of the study or a "
            f"cell can't be shared; set limits.partition to the number of machines that work on it (1 if there is one)"
        )


def purse_of(s: Settings) -> Purse | None:
    """The purse of a study, as this machine has it; None where nothing is limited, or nothing is paid for.

    Raises:
        ConfigError: as `check_shared`; or all parts are taken by other machines.
    """
    limits = limits_of(s)
    if not limits.any or s.cassette == "replay":
        return None
    folder = Path(s.study.dir).absolute()
    if s.limits.partition is None:
        check_shared(s)
        return _purse(folder / "budgets.db", limits, folder, None, os.getpid())
    parts = s.limits.partition
    part = claim(folder / "budgets", parts, socket.gethostname())
    split = Limits(*(None if n is None else n // parts for n in (limits.study_nusd, limits.cell_nusd)))
    name = sha256(f"{folder}:{part.name}".encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"mlesearch-{os.getuid()}" / f"budgets-{name}.db"
    return _purse(path, split, folder, part, os.getpid())


@lru_cache(maxsize=8)
def _purse(path: Path, limits: Limits, folder: Path, part: Path | None, pid: int) -> Purse:
    """Kept for the life of the process."""
    if part is None:
        return Purse(path, limits, partial(spent_before, folder))
    return Purse(path, limits, partial(_read_part, part), partial(_write_part, part))


def spent_before(folder: Path) -> Mapping[str, int]:
    """What each cell has spent by the journals of a study, nano-dollars."""
    found: Counter[str] = Counter()
    for run in run_folders(folder):
        if (run / "journal.jsonl").exists():
            cell = "/".join(run.relative_to(folder).parts[:3])
            found[cell] += sum(_cost(e["usage"], e) for e in read(run / "journal.jsonl")[1] if "usage" in e)
    return found


def _cost(usage: Mapping[str, int | None], event: Mapping[str, int]) -> int:
    cost = usage.get("cost_nusd", 0)
    return event.get("charged_nusd", 0) if cost is None else cost


# parts


def claim(folder: Path, parts: int, machine: str) -> Path:
    """The file of this machine's part: the one that it has claimed before, else the first that is free.

    Raises:
        ConfigError: all are taken by other machines; names them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    claims = [folder / f"part-{n + 1}.machine" for n in range(parts)]
    for path in claims:
        if path.exists() and path.read_text() == machine:
            return path.with_suffix(".json")
    for path in claims:
        temporary = folder / f".{machine}.{os.getpid()}"
        temporary.write_text(machine)
        try:
            os.link(temporary, path)  # one wins, on a network file system too
        except FileExistsError:
            if path.read_text() != machine:
                continue
        finally:
            temporary.unlink(missing_ok=True)
        return path.with_suffix(".json")
    taken = ", ".join(sorted(path.read_text() for path in claims))
    raise ConfigError(
        f"limits.partition: all {parts} parts of the budget are taken (by {taken}); raise it, or remove the file of a "
        f"machine that has stopped for good: {claims[0]}"
    )


def _read_part(part: Path) -> Mapping[str, int]:
    return read_json(part) if part.exists() else {}


def _write_part(part: Path, spent: Mapping[str, int]) -> None:
    write_atomically(part, json.dumps(dict(spent), sort_keys=True) + "\n", durable=False)
