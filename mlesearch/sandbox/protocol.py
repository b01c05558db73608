"""What a sandbox is to the rest of the package: prepare a slot while the model thinks, run one program in it.

`Spec` and `Job` together hold all that decides what a program can do, so that an execution can be stored and found
again by them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mlesearch.sandbox.gpu.devices import GpuLease
from mlesearch.types import ExecResult, SandboxUnavailable

MIB = 1024 * 1024
GIB = 1024 * MIB

PROMISES = (
    "net_off",
    "data_read_only",
    "answers_absent",
    "memory_hard",
    "oom_signal",
    "tree_kill",
    "disk_bound",
    "gpu_pinned",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Nominal limits of one program.

    Attributes:
        time_s: wall-clock seconds.
        memory_bytes: of the whole tree.
        cpu_count: processors that it may run on; threads of numerical libraries are set to it.
        disk_bytes: of the working directory, all files together.
        file_bytes: of one file.
        output_bytes: of each captured stream that is kept (head and tail); more is counted and dropped.
        processes: in the tree.
        entries: files and folders that it may leave at one time.
    """

    time_s: float = 60.0
    memory_bytes: int = 4 * GIB
    cpu_count: int = 1
    disk_bytes: int = 2 * GIB
    file_bytes: int = GIB
    output_bytes: int = 64 * 1024
    processes: int = 512
    entries: int = 200_000


@dataclass(frozen=True, slots=True)
class Spec:
    """What a slot is prepared for.

    Attributes:
        task: id and version of the task.
        input_dir: the task's public folder, seen by the program as `input/`, read-only.
        hidden: folders that must never be readable (answers); they are checked, not trusted to be elsewhere.
        split_seed: of the validation split.
        limits: nominal.
        environment: digest of interpreter and packages, filled by the sandbox's `environment()`.
        gpus: 1 where its programs get a GPU each, else 0. Nothing is imported ahead for such a slot.
        artefact_bytes: what is the most that can be used of a collected file, by name; a larger one is refused where it
            lies, uncopied. Of others `limits.file_bytes`.
        concealed: (what it is, path) of what programs may not read beside the answers, such as the study's folder. A
            slot is refused where one lies in something that they may; a slot that is ready serves whatever it is.
    """

    task: str
    input_dir: Path
    hidden: tuple[Path, ...] = ()
    split_seed: int = 0
    limits: Limits = field(default_factory=Limits)
    environment: str = ""
    gpus: int = 0
    artefact_bytes: tuple[tuple[str, int], ...] = ()
    concealed: tuple[tuple[str, Path], ...] = field(default=(), compare=False)


def _anybody() -> None:
    """Nobody else can own the outbox."""


@dataclass(frozen=True, slots=True)
class Job:
    """One program to run.

    Attributes:
        address: of the execution (run / proposal).
        program: its text.
        deadline_s: seconds it may take now (at most the nominal limit).
        outbox: folder on the host that takes the safe copies of `collect`; made if absent.
        collect: names of files in the working directory to copy out.
        gpu: the lease of the GPU that it may use; its descriptor goes to the process that outlives the program's tree.
        check_owner: is called after the program's end, before the first write into the outbox; raises where the outbox
            is another process's by now, and then nothing may be written there.
    """

    address: str
    program: str
    deadline_s: float
    outbox: Path
    collect: tuple[str, ...] = ("submission.csv", "metrics.json")
    gpu: GpuLease | None = None
    check_owner: Callable[[], None] = field(default=_anybody, compare=False, repr=False)


@dataclass(slots=True)
class Slot:
    """A prepared place for one program. Backends subclass it with what they need; used once."""

    spec: Spec


SANDBOX_TRIES = 3
"""A sandbox that fails by itself is tried this often for one program before its run stops, to be resumed later."""


class Sandbox(Protocol):
    """A place to run programs that a model wrote. One object may serve several threads."""

    @property
    def name(self) -> str:
        """The rung: local, bubblewrap, docker."""
        ...

    def identity(self) -> Mapping[str, object]:
        """All that changes what a program does here: rung, environment digest, declared hardware."""
        ...

    def packages(self) -> Mapping[str, str]:
        """Installed packages that a prompt may name, with versions."""
        ...

    def check(self) -> None:
        """Try it once.

        Raises:
            SandboxUnavailable: it can't work here; the text says why and what to do.
        """
        ...

    def prepare(self, spec: Spec) -> Slot:
        """Get ready for one program, while the model thinks.

        Raises:
            SandboxUnavailable: the backend itself failed.
        """
        ...

    def run(self, slot: Slot, job: Job) -> ExecResult:
        """Run one program in a prepared slot, to its end or its deadline; nothing of it is left afterwards.

        Raises:
            ConfigError: the data that it reads went away meanwhile.
            SandboxUnavailable: the backend itself failed; the program may be run again.
        """
        ...

    def close(self) -> None:
        """Give up everything that is warm; unused slots included."""
        ...

    def reap_orphans(self) -> int:
        """Remove what killed orchestrators left behind; returns how many things."""
        ...


def execute(sandbox: Sandbox, spec: Spec, job: Job) -> ExecResult:
    """Run a program in a slot of its own; blocking. The sandbox's own failures are tried again.

    Raises:
        SandboxUnavailable: it failed `SANDBOX_TRIES` times.
    """
    tries_left = SANDBOX_TRIES
    while True:
        try:
            return sandbox.run(sandbox.prepare(spec), job)
        except SandboxUnavailable:
            tries_left -= 1
            if not tries_left:
                raise
