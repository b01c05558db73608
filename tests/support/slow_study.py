"""A study that takes its time and little else: its model is slow, and programs are executed once in all tests.

The model is a simulated engineer that thinks for a while, by a plug-in, so that a disturbed study can be compared with
an undisturbed one.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlesearch.storage.worker_files import read_workers
from tests.support import documented

RUNS = 4
NAME = "s"
_WORDS = ["-m", "strategy=random,greedy", "tasks=[rentals]", "seeds=[0,1]", "sandbox=local", "budget.steps=5"]
_WORDS += [f"study.name={NAME}", "launcher.grace_s=5", "model=slow", "sandbox.exec_store=record"]
_PACKAGE = {
    "slow_engineer.py": """\
import os, time
from mlesearch.models.simulated import engineer


class SlowEngineer:
    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def complete(self, request):
        with open(os.environ["CALL_TAKES"]) as file:
            time.sleep(float(file.read()))
        return self.inner.complete(request)


def make(name, params):
    return SlowEngineer(engineer.make(name, params))
""",
    "slow_engineer-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: slow-engineer\nVersion: 1.0\n",
    "slow_engineer-1.0.dist-info/entry_points.txt": "[mlesearch.models]\nslow = slow_engineer:make\n",
    "conf/model/slow.yaml": "name: slow\nkind: slow\nparams: {capability: 0.5}\n",
}


@dataclass(frozen=True)
class SlowStudy:
    """Made by `make`.

    Attributes:
        folder: with the plug-in, and with the store of what was executed.
        words: what stands behind `mlesearch run`.
        env: in which it is launched.
        whole: the folder of the study as one machine carries it out, undisturbed.
    """

    folder: Path
    words: list[str]
    env: dict[str, str]

    @property
    def whole(self) -> Path:
        return self.folder / "studies" / NAME

    def calls_take(self, seconds: float) -> None:
        """How long the model thinks from now on."""
        (self.folder / "seconds").write_text(str(seconds))


class SlowLaunch:
    """The study under way, in a session of its own; what it says goes into a file.

    Attributes:
        folder: in which it was launched.
        study: the study's folder.
        words: of the command.
        env: of the command.
        process: the launch.
    """

    def __init__(self, program: Sequence[str], folder: Path, words: Sequence[str], env: dict[str, str]) -> None:
        """Begin it; the program is `mlesearch`, as words."""
        self.folder, self.study, self.words, self.env = folder, folder / "studies" / NAME, ["run", *words], env
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*program, *self.words], cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
            )

    def said(self) -> str:
        """All that it has said."""
        return (self.folder / "log").read_text()

    def ends(self) -> int:
        """Wait for its end; its exit code."""
        return self.process.wait(400)

    def kill(self) -> None:
        """End it, where it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def make(folder: Path) -> SlowStudy:
    """The plug-in; whoever makes the study launches it once in the folder, undisturbed."""
    documented.write(_PACKAGE, folder)
    env = {**os.environ, "PYTHONPATH": str(folder), "MLESEARCH_PATH": str(folder), "CALL_TAKES": f"{folder}/seconds"}
    made = SlowStudy(folder, [*_WORDS, f"sandbox.exec_store_path={folder}/executions.db"], env)
    made.calls_take(0.0)
    return made


def results(study: Path) -> list[Path]:
    """Of the runs that have ended."""
    return list(study.glob("*/*/*/*/seed-*/result.json"))


def journaled_bytes(study: Path) -> int:
    """How much the runs have written."""
    return sum(path.stat().st_size for path in study.glob("*/*/*/*/seed-*/journal.jsonl"))


def supervisors(study: Path) -> list[int]:
    """Processes of the workers that are at a run now."""
    return [w.pid for w in read_workers(study) if w.activity == "working" and any(slot.run_id for slot in w.slots)]
