"""From settings to sandboxes: which rung is asked for, how it is tried, and the store of what it executed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlesearch.config.settings import Settings
from mlesearch.config.settings.modes import check_mode
from mlesearch.engine.scoring import artefact_bytes
from mlesearch.sandbox import ladder
from mlesearch.sandbox.protocol import Limits, Sandbox, Spec
from mlesearch.sandbox.recorded import MODES, RecordSandbox, ReplaySandbox
from mlesearch.storage.store import Store, open_store
from mlesearch.tasks.protocol import Task
from mlesearch.types import ConfigError


@dataclass(frozen=True, slots=True)
class GpuTerms:
    """Every program gets a GPU: how many may share one, and whether waiting for it is charged."""

    slots: int
    charge_wait: bool


@dataclass(frozen=True, slots=True)
class SandboxRequest:
    """A rung, or `auto`.

    Attributes:
        kind: of the rung, or auto.
        require: promises without which nothing is run.
        gpu: None where no program gets a GPU.
        params: of the rung, those among them that any rung has.
    """

    kind: str
    require: tuple[str, ...]
    gpu: GpuTerms | None
    params: Mapping[str, object] = field(hash=False)

    def choose(self) -> ladder.ChosenRung:
        """The rung that it stands for on this machine, tried once a process, and why it is that one.

        Raises:
            ConfigError: unknown kind, it does not work here, or it does not keep what is required.
        """
        return ladder.choose(self.kind, self.require, self.params, self.gpu is not None)

    def open(self) -> Sandbox:
        """The sandbox.

        Raises:
            ConfigError: as `choose`; or no GPU where one is asked for.
        """
        sandbox = ladder.open_chosen(self.choose(), self.params)
        if self.gpu is None:
            return sandbox
        from mlesearch.sandbox.gpu.sandbox import GpuSandbox

        return GpuSandbox(sandbox, slots=self.gpu.slots, charge_wait=self.gpu.charge_wait)

    def described(self) -> list[dict[str, object]]:
        """As a store of executions names it: the rungs that may be meant, each with its own parameters."""
        given = {name: value for name, value in self.params.items() if name != "min_free_gib"}
        if "weights" in given:
            given["weights"] = True  # their digest is in the identity; where they lie is no part of what was asked
        automatic = self.kind == ladder.AUTO
        gpu = None if self.gpu is None else [self.gpu.slots, self.gpu.charge_wait]
        return [
            {"kind": name, "params": ladder.known_params(name, given) if automatic else given, "gpu": gpu}
            for name in (ladder.CHOSEN_BY_AUTO if automatic else (self.kind,))
        ]


@dataclass(frozen=True, slots=True)
class ExecStore:
    """A store of executions: record or replay, where it is, and in which form."""

    mode: str
    path: Path
    form: str

    def open(self) -> Store:
        """The store.

        Raises:
            ConfigError: unknown form, or nothing to replay from.
        """
        return open_store(self.path, self.form, must_exist=self.mode == "replay")


@dataclass(frozen=True, slots=True)
class RecordedSandboxRequest:
    """A sandbox with its store; to replay, the rung is not opened.

    Attributes:
        rung: below the store.
        store: of executions.
        get: opens the rung, or finds it where it is open.
    """

    rung: SandboxRequest
    store: ExecStore
    get: Callable[[SandboxRequest], Sandbox] = field(compare=False)

    def open(self) -> Sandbox:
        """The sandbox.

        Raises:
            ConfigError: as the rung or the store; or the store is another sandbox's.
        """
        if self.store.mode == "replay":
            return ReplaySandbox(self.store.open(), *self.rung.described())
        (asked,) = self.rung.described()
        return RecordSandbox(self.get(self.rung), self.store.open(), asked)


def sandbox_request(s: Settings) -> SandboxRequest:
    """The rung that a cell asks for.

    Raises:
        ConfigError: a parameter of all rungs is given as one of this rung.
    """
    b = s.sandbox
    general: dict[str, object] = {"require": list(b.require), "warm": b.warm, "min_free_gib": b.min_free_gib}
    if b.weights is not None:
        general["weights"] = str(Path(b.weights).absolute())
    for key in (*general, "weights"):
        if key in b.params:
            raise ConfigError(f"sandbox.params.{key}: it is no parameter of one rung; set sandbox.{key} instead")
    gpu = GpuTerms(b.gpu_slots, b.charge_gpu_wait) if b.gpus else None
    return SandboxRequest(b.kind, tuple(b.require), gpu, {**b.params, **general})


def exec_store(s: Settings) -> ExecStore | None:
    """The store of a cell's executions; None where there is none.

    Raises:
        ConfigError: unknown mode.
    """
    b = s.sandbox
    check_mode("sandbox.exec_store", b.exec_store, MODES)
    if b.exec_store == "off":
        return None
    name = "executions.db" if b.exec_store_form == "sqlite" else "executions"
    path = Path(b.exec_store_path or Path(s.study.dir) / name).absolute()
    return ExecStore(b.exec_store, path, b.exec_store_form)


def program_spec(s: Settings, task: Task, limits: Limits) -> Spec:
    """What a run's slots are prepared for.

    Args:
        s: of the cell.
        task: whose public folder programs read.
        limits: of one program.
    """
    concealed = [("study.dir", Path(s.study.dir)), (f"the folder of task {task.id}", task.private_dir.parent)]
    hidden = [task.private_dir]
    if task.full is not None:  # its labelled rows are those of the validation set too
        concealed.append((f"the full data of task {task.id}", task.full.private_dir.parent))
        hidden += [task.full.private_dir, task.full.public_dir]
    if s.cassette_path is not None:
        concealed.append(("cassette_path", Path(s.cassette_path)))
    store = exec_store(s)
    if store is not None:
        concealed.append(("sandbox.exec_store_path", store.path))
    name = f"{task.id}@{task.version}"
    found = tuple((words, path.absolute()) for words, path in concealed)
    return Spec(
        name,
        task.public_dir,
        tuple(hidden),
        limits=limits,
        gpus=s.sandbox.gpus,
        concealed=found,
        artefact_bytes=artefact_bytes(task),
    )


class ReachChecks:
    """Sees to it that answers, studies and stores lie where programs can't read them: each once in a launch."""

    def __init__(self) -> None:
        """Nothing was looked at yet."""
        self._done: set[object] = set()

    def check(self, s: Settings, specs: Iterable[Spec]) -> None:
        """Refuse a launch where something of a cell is within reach.

        Args:
            s: of the cell, with its rung named.
            specs: of its runs.

        Raises:
            ConfigError: something is; the text says what, and where.
        """
        if s.sandbox.exec_store == "replay":
            return
        rung = (s.sandbox.kind, json.dumps(s.sandbox.params, sort_keys=True, default=str))
        new = {key: spec for spec in specs if (key := (rung, spec, spec.concealed)) not in self._done}
        if new:
            ladder.check_folders(s.sandbox.kind, s.sandbox.params, *new.values())
            self._done |= new.keys()
