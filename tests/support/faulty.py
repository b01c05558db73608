"""A package whose strategies and model go wrong in every way that ends a run or its process, as if it were installed.

`waits` is healthy, and there to be taken along: it writes nothing for a while. The file `faults_off` in the working
folder cures them all; what goes wrong, goes wrong at the second proposal, or as soon as a strategy is made where there
is the file `faults_at_once`. `removes` takes the folder of a task away once random search is over with it. Where there
is the file `together`, `takes_along` strikes when a neighbour waits.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlesearch.models.protocol import AuthFailed
from mlesearch.optimizers.base import Optimizer
from mlesearch.optimizers.random import make as make_random
from mlesearch.storage.processes import running
from mlesearch.types import Outcome, Problem, Proposal, Rng, Verdict
from tests.support.paths import ROOT

FAULTS = (
    "quits",
    "kills",
    "raises",
    "exits",
    "removes",
    "dies_once",
    "takes_along",
    "takes_along_once_a_step",
    "waits",
)
GROUP = "MLESEARCH_TEST_TAKES_ALONG"
"""A variable of workers whose whole process group may be killed."""
ENTRIES = "".join(f"{name} = tests.support.faulty:{name}\n" for name in FAULTS)
OWN_TASK = "mine"


def install(folder: Path) -> dict[str, str]:
    """Make a package of this module in a folder of its own; returns what the environment needs to have it."""
    info = folder / "faulty-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n", encoding="utf-8")
    entries = f"[mlesearch.optimizers]\n{ENTRIES}\n[mlesearch.models]\nkeyless = tests.support.faulty:keyless\n"
    (info / "entry_points.txt").write_text(entries, encoding="utf-8")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def write_files(cwd: Path) -> None:
    """A model without a key, by its name in a working folder, and a copy of a task, whose folder is the user's own."""
    (cwd / "conf/model").mkdir(parents=True)
    text = "name: keyless\nkind: keyless\ntier: advanced\ncapability: 0.5\nparams: {capability: 0.5}\n"
    (cwd / "conf/model/keyless.yaml").write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "mlesearch/tasks/data/mini/canvas", cwd / "tasks" / OWN_TASK)


class Faulty:
    """Random search, until its second proposal."""

    def __init__(self, fault: str, inner: Optimizer) -> None:
        self._fault, self._inner = fault, inner
        self._asked = 0
        if Path("faults_at_once").exists():
            self._go_wrong()

    def ask(self, used: float) -> Proposal | None:
        self._asked += 1
        wrong_at = 2 + (len(deaths()) if self._fault == "takes_along_once_a_step" else 0)
        if self._asked == wrong_at and not Path("faults_off").exists():
            self._go_wrong()
        return self._inner.ask(used)

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        return self._inner.tell(outcome)

    def _go_wrong(self) -> None:
        if self._fault == "quits":
            sys.exit(3)
        if self._fault == "kills":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._fault == "exits":
            os._exit(7)
        if self._fault == "raises":
            raise RuntimeError("the plug-in is broken")
        if self._fault == "removes":
            _until(lambda: any(Path("studies").glob("*/*/random/*/canvas/*/result.json")), 120.0)
            shutil.rmtree(Path("tasks") / OWN_TASK, ignore_errors=True)
        if self._fault == "waits":
            Path(f"waiting-{os.getpid()}").touch()
            _until(lambda: False)
        if self._fault.startswith("takes_along"):
            _take_along(self._fault)
        if self._fault == "dies_once" and not Path("died").exists():
            Path("died").touch()
            os.kill(os.getpid(), signal.SIGKILL)


def deaths() -> list[str]:
    """The runs for which the process group was killed, one after the other."""
    with contextlib.suppress(FileNotFoundError):
        return Path("deaths").read_text(encoding="utf-8").splitlines()
    return []


def _until(happens: Callable[[], bool], within_s: float = 4.0) -> None:
    """Wait for it, as a program that runs for a while."""
    end_s = time.monotonic() + within_s
    while not happens() and time.monotonic() < end_s:
        time.sleep(0.05)


def _take_along(fault: str) -> None:
    """End the worker, its slots and whatever is in its process group: as when a container runs out of memory."""
    if os.environ.get(GROUP):
        if Path("together").exists():
            _until(lambda: any(running(int(path.name.partition("-")[2])) for path in Path().glob("waiting-*")))
        with open("deaths", "a", encoding="utf-8") as file:
            file.write(f"{fault}\n")
        os.killpg(0, signal.SIGKILL)


def _strategy(fault: str) -> Any:
    def make(params: Mapping[str, object], problem: Problem, rng: Rng) -> Faulty:
        return Faulty(fault, make_random(params, problem, rng))

    return make


quits, kills, raises, exits, removes, dies_once, takes_along, takes_along_once_a_step, waits = map(_strategy, FAULTS)


def keyless(name: str, params: Mapping[str, object]) -> Any:
    """A simulated engineer whose provider refuses the key."""
    from mlesearch.models.registry import make_model

    inner = make_model(name, "simulated", params)

    class Keyless:
        def __getattr__(self, field: str) -> Any:
            return getattr(inner, field)

        def complete(self, request: Any) -> Any:
            if not Path("faults_off").exists():
                raise AuthFailed(f"{name}: the key is wrong or missing")
            return inner.complete(request)

    return Keyless()
