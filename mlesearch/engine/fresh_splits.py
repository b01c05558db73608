"""Fresh validation splits to run programs on: what the sandbox shows them, and what scores them."""

from __future__ import annotations

from typing import Protocol

from mlesearch.engine.scoring import Scorer, TaskScorer, artefact_bytes
from mlesearch.sandbox.protocol import Limits, Spec
from mlesearch.sandbox.scratch import Owned
from mlesearch.tasks.protocol import Task
from mlesearch.tasks.resplit import resplit


class Splits(Protocol):
    """Where fresh splits come from."""

    def make(self, seed: int) -> tuple[Spec, Scorer]:
        """What programs are run in, and what scores them, on one fresh split; written once a seed."""
        ...

    def close(self) -> None:
        """Remove what was written."""
        ...


class TaskSplits:
    """Fresh splits of a task, in scratch folders that are removed by `close`, or once their process has died."""

    def __init__(self, task: Task, limits: Limits, gpus: int = 0) -> None:
        """Nothing is written before `make`."""
        self._task = task
        self._limits = limits
        self._gpus = gpus
        self._made: dict[int, tuple[Spec, Scorer]] = {}
        self._owned: Owned | None = None

    def make(self, seed: int) -> tuple[Spec, Scorer]:
        """See `Splits`."""
        if seed not in self._made:
            if self._owned is None:
                self._owned = Owned()
            folder = self._owned.path / f"split-{seed}"
            folder.mkdir(mode=0o711)
            task = resplit(self._task, seed, folder)
            hidden = (self._task.private_dir, task.private_dir)
            name = f"{self._task.id}@{self._task.version}"
            usable = artefact_bytes(task)
            spec = Spec(name, task.public_dir, hidden, seed, self._limits, gpus=self._gpus, artefact_bytes=usable)
            self._made[seed] = (spec, TaskScorer(task))
        return self._made[seed]

    def close(self) -> None:
        """See `Splits`."""
        if self._owned is not None:
            self._owned.remove()
            self._owned = None
        self._made.clear()
