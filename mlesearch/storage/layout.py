"""A study's folder: where each run lives, which runs were asked for, and what makes two runs the same run.

<study>/study.json, launches.jsonl                       the grid is the union of the launches
<study>/<model>/<strategy>/<variant>/<task>/seed-<n>/    run.json, journal.jsonl, ..., result.json
<study>/<model>/<strategy>/<variant>/runs.db             or all runs of a cell, those of `clock=virtual`
<study>/<model>/<strategy>/<variant>/packed-<n>.zip      or finished runs of a cell, after `mlesearch clean --pack`

What stands in these files: `mlesearch.storage.documents` and `mlesearch.storage.journal`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from mlesearch import __version__
from mlesearch.storage import cell_store
from mlesearch.storage.claim import Claim
from mlesearch.storage.diff import first_difference
from mlesearch.storage.documents import (
    LAUNCHES,
    RESULT,
    RUN,
    STUDY,
    KeyJson,
    LaunchLine,
    StudyFile,
    read_result,
    read_run,
)
from mlesearch.storage.files import append_line, make_private, read_json, read_lines, write_atomically
from mlesearch.storage.packs import check_whole
from mlesearch.types import ConfigError

STUDY_FORMAT = 1
_PART_BYTES, _PATH_BYTES = 255, 3_500
"""What file systems take for a name, and for a path from which those of runs and their files still begin."""
_RUN_FOLDERS = f"*/*/*/*/seed-*/{RUN}"

RunState = Literal["new", "begun", "failed", "finished"]
"""What a run's folder holds."""


@dataclass(frozen=True, slots=True)
class RunKey:
    """A run's place in the grid of its study."""

    model: str
    strategy: str
    variant: str
    task: str
    seed: int

    @property
    def cell(self) -> str:
        """Model, strategy and variant: the path of its cell within the study."""
        return "/".join(map(slug, (self.model, self.strategy, self.variant)))

    @property
    def id(self) -> str:
        """Its path within the study."""
        return f"{self.cell}/{slug(self.task)}/seed-{self.seed}"

    def to_json(self) -> KeyJson:
        """As it stands in run.json."""
        return {
            "model": self.model,
            "strategy": self.strategy,
            "variant": self.variant,
            "task": self.task,
            "seed": self.seed,
        }


@lru_cache(maxsize=4096)
def slug(name: str) -> str:
    """A name as a folder name: `gemini/x` is `gemini__x`."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name.replace("/", "__")).strip(".") or "-"


def study_header(name: str, claim: Claim | None) -> StudyFile:
    """The content of study.json."""
    return {
        "format": STUDY_FORMAT,
        "name": name,
        "mlesearch_version": __version__,
        "claim": None if claim is None else claim.to_json(),
    }


def check_place(name: str, folder: Path) -> None:
    """Refuse a folder for a study that is not there yet, where its name makes another one of it than it says.

    Args:
        name: of the study.
        folder: of the study, absolute.

    Raises:
        ConfigError: a part of it is too long for a file system, or the name is not that of one folder.
    """
    for part in folder.parts:
        if (size := len(os.fsencode(part))) > _PART_BYTES:
            key = "study.name" if part in name else "study.dir"
            raise ConfigError(
                f"{key}: {part[:40]}... takes {size:,} bytes, and the name of a folder at most {_PART_BYTES}; choose a "
                "shorter one"
            )
    if (size := len(os.fsencode(folder))) > _PATH_BYTES:
        raise ConfigError(f"study.dir: its path takes {size:,} bytes; choose one of at most {_PATH_BYTES:,}")
    nested = "/" in name and str(folder).endswith(f"/{name.strip('/')}")
    if (nested or name.strip() in (".", "..")) and not (folder / STUDY).exists():
        raise ConfigError(
            f"study.name: {name!r} is not the name of one folder; leave out /, and set study.dir for another place"
        )


def check_study(folder: Path, header: StudyFile) -> None:
    """Refuse a folder that holds another study.

    Raises:
        ConfigError: names the differing field.
    """
    path = folder / STUDY
    _check_writable(folder)
    if not path.exists() and folder.exists():
        others = [p for p in folder.iterdir() if not p.name.startswith(f".{STUDY}.")]
        if others and not path.exists():  # seen twice: another launch may have opened it in between
            raise ConfigError(f"study.dir: {folder} is not empty and holds no study (no study.json); choose another")
    if not path.exists():
        return
    known, wanted = read_json(path), {**header}
    for field in ("format", "name", "claim"):
        different = first_difference(known.get(field), wanted[field], field)
        if different:
            raise ConfigError(
                f"study.dir: {folder} holds another study: {different}; choose another study.dir, or restore the value"
            )


def is_simulated(folder: Path) -> bool | None:
    """Whether simulated engineers answer in a study: by its header, else by one of its runs; None where none is begun.

    Raises:
        ConfigError: a file is damaged.
    """
    path = folder / STUDY
    if path.exists() and read_json(path).get("simulated") is True:
        return True
    first = next(folder.glob(_RUN_FOLDERS), None)
    run = next(iter(cell_store.stored_runs(folder)), None) if first is None else first.parent
    return None if run is None else read_run(run)["labels"]["simulated"]


def _check_writable(folder: Path) -> None:
    """Refuse a place where no study can be written."""
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    if not nearest.is_dir():
        raise ConfigError(f"study.dir: {folder}: {nearest} is no folder; choose another study.dir")
    if not os.access(nearest, os.W_OK | os.X_OK) or str(nearest).startswith(("/proc", "/sys")):
        raise ConfigError(f"study.dir: {folder}: nothing can be written in {nearest}; choose another study.dir")


def open_study(folder: Path, header: StudyFile) -> None:
    """Write study.json unless it is there (checked before)."""
    make_private(folder)
    path = folder / STUDY
    if not path.exists():
        write_atomically(path, json.dumps(header, indent=1) + "\n")


def note_launch(folder: Path, keys: Sequence[RunKey]) -> None:
    """Add the asked-for runs to the study's grid."""
    known = set(declared(folder))
    new = [k for k in keys if k not in known]
    if new:
        launch: LaunchLine = {"mlesearch": __version__, "runs": [astuple(k) for k in new]}
        append_line(folder / LAUNCHES, launch)


def note_not_planned(folder: Path, keys: Sequence[RunKey], why: str) -> None:
    """Say of runs that the design leaves them out: they are no part of the study's grid, or no more.

    A run that has ended keeps its result. One that a launch carries out later (`mlesearch run --left-out`, which has to
    be asked for) is part of the grid again.

    Args:
        folder: of the study.
        keys: of the runs.
        why: in words, as the report prints it.

    Raises:
        ValueError: no reason is given.
    """
    if not why.strip():
        raise ValueError("a run that is not planned needs a reason, which the report prints")
    known = not_planned(folder)
    new = [k for k in keys if known.get(k) != why]
    if new:
        line: LaunchLine = {"mlesearch": __version__, "runs": [], "not_planned": [astuple(k) for k in new], "why": why}
        append_line(folder / LAUNCHES, line)


def declared(folder: Path) -> list[RunKey]:
    """Every run that any launch asked for, in the order of asking, but those that are not planned any more."""
    return [key for key, why in _grid(folder).items() if not why]


def not_planned(folder: Path) -> dict[RunKey, str]:
    """The runs that the design leaves out, each with the reason."""
    return {key: why for key, why in _grid(folder).items() if why}


def launches_of(folder: Path) -> dict[str, int]:
    """The number, from 1, of the launch that first asked for each run, by its id."""
    asked = [launch["runs"] for launch in read_lines(folder / LAUNCHES) if launch["runs"]]
    return {RunKey(*row).id: number for number in range(len(asked), 0, -1) for row in asked[number - 1]}


def _grid(folder: Path) -> dict[RunKey, str]:
    """Every run that a line of the launches names, and why it is not planned; empty where it is."""
    grid: dict[RunKey, str] = {}
    for launch in read_lines(folder / LAUNCHES):
        grid |= dict.fromkeys((RunKey(*row) for row in launch["runs"]), "")
        grid |= dict.fromkeys((RunKey(*row) for row in launch.get("not_planned", [])), str(launch.get("why", "")))
    return grid


def identity_digest(identity: Mapping[str, object]) -> str:
    """sha256 of an identity's canonical JSON."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def check_run(folder: Path, identity: Mapping[str, object]) -> RunState:
    """What a run's folder holds.

    Raises:
        ConfigError: it holds a run with another identity; names the differing field.
        StoreError: a pack of its cell is damaged, or gone.
    """
    stored = cell_store.state_of(folder)
    if stored is not None and stored[1] == identity_digest(identity):
        return "failed" if stored[0] == cell_store.FAILED else "finished"
    if not cell_store.exists(folder / RUN):
        check_whole(folder.parent.parent)
        return "new"
    known = read_run(folder)
    if known["digest"] != identity_digest(identity):
        plain = json.loads(json.dumps(identity))
        different = first_difference(known["identity"], plain, "") or "their digests"
        raise ConfigError(
            f"{folder} holds a run with another identity: {different}; "
            f"give this one a name of its own (variant=...) or choose another study.dir"
        )
    return state_of_result(folder)


def state_of_any(folder: Path) -> RunState:
    """What a run's folder holds, whatever its identity: for one whose sandbox is left to the worker that begins it."""
    stored = cell_store.state_of(folder)
    if stored is not None:
        return "failed" if stored[0] == cell_store.FAILED else "finished"
    if cell_store.exists(folder / RUN):
        return state_of_result(folder)
    check_whole(folder.parent.parent)
    return "new"


def state_of_result(folder: Path) -> RunState:
    """What became of a run that was begun, whichever it is."""
    result = read_result(folder)
    if result is None:
        return "begun"
    return "failed" if result["status"] == "failed" else "finished"


def remove_failure(folder: Path) -> None:
    """Let a run that failed go on; a result that another process has written since it was seen to fail stays.

    Raises:
        ConfigError: what is there can't be read, or lacks something; it stays, too.
        OSError: it can't be removed.
    """
    if state_of_result(folder) == "failed":
        (folder / RESULT).unlink(missing_ok=True)


def run_folders(folder: Path) -> Iterator[Path]:
    """The folders of all runs of a study that were begun, in the order of their names."""
    yield from sorted({*(p.parent for p in folder.glob(_RUN_FOLDERS)), *cell_store.stored_runs(folder)})
