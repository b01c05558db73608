"""What the rungs with namespaces of their own share on the orchestrator's side: slots, warm pools, runs, verdicts."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlesearch.sandbox import environment, options, packages, scratch, view, weights
from mlesearch.sandbox.environment import Interpreter
from mlesearch.sandbox.gpu.devices import GpuLease
from mlesearch.sandbox.input_folders import InputFolders
from mlesearch.sandbox.inside import cgroup, cpus, files
from mlesearch.sandbox.protocol import GIB, Job, Limits, Slot, Spec
from mlesearch.sandbox.results import report
from mlesearch.sandbox.rungs.box import INSIDE, Box, BoxedSlot, Places
from mlesearch.types import ExecResult, SandboxUnavailable

IDLE = 4
"""Warm workers that wait at most, for all specs together."""


@dataclass(slots=True)
class _State:
    """What is open, apart from the object, so that it can be given up when the object is collected."""

    pid: int = field(default_factory=os.getpid)
    slots: dict[int, BoxedSlot] = field(default_factory=dict)  # handed out and not yet used
    promised: dict[int, Slot] = field(default_factory=dict)  # handed out, to be started once their GPU is known
    idle: list[BoxedSlot] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    owned: scratch.Owned | None = None
    closed: bool = False


class BoxedRung(ABC):
    """Base of the rungs whose supervisor is the first process of a namespace.

    A rung says what it needs to start a sandbox (`_launch`), which interpreter runs in it, and what it promises.

    Args:
        warm: start sandboxes ahead that have imported the usual libraries; False: each program imports what it uses.
        require: promises without which nothing is run.
        min_free_bytes: of the scratch folder's file system, below which nothing is run.
        weights_folder: of pretrained weights that programs may read as `weights/`.
    """

    name = ""
    remedy = "see the declared gaps in docs/sandbox.md"
    """What to do where a trial program does not come through."""
    gpu_promise = "gpu_pinned"

    def __init__(
        self,
        *,
        warm: bool = True,
        require: Sequence[str] = (),
        min_free_bytes: int = GIB,
        weights_folder: str | None = None,
    ) -> None:
        options.check_names(require)
        self.warm = warm
        self._require = tuple(require)
        self._weights = weights.look(weights_folder)
        self._min_free = min_free_bytes
        self._lock = threading.RLock()
        self._inputs = InputFolders()
        self._state = _State()
        self._finalizer = weakref.finalize(self, _close, self._state)
        _rungs.add(self)

    # --- what a rung adds --------------------------------------------------------------------------------------

    @abstractmethod
    def promises(self) -> tuple[str, ...]:
        """What holds on this machine, as every result states it."""

    def packages(self) -> Mapping[str, str]:
        """Installed packages that a prompt may name, with versions."""
        return packages.prompt_packages()

    @abstractmethod
    def _launch(self, spec: Spec, folder: Path, warm: bool, gpu: GpuLease | None) -> Box:
        """Start a sandbox on a fresh folder, with that GPU alone. It must clean up after itself when it fails."""

    def _interpreter(self) -> Interpreter:
        return environment.interpreter()

    def _environment(self) -> str:
        return packages.digest()

    def _check_folders(self, spec: Spec) -> None:
        """Whether the task's folders can be served.

        Raises:
            ConfigError: they can't.
        """
        python = self._interpreter()
        environment.check_folders(spec, environment.allowed(python), environment.excluded(python))

    # --- the protocol ------------------------------------------------------------------------------------------

    def identity(self) -> Mapping[str, object]:
        """Rung, what it promises, environment digest, warm start, processors of this machine."""
        return {
            "rung": self.name,
            "promises": list(self.promises()),
            "environment": self._environment(),
            "warm": self.warm,
            "cpu_count": len(os.sched_getaffinity(0)),
            **weights.identity(self._weights),
        }

    def check(self) -> None:
        """Run one small program.

        Raises:
            SandboxUnavailable: it did not come through.
        """
        options.check_kept(self.name, self._require, self.promises())
        scratch.check_space(self.name, self._owned().path, self._min_free)
        folder = self._owned().slot()
        try:
            (folder / "home").chmod(0o755)
            spec = Spec(task="check", input_dir=folder / "home", limits=Limits(memory_bytes=GIB))
            program = "open('submission.csv', 'w').write('id,y\\n')"
            seen = self.run(self._open_slot(spec, False), Job("check", program, 30.0, folder / "outbox"), refill=False)
        except SandboxUnavailable as error:
            raise SandboxUnavailable(f"{error}; {self.remedy}") from error
        finally:
            files.remove_tree(str(folder))
        if seen.reason or seen.artefacts["submission.csv"].problem:
            raise SandboxUnavailable(
                f"sandbox {self.name}: a trial program failed: {seen.status} {seen.reason}; {self.remedy}"
            )

    def prepare(self, spec: Spec) -> Slot:
        """Take a warm sandbox, or start one; one with a GPU is started by `run`, which is told the GPU.

        Raises:
            ConfigError: an answer folder holds, or is, something that programs must read.
            SandboxUnavailable: no space, a promise that isn't kept, or the sandbox can't be started.
        """
        options.check_kept(self.name, self._require, self.promises())
        self._check_folders(spec)
        self._inputs.check(spec)
        weights.check(self._weights, spec)
        owned = self._owned()
        scratch.check_space(self.name, owned.path, self._min_free)
        if spec.gpus:
            slot = Slot(spec)
            with self._lock:
                self._state.promised[id(slot)] = slot
            return slot
        while True:
            with self._lock:
                waiting = next((slot for slot in self._state.idle if slot.spec == spec), None)
                if waiting is None:
                    break
                self._state.idle.remove(waiting)
                self._state.slots[id(waiting)] = waiting
            if not select.select([waiting.box.conn], [], [], 0)[0]:
                return waiting
            self._discard(waiting)  # it has died while it waited
        return self._open_slot(spec, self.warm)

    def run(self, slot: Slot, job: Job, refill: bool = True) -> ExecResult:
        """Run one program; when it returns nothing of it is left but the copies in the outbox.

        Args:
            slot: prepared, not yet used.
            job: the program.
            refill: start the next warm sandbox afterwards, where this rung is warm.

        Raises:
            ConfigError: the data went away meanwhile.
            SandboxUnavailable: the sandbox itself failed.
        """
        slot = self._taken(slot, job)
        try:
            seen = self._ask(slot, job)
            slot.box.end()
            places = self._places(slot.spec, slot.folder)
            python = self._interpreter()
            shown = view.names_shown(python, slot.spec, slot.folder)
            shown |= view.names_shown(python, slot.spec, Path(places.folder))
            shown |= {places.input: "input", **weights.shown(self._weights, places.weights), **slot.box.names()}
            shown = view.with_roots_of_mounts(shown)
            done = report.result(seen, slot.spec, job, slot.folder / "work", shown, self.promises())
            scratch.check_not_full(self.name, slot.folder, self._min_free, done)
            self._inputs.check(slot.spec)
            return done
        finally:
            self._discard(slot)
            if refill and self.warm and not slot.spec.gpus:
                self._refill(slot.spec)

    def close(self) -> None:
        """End all sandboxes that wait and remove the scratch folder. The object may be used again afterwards."""
        with self._lock:
            state, self._state = self._state, _State()
            self._finalizer.detach()
            self._finalizer = weakref.finalize(self, _close, self._state)
        _close(state)

    def reap_orphans(self) -> int:
        """Remove the scratch folders and control groups whose orchestrator has died; returns how many folders."""
        cgroup.reap()
        return scratch.reap()

    # --- within ------------------------------------------------------------------------------------------------

    def _taken(self, slot: Slot, job: Job) -> BoxedSlot:
        """The sandbox of a slot, which can't be had again."""
        with self._lock:
            if self._state.promised.get(id(slot)) is slot:
                del self._state.promised[id(slot)]
            elif isinstance(slot, BoxedSlot) and self._state.slots.get(id(slot)) is slot:
                del self._state.slots[id(slot)]
                return slot
            else:
                raise SandboxUnavailable(f"sandbox {self.name}: a slot serves one program; prepare a new one")
        if job.gpu is None:
            raise SandboxUnavailable(f"sandbox {self.name}: a program with a GPU needs the lease of one")
        return self._started(slot.spec, False, self._owned(), job.gpu)

    def _ask(self, slot: BoxedSlot, job: Job) -> dict[str, Any]:
        """The supervisor's report."""
        began = time.monotonic()
        said = slot.wait_until_ready()
        if said is None or "failed" in said:
            return self._ended(slot, said, began)
        leased, held = cpus.lease(
            sorted(os.sched_getaffinity(0)), slot.spec.limits.cpu_count, str(slot.folder.parent.parent / "cpu")
        )
        try:
            said = report.ask(slot.box.conn, job, leased)
        finally:
            for fd in held:
                os.close(fd)
        return self._ended(slot, said, began) if said is None or "failed" in said else said

    def _ended(self, slot: BoxedSlot, said: dict[str, Any] | None, began: float) -> dict[str, Any]:
        """The report in place of a supervisor that gave none.

        Raises:
            SandboxUnavailable: it did not end for memory.
        """
        if said is None:
            if slot.box.ran_out_of_memory():
                return report.killed_for_memory(slot.spec.limits, time.monotonic() - began)
            words = slot.box.last_words()
            raise SandboxUnavailable(f"sandbox {self.name}: it ended without a report{words and f': {words}'}")
        raise SandboxUnavailable(f"sandbox {self.name}: {said['failed']}")

    def _places(self, spec: Spec, folder: Path) -> Places:
        """Where a program finds its folders."""
        return INSIDE

    def _message(self, spec: Spec, warm: bool, config: Mapping[str, object], places: Places = INSIDE) -> dict[str, Any]:
        """What the supervisor is told."""
        python, limits = self._interpreter(), spec.limits
        return {
            "request": {
                "work": places.work,
                "read_write": [places.work, places.tmp, places.home],
                "memory_folders": list(places.memory),
                "environment": self._variables(limits, places),
                "uid": None,
                "private_shm": bool(places.memory),
                "preload": list(packages.PRELOAD) if warm else [],
                **report.numbers(limits),
            },
            "config": {"site": list(python.site), "prefix": python.prefix, **config},
        }

    def _variables(self, limits: Limits, places: Places = INSIDE) -> dict[str, str]:
        return view.variables(self._interpreter(), limits.cpu_count, places.home, places.tmp, False)

    def _open_slot(self, spec: Spec, warm: bool) -> BoxedSlot:
        slot = self._started(spec, warm, self._owned())
        with self._lock:
            self._state.slots[id(slot)] = slot
        return slot

    def _started(self, spec: Spec, warm: bool, owned: scratch.Owned, gpu: GpuLease | None = None) -> BoxedSlot:
        folder = owned.slot()
        try:
            places = self._places(spec, folder)
            os.symlink(places.input, folder / "work" / "input")
            if self._weights is not None:
                os.symlink(places.weights, folder / "work" / weights.NAME)
            box = self._launch(spec, folder, warm, gpu)
        except OSError as error:
            files.remove_tree(str(folder))
            raise SandboxUnavailable(f"sandbox {self.name}: it can't be started: {error}") from error
        except BaseException:
            files.remove_tree(str(folder))
            raise
        return BoxedSlot(spec, box, folder, warm)

    def _refill(self, spec: Spec) -> None:
        """Start the next warm sandbox aside, while the caller goes on."""
        state, owned = self._state, self._owned()

        def start() -> None:
            with contextlib.suppress(SandboxUnavailable, OSError):  # the next `prepare` tries again, and reports
                slot = self._started(spec, True, owned)
                surplus: list[BoxedSlot] = []
                with self._lock:
                    if state.closed or state is not self._state:
                        surplus.append(slot)
                    else:
                        state.idle.append(slot)
                        while len(state.idle) > IDLE:
                            surplus.append(state.idle.pop(0))
                for unused in surplus:
                    self._discard(unused)
                slot.wait_until_ready()

        with self._lock:
            if state.closed:
                return
            state.threads = [thread for thread in state.threads if thread.is_alive()]
            thread = threading.Thread(target=start, name=f"{self.name}-refill", daemon=True)
            state.threads.append(thread)
            thread.start()

    def _discard(self, slot: BoxedSlot) -> None:
        with self._lock:
            self._state.slots.pop(id(slot), None)
        _end(slot)

    def _owned(self) -> scratch.Owned:
        with self._lock:
            if self._state.owned is None:
                self._state.owned = scratch.Owned(self.name)
            return self._state.owned

    def _afresh(self) -> None:
        """In a fork of the orchestrator: what is open belongs to the parent, and locks may be held for ever."""
        self._lock = threading.RLock()
        self._state = _State()
        self._finalizer.detach()
        self._finalizer = weakref.finalize(self, _close, self._state)


_rungs: weakref.WeakSet[BoxedRung] = weakref.WeakSet()


def _after_fork() -> None:
    for rung in list(_rungs):
        rung._afresh()


os.register_at_fork(after_in_child=_after_fork)


def _end(slot: BoxedSlot) -> None:
    with contextlib.suppress(SandboxUnavailable):  # a daemon that is gone; the box ends with its socket all the same
        slot.box.end()
    files.remove_tree(str(slot.folder))


def _end_all(state: _State) -> None:
    for slot in (*state.slots.values(), *state.idle):
        _end(slot)
    state.slots.clear()
    state.idle.clear()


def _close(state: _State) -> None:
    if state.pid != os.getpid():
        return
    state.closed = True
    _end_all(state)  # first, so that no thread goes on waiting for one
    for thread in state.threads:
        if thread is not threading.current_thread():
            thread.join()
    _end_all(state)
    if state.owned is not None:
        state.owned.remove()
        state.owned = None
