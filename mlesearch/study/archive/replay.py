"""A recorded study replayed: the same runs, in another folder, from its journals and its two stores.

No model is called, nothing is executed, no key and no network is needed. A run that had not ended when the study was
recorded can't be replayed to its end; its folder is taken over as it is.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlesearch.config.identity.recorded_tasks import TaskTrust, recall_competition
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import RunPlan, plan
from mlesearch.config.settings import Settings, from_recorded
from mlesearch.storage.cell_store import cells as cells_of
from mlesearch.storage.diff import first_difference
from mlesearch.storage.documents import STUDY, RunFile, finished_row, read_run, read_study
from mlesearch.storage.layout import open_study, run_folders
from mlesearch.study.archive.unpacking import IMPORTED, is_imported
from mlesearch.types import ConfigError

_STORES = {"cassette": "cassette=record", "executions": "sandbox.exec_store=record"}


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay will do.

    Attributes:
        runs: to replay.
        unfinished: folders of runs that are taken over.
        recorded_s: wall-clock seconds of the recorded runs, one after the other.
        calls: model calls in their journals.
        executions: executions in their journals.
    """

    runs: tuple[RunPlan, ...]
    unfinished: tuple[Path, ...]
    recorded_s: float
    calls: int
    executions: int


def plan_replay(
    study: Path,
    out: Path,
    resources: ProcessResources,
    cassette: Path | None = None,
    executions: Path | None = None,
    *,
    trust: bool = False,
    own_tasks: Sequence[str] = (),
) -> Replay:
    """Check everything; nothing is written.

    Args:
        study: its folder.
        out: where the replayed study goes.
        resources: of this process.
        cassette: where the model calls are, if not in the study's folder.
        executions: likewise, the executions.
        trust: whether tasks may be loaded that came with the study, their graders included.
        own_tasks: the user's own tasks, which are used wherever they are those of the study.

    Raises:
        ConfigError: there is no study, it was not recorded, its runs would be other runs here, or a task of it is not
            to be trusted.
        JournalError: a journal is corrupt.
    """
    if not (study / STUDY).exists():
        raise ConfigError(f"{study}: no study here (no study.json); name the folder that a launch wrote")
    if out.absolute() == study.absolute():
        raise ConfigError(f"--out: {out} is the recorded study itself; name another folder")
    if cells_of(study):
        raise ConfigError(
            f"{study}: its runs were looked up (clock=virtual), so none needs a recording: launched again into another "
            "study.dir they come out the same"
        )
    given = {"cassette": cassette, "executions": executions}
    stores = {name: _store(study, name, given[name]) for name in _STORES}
    recorded: dict[str, Path] = {}
    cells: dict[str, Settings] = {}
    tasks: set[tuple[str, str]] = set()
    unfinished = []
    real_us = n_calls = n_executions = 0
    for folder in run_folders(study):
        row = finished_row(folder)
        if row is None:
            unfinished.append(folder)
            continue
        recorded[folder.relative_to(study).as_posix()] = folder
        run = read_run(folder)
        tasks.add((run["identity"]["task"]["id"], run["identity"]["task"]["version"]))
        cells[json.dumps(run["settings"], sort_keys=True)] = _settings(folder, run, stores, out)
        real_us += round(row["real_s"] * 1e6)
        n_calls, n_executions = n_calls + row["n_calls"], n_executions + row["n_executions"]
    for folder in recorded.values():
        recall_competition(read_run(folder), folder, cells, resources)
    trusted = TaskTrust(study, is_imported(study), trust, tuple(own_tasks))
    here = [replace(s, tasks=trusted.names(s.tasks, tasks, resources)) for s in cells.values()]
    planned = plan(here, resources).runs if cells else ()
    runs = tuple(_same(r, recorded[r.key.id]) for r in planned if r.key.id in recorded)
    return Replay(runs, tuple(unfinished), real_us / 1e6, n_calls, n_executions)


def _store(study: Path, name: str, given: Path | None) -> tuple[Path, str]:
    """Where a store of the study is, and its form."""
    if given is not None:
        return given, "files" if given.is_dir() else "sqlite"
    for path, form in ((study / f"{name}.db", "sqlite"), (study / name, "files")):
        if path.exists():
            return path, form
    raise ConfigError(f"{study}: nothing to replay from: no {name} here; record a study with {_STORES[name]}")


def _settings(folder: Path, run: RunFile, stores: dict[str, tuple[Path, str]], out: Path) -> Settings:
    """The recorded settings of a run, turned to replay."""
    try:
        s = from_recorded(run["settings"])
    except (KeyError, TypeError) as e:
        raise ConfigError(
            f"{folder}/run.json: its settings can't be read ({e}); it was recorded by mlesearch {run['mlesearch']}"
        ) from None
    (cassette, cassette_form), (executions, exec_form) = stores["cassette"], stores["executions"]
    sandbox = replace(
        s.sandbox, exec_store="replay", exec_store_path=str(executions.absolute()), exec_store_form=exec_form
    )
    if is_imported(folder.parents[4]):  # a path in it is no path of this user's, and an interpreter would be run
        s = replace(s, mlebench=replace(s.mlebench, data_dir=None, python=None))
    return replace(
        s,
        study=replace(s.study, dir=str(out)),
        sandbox=sandbox,
        cassette="replay",
        cassette_path=str(cassette.absolute()),
        cassette_form=cassette_form,
    )


def _same(run: RunPlan, recorded: Path) -> RunPlan:
    """A run's plan, after seeing that it is the recorded run."""
    different = first_difference(read_run(recorded)["identity"], run.identity, "")
    if different:
        raise ConfigError(f"{recorded}: this run would be another one here, so it can't replay: {different}")
    return replace(run, recorded=recorded)


def begin(study: Path, out: Path, unfinished: Sequence[Path]) -> None:
    """Write the study's header and grid, and take over what can't be replayed."""
    open_study(out, read_study(study))
    shutil.copyfile(study / "launches.jsonl", out / "launches.jsonl")
    for folder in unfinished:
        place = out / folder.relative_to(study)
        if not place.exists():
            shutil.copytree(folder, place, symlinks=True)
    if is_imported(study):
        shutil.copyfile(study / IMPORTED, out / IMPORTED)
