"""A study's folder: its declared claim, where each run lives, and what makes two runs the same run.

<study>/study.json       name, claim, versions: written once, before the first run
<study>/launches.jsonl   what was asked for, one line a launch: the grid is their union
<study>/<model>/<strategy>/<variant>/<task>/seed-<n>/
    run.json             identity and labels: written once
    result.json          status, scores, medals, costs: written last
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mlesearch import __version__
from mlesearch.storage.codec import Json
from mlesearch.storage.diff import first_difference
from mlesearch.storage.files import append_line, read_json, read_lines, write_atomically
from mlesearch.types import ConfigError

STUDY_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Claim:
    """What a study sets out to show, declared before its first run.

    Attributes:
        treatment: strategy (or strategy/variant) that should be better.
        baseline: the one it is compared with.
        outcome: any_medal, gold, above_median or valid.
        capability: whether the gap is claimed to change with the models' capability.
        tiers: tiers in order, lowest first, where capability has no numbers.
        primary: the sentence that the report tests.
    """

    treatment: str
    baseline: str
    outcome: str = "any_medal"
    capability: bool = False
    tiers: tuple[str, ...] = ()
    primary: str = ""


OUTCOMES = ("any_medal", "gold", "above_median", "valid")


@dataclass(frozen=True, slots=True)
class RunKey:
    """A run's place in the grid of its study."""

    model: str
    strategy: str
    variant: str
    task: str
    seed: int

    @property
    def id(self) -> str:
        """Its path within the study."""
        return "/".join((*map(slug, (self.model, self.strategy, self.variant, self.task)), f"seed-{self.seed}"))

    @property
    def cell(self) -> str:
        """Its cell: model, strategy, variant."""
        return "/".join(self.id.split("/")[:3])


def slug(name: str) -> str:
    """A name as a folder name: `gemini/x` is `gemini__x`."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name.replace("/", "__")).strip(".") or "-"


def study_header(name: str, claim: Claim | None) -> Json:
    """The content of study.json."""
    frozen = None
    if claim is not None:
        frozen = {**asdict(claim), "tiers": list(claim.tiers)}
    return {"format": STUDY_FORMAT, "name": name, "mlesearch_version": __version__, "claim": frozen}


def check_study(folder: Path, header: Mapping[str, object]) -> None:
    """Refuse a folder that holds another study.

    Raises:
        ConfigError: names the differing field.
    """
    path = folder / "study.json"
    _check_writable(folder)
    if not path.exists():
        if folder.exists() and any(folder.iterdir()):
            raise ConfigError(f"study.dir: {folder} is not empty and holds no study (no study.json); choose another")
        return
    known = read_json(path)
    for field in ("format", "name", "claim"):
        different = first_difference(known.get(field), header[field], field)
        if different:
            raise ConfigError(
                f"study.dir: {folder} holds another study: {different}; choose another study.dir, or restore the value"
            )


def _check_writable(folder: Path) -> None:
    """Refuse a place where no study can be written."""
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    if not nearest.is_dir():
        raise ConfigError(f"study.dir: {folder}: {nearest} is no folder; choose another study.dir")
    if not os.access(nearest, os.W_OK | os.X_OK) or str(nearest).startswith(("/proc", "/sys")):
        raise ConfigError(f"study.dir: {folder}: nothing can be written in {nearest}; choose another study.dir")


def open_study(folder: Path, header: Mapping[str, object]) -> None:
    """Write study.json unless it is there (checked before)."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "study.json"
    if not path.exists():
        write_atomically(path, json.dumps(header, indent=1) + "\n")


def note_launch(folder: Path, keys: Sequence[RunKey]) -> None:
    """Add the asked-for runs to the study's grid."""
    known = set(declared(folder))
    new = [k for k in keys if k not in known]
    if new:
        append_line(
            folder / "launches.jsonl", {"mlesearch": __version__, "runs": [list(asdict(k).values()) for k in new]}
        )


def declared(folder: Path) -> list[RunKey]:
    """Every run that any launch asked for, in the order of asking."""
    return list(
        dict.fromkeys(RunKey(*row) for launch in read_lines(folder / "launches.jsonl") for row in launch["runs"])
    )


def identity_digest(identity: Mapping[str, object]) -> str:
    """sha256 of an identity's canonical JSON."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def check_run(folder: Path, identity: Mapping[str, object]) -> str:
    """What a run's folder holds: "new", "begun", "failed" or "finished".

    Raises:
        ConfigError: it holds a run with another identity; names the differing field.
    """
    path = folder / "run.json"
    if not path.exists():
        return "new"
    known = read_json(path)
    if known["digest"] != identity_digest(identity):
        plain = json.loads(json.dumps(identity))
        different = first_difference(known["identity"], plain, "") or "their digests"
        raise ConfigError(
            f"{folder} holds a run with another identity: {different}; "
            f"give this one a name of its own (variant=...) or choose another study.dir"
        )
    result = folder / "result.json"
    if not result.exists():
        return "begun"
    return "failed" if read_json(result)["status"] == "failed" else "finished"


def run_folders(folder: Path) -> Iterator[Path]:
    """The folders of all runs of a study that were begun, in the order of their names."""
    yield from sorted(p.parent for p in folder.glob("*/*/*/*/seed-*/run.json"))
