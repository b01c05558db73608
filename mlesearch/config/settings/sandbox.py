"""Settings of where programs run, and of what each may use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class SandboxSettings:
    """Where programs run and what each may use: one file in `conf/sandbox/`.

    Attributes:
        kind: a rung of the ladder, or auto (docs/sandbox.md).
        require: promises without which nothing is run.
        warm: import the usual libraries before a program arrives.
        min_free_gib: of the scratch disk, below which nothing is run, GiB.
        weights: a folder of pretrained weights that programs may read, as `weights/`.
        program_time_s: seconds that a program may run; null: the task's own limit.
        memory_gib: memory of a program, GiB.
        cpu_count: processors of a program.
        disk_gib: what a program may write, GiB.
        processes: of a program at one time, threads included.
        gpus: 0, or 1 for a GPU a program.
        gpu_slots: programs that may share one GPU.
        charge_gpu_wait: whether waiting for a free GPU counts as charged time.
        exec_store: record: what was executed once is not executed again; replay: nothing is executed.
        exec_store_path: where the store is; null: in the study's folder.
        exec_store_form: files for a network file system.
        params: of the rung (docs/sandbox.md).
    """

    kind: str = "auto"
    require: list[str] = field(default_factory=list)
    warm: bool = True
    min_free_gib: float = 1.0
    weights: str | None = None
    program_time_s: float | None = None
    memory_gib: float = 4.0
    cpu_count: int = 1
    disk_gib: float = 1.0
    processes: int = 512
    gpus: int = 0
    gpu_slots: int = 1
    charge_gpu_wait: bool = False
    exec_store: str = "off"
    exec_store_path: str | None = None
    exec_store_form: str = "sqlite"
    params: dict[str, Any] = field(default_factory=dict)
