"""Studies that are launched but not carried out, and the processes at work on them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlesearch.config.loading.plain import cells
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import StudyPlan, plan
from mlesearch.storage.worker_files import read_workers
from mlesearch.study.launches.launch import begin
from tests.support import preloaded
from tests.support.command import Started

GIVEN: dict[str, Any] = {
    "sandbox": "local",
    "model": "sim_05",
    "strategy": ["random", "gome"],
    "tasks": ["rentals"],
    "seeds": [0, 1],
    "budget": {"steps": 3},
}
"""Four short runs in two cells."""
WORDS = ["-m", "sandbox=local", "model=sim_05", "strategy=random,gome", "tasks=[rentals]", "seeds=[0,1]"]
WORDS += ["budget.steps=3"]
"""The same, for the command line."""


def listed(folder: Path, **given: Any) -> StudyPlan:
    """A study whose launch has begun, and no run of it: workers have its list."""
    whole: Any = {**GIVEN, "study": {"name": "main", "dir": str(folder)}, **given}
    with ProcessResources() as resources:
        made = plan(cells(whole), resources)
        begin(made, resources)
    return made


def work(study: Path, *words: str, before: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Started:
    """A worker, in a session of its own; a fork of `support.preloaded`, unless another program is to start it."""
    given = os.environ if env is None else env
    if not before and preloaded.takes(given):
        return preloaded.ForkedCommand(["work", str(study), *words], Path.cwd(), given, own_session=True)
    command = [*before, sys.executable, "-m", "mlesearch", "work", str(study), *words]
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def children(pid: int) -> list[int]:
    """The processes that a process has made and that are there."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def slots_of(study: Path) -> list[int]:
    """The processes that are slots of the workers at work."""
    return [pid for w in read_workers(study) if w.activity != "ended" for pid in children(w.pid)]


def busy(study: Path) -> list[int]:
    """The slots that carry out a run right now."""
    return slots_of(study) if any(w.run_ids for w in read_workers(study)) else []


def state_of_files(study: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file of a study."""
    found = {}
    for path in study.rglob("*"):
        with contextlib.suppress(OSError):
            status = os.lstat(path)
            found[str(path)] = status.st_size, status.st_mtime_ns
    return found


def quiet(study: Path, for_s: float) -> bool:
    """Whether nothing writes for so long."""
    before = state_of_files(study)
    time.sleep(for_s)
    return state_of_files(study) == before
