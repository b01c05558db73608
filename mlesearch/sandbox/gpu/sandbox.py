"""A rung whose programs get a GPU each: waits for a lease, runs, meters. The rung itself does the pinning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mlesearch.sandbox.gpu import devices
from mlesearch.sandbox.gpu.devices import Gpu, Inventory
from mlesearch.sandbox.gpu.pool import GpuPool
from mlesearch.sandbox.protocol import Job, Sandbox, Slot, Spec
from mlesearch.types import ConfigError, ExecResult


class GpuSandbox:
    """Gives every program of a spec with `gpus=1` a GPU to itself, or a share of one.

    The time spent waiting for a GPU stands beside the run time in every result; it is charged only where asked.

    Args:
        inner: the rung that runs programs. Its attribute `gpu_promise` says how it pins.
        slots: programs that may share one GPU. Nothing bounds what each takes of its memory.
        charge_wait: count waiting as charged time.
        inventory: what there is; None: what nvidia-smi says.
        pool: where leases are taken; None: the one that all processes of this user share.

    Raises:
        ConfigError: no GPU, GPUs that differ, or a rung that gives programs none.
    """

    def __init__(
        self,
        inner: Sandbox,
        *,
        slots: int = 1,
        charge_wait: bool = False,
        inventory: Inventory | None = None,
        pool: GpuPool | None = None,
    ) -> None:
        found = devices.inventory() if inventory is None else inventory
        self.promise = str(getattr(inner, "gpu_promise", ""))
        if not self.promise:
            raise ConfigError(f"sandbox.gpus: the rung {inner.name} gives programs no GPU; set sandbox.gpus=0")
        if not found.gpus:
            raise ConfigError(
                f"sandbox.gpus: a GPU is asked for and none is seen here: {found.said}; "
                "set sandbox.gpus=0, or run where there is one (see: mlesearch doctor)"
            )
        self.gpu = alike(found.gpus)
        self.pool = pool or GpuPool(found.gpus, slots)
        self.inner = inner
        self._slots = slots
        self._charge_wait = charge_wait

    @property
    def name(self) -> str:
        """The rung's."""
        return self.inner.name

    def identity(self) -> Mapping[str, object]:
        """The rung's, with the GPU and the terms of sharing it."""
        inner = self.inner.identity()
        promises = inner.get("promises", ())
        known = [str(p) for p in promises] if isinstance(promises, list | tuple) else []
        return {
            **inner,
            "promises": [*known, *([] if self.promise in known else [self.promise])],
            "gpu": {
                "count": 1,
                "name": self.gpu.name,
                "memory_mib": self.gpu.memory_mib,
                "slots": self._slots,
                "wait_charged": self._charge_wait,
            },
        }

    def packages(self) -> Mapping[str, str]:
        """The rung's."""
        return self.inner.packages()

    def check(self) -> None:
        """The rung's."""
        self.inner.check()

    def prepare(self, spec: Spec) -> Slot:
        """The rung's; no GPU is taken while a model thinks.

        Raises:
            SandboxUnavailable: the rung's, or there is no place for the locks.
        """
        if spec.gpus:
            self.pool.made_folder()  # now: a failure in `run` would leave the slot behind
        return self.inner.prepare(spec)

    def run(self, slot: Slot, job: Job) -> ExecResult:
        """Wait for a GPU, run the program with it, and state both times."""
        if not slot.spec.gpus:
            return self.inner.run(slot, job)
        lease = self.pool.lease()
        try:
            result = self.inner.run(slot, replace(job, gpu=lease))
        finally:
            lease.close()
        promises = result.promises if self.promise in result.promises else (*result.promises, self.promise)
        return replace(
            result,
            gpu_us=result.wall_us,
            gpu_wait_us=lease.wait_us,
            gpu_wait_charged=self._charge_wait,
            promises=promises,
        )

    def close(self) -> None:
        """The rung's."""
        self.inner.close()

    def reap_orphans(self) -> int:
        """The rung's; leases need no reaping."""
        return self.inner.reap_orphans()


def alike(found: tuple[Gpu, ...]) -> Gpu:
    """One GPU that stands for all.

    Raises:
        ConfigError: they differ in model or memory, so that runs on them could not be compared.
    """
    kinds = {(g.name, g.memory_mib): g for g in reversed(found)}
    if len(kinds) > 1:
        words = "; ".join(f"{g.name} (index {g.index})" for g in sorted(kinds.values(), key=lambda g: g.index))
        raise ConfigError(
            f"sandbox.gpus: the GPUs of this machine differ, so runs on them could not be compared: {words}; "
            "choose with the variable CUDA_VISIBLE_DEVICES"
        )
    return found[0]
