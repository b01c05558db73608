"""The list of a launch: its checked plan as a file of plain data, from which workers on any machine take runs.

<study>/launches/<n>.jsonl      from 1; each is written whole, by whoever makes its name first

The first line says what the file is and where the launch was made, since settings may name folders from there. Values
stand once, and are numbered in the order in which they stand: `{"value": ...}`. A line `{"cell": ...}` holds a cell's
settings and budget, those that follow, `{"task": ...}`, its runs on a task: limits, identity and labels, as numbers of
values, and the seeds. A launch that asks for what the newest list holds writes none.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from mlesearch import __version__
from mlesearch.budgets.meter import Budget
from mlesearch.config.planning.plan import RunPlan
from mlesearch.config.settings import Settings, from_recorded
from mlesearch.sandbox.protocol import Limits
from mlesearch.storage.files import make_folder, write_new
from mlesearch.storage.layout import RunKey
from mlesearch.types import ConfigError

FORMAT = 1
LISTS = "launches"
"""The folder's name within a study."""


@dataclass(frozen=True, slots=True)
class LaunchList:
    """A launch as its list has it.

    Attributes:
        number: of the launch, from 1.
        made_in: folder in which it was launched: relative paths in its settings are from there.
        search_path: what `MLESEARCH_PATH` was; None where it was not set.
        runs: of the launch, in their order.
    """

    number: int
    made_in: Path
    search_path: str | None
    runs: tuple[RunPlan, ...]


def list_numbers(study: Path) -> list[int]:
    """The numbers of a study's lists, from the oldest on."""
    try:
        names = os.listdir(study / LISTS)
    except FileNotFoundError:
        return []
    return sorted(int(found[1]) for name in names if (found := re.fullmatch(r"([1-9]\d*)\.jsonl", name)))


def list_path(study: Path, number: int) -> Path:
    """Where a list is."""
    return study / LISTS / f"{number}.jsonl"


def write_list(study: Path, runs: Sequence[RunPlan]) -> int:
    """Write a launch's list, unless the newest one says the same; returns its number.

    Args:
        study: its folder, which is there.
        runs: of the launch, checked; at least one.

    Raises:
        OSError: the disk did not take it.
    """
    text = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in _lines(runs)).encode()
    make_folder(study / LISTS)
    newest = max(list_numbers(study), default=0)
    if newest and list_path(study, newest).read_bytes() == text:
        return newest
    while not write_new(list_path(study, newest + 1), text):
        newest += 1
    return newest + 1


def _lines(runs: Sequence[RunPlan]) -> Iterator[dict[str, Any]]:
    yield {
        "launch": FORMAT,
        "mlesearch": __version__,
        "study": str(runs[0].study_dir),
        "made_in": os.getcwd(),
        "search_path": os.environ.get("MLESEARCH_PATH"),
    }
    numbers: dict[str, int] = {}
    cell: tuple[object, ...] = ()
    part: tuple[object, ...] = ()
    seeds: list[int] = []
    task: dict[str, Any] = {}
    for run in runs:
        this_cell = (id(run.settings), run.budget)
        identity = {name: value for name, value in run.identity.items() if name != "seed"}
        this_part = (this_cell, run.key.task, run.task, run.limits, run.recorded, run.out)
        if task and (this_part != part or task["identity"] != identity or task["labels"] != run.labels):
            yield from _task_lines(task, seeds, numbers)
            task = {}
        if this_cell != cell:
            yield {"cell": asdict(run.settings), "budget": asdict(run.budget)}
            cell = this_cell
        if not task:
            part, seeds = this_part, []
            task = {
                "task": run.key.task,
                "name": run.task,
                "limits": asdict(run.limits),
                "identity": identity,
                "labels": dict(run.labels),
                "recorded": None if run.recorded is None else str(run.recorded),
                "out": None if run.out is None else str(run.out),
            }
        seeds.append(run.key.seed)
    yield from _task_lines(task, seeds, numbers)


def _task_lines(task: Mapping[str, Any], seeds: Sequence[int], numbers: dict[str, int]) -> Iterator[dict[str, Any]]:
    """The values of a cell's runs on a task that no line holds yet, and the line itself."""
    coded: dict[str, dict[str, int]] = {}
    for name in ("identity", "labels"):
        coded[name] = {}
        for field, value in task[name].items():
            text = json.dumps(value)
            if text not in numbers:
                numbers[text] = len(numbers)
                yield {"value": value}
            coded[name][field] = numbers[text]
    yield {**task, **coded, "seeds": list(seeds)}


def read_list(study: Path, number: int) -> LaunchList:
    """A launch's list.

    Args:
        study: its folder.
        number: of the launch.

    Raises:
        ConfigError: there is none, it is damaged or of another version, or its study lies elsewhere.
    """
    path = list_path(study, number)
    try:
        lines = path.read_bytes().split(b"\n")
        return _read(path, study, number, [json.loads(line) for line in lines[:-1]])
    except FileNotFoundError:
        there = ", ".join(map(str, list_numbers(study))) or "none; launch the study with `mlesearch run`"
        raise ConfigError(f"{path}: there is no such list of runs; there are: {there}") from None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ConfigError(
            f"{path}: it can't be read as a list of runs ({type(error).__name__}: {error}); launch the study again"
        ) from None


def shared_limits(study: Path) -> tuple[float | None, dict[str, float]]:
    """What the study may cost, and each of its cells that has a limit, USD, as its newest list says; for looking alone.

    What can't be read limits nothing here.
    """
    limit: float | None = None
    of_cells: dict[str, float] = {}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        newest = list_path(study, max(list_numbers(study)))
        for line in newest.read_bytes().split(b"\n"):
            if line.startswith(b'{"cell":'):
                s = json.loads(line)["cell"]
                limit = s["budget"]["study_usd"]
                if s["budget"]["cell_usd"] is not None:
                    key = RunKey(s["model"]["name"], s["strategy"]["name"], s["variant"], "", 0)
                    of_cells[key.cell] = s["budget"]["cell_usd"]
    return limit, of_cells


def _read(path: Path, study: Path, number: int, lines: Sequence[dict[str, Any]]) -> LaunchList:
    head = lines[0]
    if head["launch"] != FORMAT:
        raise ConfigError(
            f"{path}: a list of format {head['launch']!r}, written by mlesearch {head['mlesearch']}; this version "
            f"reads format {FORMAT}: launch the study again"
        )
    if not (os.path.exists(head["study"]) and os.path.samefile(head["study"], study)):
        raise ConfigError(
            f"{study}: its list of runs was made for {head['study']}, which is not this folder here; a study is worked "
            "on under one path on all machines: mount it there, or launch it again"
        )
    values: list[Any] = []
    runs: list[RunPlan] = []
    settings, budget = Settings(), Budget()
    folder = Path(head["study"])
    for line in lines[1:]:
        if "value" in line:
            values.append(line["value"])
        elif "cell" in line:
            settings, budget = from_recorded(line["cell"]), Budget(**line["budget"])
        else:
            runs += _runs(line, folder, settings, budget, values)
    return LaunchList(number, Path(head["made_in"]), head["search_path"], tuple(runs))


def _runs(line: Mapping[str, Any], folder: Path, s: Settings, budget: Budget, values: Sequence[Any]) -> list[RunPlan]:
    """The runs of a cell on a task."""
    identity = {name: values[number] for name, number in line["identity"].items()}
    labels = {name: values[number] for name, number in line["labels"].items()}
    recorded, out = (None if line[name] is None else Path(line[name]) for name in ("recorded", "out"))
    limits = Limits(**line["limits"])
    return [
        RunPlan(
            RunKey(s.model.name, s.strategy.name, s.variant, line["task"], seed),
            folder,
            s,
            line["name"],
            budget,
            limits,
            cast("Any", {**identity, "seed": seed}),
            cast("Any", labels),
            recorded,
            out,
        )
        for seed in line["seeds"]
    ]


def read_all(study: Path) -> list[LaunchList]:
    """All lists of a study, the newest first.

    Raises:
        ConfigError: as `read_list`; or there is none.
    """
    numbers = list_numbers(study)
    if not numbers:
        raise ConfigError(f"{study}: no list of runs is here (launches/1.jsonl); launch the study with `mlesearch run`")
    return [read_list(study, number) for number in reversed(numbers)]
