"""Leases of GPUs across all processes of a user on a machine, by file locks.

    <scratch>/mlesearch-<uid>/gpu/pool              held for the microseconds of one attempt
    <scratch>/mlesearch-<uid>/gpu/<uuid>-<slot>     held as long as a program has that slot

A lock belongs to an open file, not to a process: whoever holds a descriptor of it holds the lease. The kernel gives it
up when the last one is closed, by whatever death. Nothing is ever cleaned up, and nothing can be left behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlesearch.sandbox import scratch
from mlesearch.sandbox.gpu.devices import Gpu, GpuLease
from mlesearch.storage.locks import lock, try_lock
from mlesearch.types import ConfigError, SandboxUnavailable

POLL_S = (0.005, 0.1)
"""Shortest and longest pause between two attempts."""

MAX_SLOTS = 64


class GpuPool:
    """Leases (GPU, slot), the least used GPU first.

    Args:
        gpus: those that may be leased.
        slots: programs that may share one GPU. A GPU on which another process allows fewer takes no more than those.
        folder: of the lock files, the same for all processes that share the GPUs; None: in the scratch folder.

    Raises:
        ConfigError: `slots` is out of range.
    """

    def __init__(self, gpus: Sequence[Gpu], slots: int = 1, folder: Path | None = None) -> None:
        if not 1 <= slots <= MAX_SLOTS:
            raise ConfigError(f"sandbox.gpu_slots: {slots}; a number from 1 to {MAX_SLOTS} is needed")
        self.gpus = tuple(gpus)
        self.slots = slots
        self._folder = folder
        self._pause = random.Random(os.getpid())  # spreads attempts; no result depends on it

    def made_folder(self) -> Path:
        """The folder of the lock files, made where it is absent.

        Raises:
            SandboxUnavailable: it can't be made.
        """
        path = self._folder or scratch.root() / "gpu"
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SandboxUnavailable(f"gpu: no folder for locks at {path} ({error}); set MLESEARCH_SCRATCH") from error
        return path

    def try_lease(self) -> GpuLease | None:
        """One attempt: a free slot of the GPU with the fewest programs; None where all are taken."""
        folder = self.made_folder()
        with self._alone(folder):
            free: list[tuple[int, int, int]] = []  # (programs on the GPU, its place in the list, slot)
            for place, gpu in enumerate(self.gpus):
                taken, most = self._state(folder, gpu)
                if len(taken) < most:
                    slot = next(n for n in range(MAX_SLOTS) if n not in taken)
                    free.append((len(taken), place, slot))
            for _, place, slot in sorted(free):
                gpu = self.gpus[place]
                fd = _lock(folder / f"{gpu.uuid}-{slot}")
                if fd is not None:
                    os.ftruncate(fd, 0)
                    os.pwrite(fd, json.dumps({"slots": self.slots, "pid": os.getpid()}).encode(), 0)
                    return GpuLease(gpu, slot, fd)
        return None

    def lease(self) -> GpuLease:
        """Wait until a slot is free. The lease says how long that took."""
        began = time.monotonic()
        pause = POLL_S[0]
        while (lease := self.try_lease()) is None:
            time.sleep(pause * self._pause.uniform(0.5, 1.0))
            pause = min(2 * pause, POLL_S[1])
        lease.wait_us = round((time.monotonic() - began) * 1e6)
        return lease

    def held(self) -> list[tuple[Gpu, int]]:
        """(GPU, slot) that are leased at this moment, by anyone."""
        folder = self.made_folder()
        with self._alone(folder):
            return [(gpu, slot) for gpu in self.gpus for slot in sorted(self._state(folder, gpu)[0])]

    def _state(self, folder: Path, gpu: Gpu) -> tuple[set[int], int]:
        """Slots of a GPU that are taken, and how many may be: the least that any holder or this pool allows."""
        taken: set[int] = set()
        most = self.slots
        for path in folder.glob(f"{gpu.uuid}-*"):
            number = path.name.rpartition("-")[2]
            if not number.isdigit():
                continue
            fd = _lock(path)
            if fd is not None:
                os.close(fd)
                continue
            taken.add(int(number))
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                most = min(most, int(json.loads(path.read_text(encoding="utf-8"))["slots"]))
        return taken, most

    @contextlib.contextmanager
    def _alone(self, folder: Path) -> Iterator[None]:
        """No other process is choosing: counting and taking are one step."""
        fd = os.open(folder / "pool", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            lock(fd, folder / "pool")
            yield
        finally:
            os.close(fd)


def _lock(path: Path) -> int | None:
    """A fresh descriptor of the locked file; None where somebody holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if try_lock(fd, path):
            return fd
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None
