"""The `local` rung: Landlock, seccomp, resource limits and a supervisor; no container, no privileges needed."""

from __future__ import annotations

import os
import socket
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlesearch.sandbox import environment, options, packages, scratch, view, weights
from mlesearch.sandbox.input_folders import InputFolders
from mlesearch.sandbox.inside import cgroup, files, landlock
from mlesearch.sandbox.protocol import GIB, MIB, Job, Limits, Slot, Spec
from mlesearch.sandbox.results import report
from mlesearch.sandbox.rungs import kernel, lent, mounts, ways
from mlesearch.sandbox.rungs.forkserver import ForkServer
from mlesearch.types import ExecResult, SandboxUnavailable


@dataclass(slots=True)
class LocalSlot(Slot):
    """A folder that waits for its program.

    Attributes:
        server: that its supervisor was forked from.
        folder: with work, tmp and home in it.
        conn: to its supervisor; closed once the slot is used.
        group: its private control group, where one can be made.
    """

    server: ForkServer
    folder: Path
    conn: socket.socket
    group: cgroup.Group | None


class LocalSandbox:
    """Programs as contained processes of this machine, forked from a process that has imported the usual libraries.

    Args:
        warm: import them once, in a fork server; False: each program imports what it uses.
        require: promises without which nothing is run.
        min_free_bytes: of the scratch folder's file system, below which nothing is run.
        landlock_limit: take the kernel for one with at most this Landlock version (to try older ones).
        private_shm: give each program a /dev/shm of its own where the kernel allows it; without, it has none.
        use_cgroup: put each program into a control group where one can be written; False: the watchdog alone.
        weights_folder: of pretrained weights that programs may read as `weights/`.

    Raises:
        ConfigError: `require` names something that is no promise, or the folder can't be lent.
        SandboxUnavailable: this machine can't keep a promise of `require`.
    """

    name = "local"
    gpu_promise = "gpu_pinned: advisory"

    def __init__(
        self,
        *,
        warm: bool = True,
        require: Sequence[str] = (),
        min_free_bytes: int = GIB,
        landlock_limit: int | None = None,
        private_shm: bool = True,
        use_cgroup: bool = True,
        weights_folder: str | None = None,
    ) -> None:
        options.check_names(require)
        self.warm = warm
        self._min_free = min_free_bytes
        self._private_shm = private_shm
        self._use_cgroup = use_cgroup and bool(cgroup.parents())
        known = landlock.abi()
        self._landlock = known if landlock_limit is None else min(known, landlock_limit)
        self._require = tuple(require)
        self._weights = weights.look(weights_folder)
        self._python = environment.interpreter()
        self._allowed = environment.allowed(self._python)
        self._excluded = environment.excluded(self._python)
        self._lock = threading.RLock()
        self._inputs = InputFolders()
        self._state = _State()
        self._finalizer = weakref.finalize(self, _close, self._state, os.getpid())
        self._refuse_what_is_not_kept()

    def promises(self) -> tuple[str, ...]:
        """What holds on this kernel, as every result states it."""
        return kernel.promised(self._landlock, self._use_cgroup)

    def notes(self) -> tuple[str, ...]:
        """In words, what this kernel leaves to weaker means."""
        return kernel.notes(
            self._landlock,
            self._use_cgroup,
            private_shm=all(server.private_shm for server in self._state.servers.values()),
            own_user=os.geteuid() == 0,
            joblib_reads_proc=environment.joblib_reads_proc(self._python),
        )

    def identity(self) -> Mapping[str, object]:
        """Rung, what it promises, environment digest, warm start, processors of this machine."""
        return {
            "rung": self.name,
            "promises": list(self.promises()),
            "environment": packages.digest(),
            "warm": self.warm,
            "cpu_count": len(os.sched_getaffinity(0)),
            **weights.identity(self._weights),
        }

    def packages(self) -> Mapping[str, str]:
        """Installed packages that a prompt may name, with versions."""
        return packages.prompt_packages()

    def check(self) -> None:
        """Run one small program.

        Raises:
            SandboxUnavailable: the kernel lacks Landlock or seccomp, or the program did not come through.
        """
        self._refuse_what_is_not_kept()
        with self._lock:
            folder = self._owned().slot()
        try:
            (folder / "home").chmod(0o755)
            outbox = folder / "outbox"
            spec = Spec(task="check", input_dir=folder / "home", limits=Limits(memory_bytes=GIB))
            program = "open('submission.csv', 'w').write('id,y\\n')"
            job = Job("check", program, 30.0, outbox)
            result = self.run(self.prepare(spec), job)
        finally:
            files.remove_tree(str(folder))
        if result.reason or result.artefacts["submission.csv"].problem:
            raise SandboxUnavailable(
                f"sandbox local: a trial program failed: {result.status} {result.reason}; see the declared gaps in "
                "docs/sandbox.md"
            )

    def prepare(self, spec: Spec) -> LocalSlot:
        """Make the working folder, and start the fork server where none runs.

        Raises:
            ConfigError: an answer folder holds, or is, something that programs must read.
            SandboxUnavailable: no space, no Landlock, or no fork server.
        """
        self._refuse_what_is_not_kept()
        environment.check_folders(spec, self._allowed, self._excluded)
        self._inputs.check(spec)
        weights.check(self._weights, spec)
        with self._lock:
            owned = self._owned()
            scratch.check_space(self.name, owned.path, self._min_free)
            return self._open_slot(spec)

    def run(self, slot: Slot, job: Job) -> ExecResult:
        """Run one program; when it returns nothing of it is left but the copies in the outbox.

        Raises:
            ConfigError: the data went away meanwhile.
            SandboxUnavailable: the fork server or the supervisor failed, twice.
        """
        with self._lock:
            if not isinstance(slot, LocalSlot) or self._state.slots.pop(id(slot), None) is None:
                raise SandboxUnavailable("sandbox local: a slot serves one program; prepare a new one")
        spec = slot.spec
        try:
            seen = self._ask(slot, job)
            if seen is None and slot.server.ends(within_s=1.0):
                _forget(slot)
                with self._lock:
                    slot = self._open_slot(spec)
                    del self._state.slots[id(slot)]
                seen = self._ask(slot, job)
            if seen is None:
                raise SandboxUnavailable("sandbox local: the supervisor ended without a report")
            shown = view.names_shown(self._python, spec, slot.folder) | weights.shown(self._weights)
            done = report.result(seen, spec, job, slot.folder / "work", shown, self.promises())
            scratch.check_not_full(self.name, slot.folder, self._min_free, done)
            self._inputs.check(spec)
            return done
        finally:
            _forget(slot)

    def close(self) -> None:
        """End the fork servers and remove the scratch folder. The object may be used again afterwards."""
        with self._lock:
            _close(self._state, os.getpid())

    def reap_orphans(self) -> int:
        """Remove the scratch folders and control groups whose orchestrator has died; returns how many folders."""
        cgroup.reap()
        return scratch.reap()

    def _refuse_what_is_not_kept(self) -> None:
        if not self.promises():
            lack = "Landlock (Linux 5.13 or later with `landlock` among its security modules)"
            if self._landlock >= 1:
                lack = "a seccomp filter for this processor; x86_64 and aarch64 are known"
            raise SandboxUnavailable(f"sandbox local: this machine lacks {lack}; use sandbox=docker")
        options.check_kept(self.name, self._require, self.promises())

    def _open_slot(self, spec: Spec) -> LocalSlot:
        """A fresh folder and its supervisor; a server that has died is restarted once."""
        opened = self._ways(spec, self._server(spec.limits.cpu_count, bool(spec.gpus)))
        folder = self._owned().slot()
        group = self._group(spec.limits)
        for last in (False, True):
            server = self._server(spec.limits.cpu_count, bool(spec.gpus))
            try:
                conn = server.submit(self._request(spec, folder, server, opened, group))
            except OSError as error:
                if last or not server.ends(within_s=1.0):
                    if group is not None:
                        group.remove()
                    files.remove_tree(str(folder))
                    raise SandboxUnavailable(f"sandbox local: the fork server does not answer: {error}") from error
                continue
            slot = LocalSlot(spec, server, folder, conn, group)
            self._state.slots[id(slot)] = slot
            return slot
        raise AssertionError("the second attempt returns or raises")

    def _group(self, limits: Limits) -> cgroup.Group | None:
        if not self._use_cgroup:
            return None
        group = cgroup.create(limits.memory_bytes, limits.processes + 64)
        if group is None:
            raise SandboxUnavailable("sandbox local: a control group could be made before, and can't be any more")
        return group

    def _ask(self, slot: LocalSlot, job: Job) -> dict[str, Any] | None:
        """The supervisor's report; None where it has died or does not answer."""
        with slot.conn:
            said = report.ask(slot.conn, job, sorted(os.sched_getaffinity(0)))
        if said is not None and "failed" in said:
            raise SandboxUnavailable(f"sandbox local: {said['failed']}")
        return said

    def _request(
        self, spec: Spec, folder: Path, server: ForkServer, opened: ways.Ways, group: cgroup.Group | None
    ) -> dict[str, Any]:
        limits = spec.limits
        home, tmp = str(folder / "home"), str(folder / "tmp")
        source = os.path.realpath(spec.input_dir)
        serial_joblib = not server.private_shm or environment.joblib_reads_proc(self._python)
        return {
            "owner": os.getpid(),
            "slot": str(folder),
            "work": str(folder / "work"),
            "links": {"input": source, **({} if self._weights is None else {weights.NAME: self._weights.folder})},
            "read_only": [source, *([] if self._weights is None else [self._weights.folder])],
            "read_write": [str(folder / name) for name in ("work", "tmp", "home")],
            "hidden": [os.path.realpath(path) for path in spec.hidden],
            "environment": view.variables(self._python, limits.cpu_count, home, tmp, serial_joblib),
            "uid": ways.lent_user(folder) if os.geteuid() == 0 else None,
            "ways": opened.as_request(),
            "cpu_locks": str(folder.parent.parent / "cpu"),
            "shm_bytes": max(MIB, min(limits.memory_bytes // 4, 256 * MIB)),
            "cgroup": None if group is None else group.as_request(),
            **report.numbers(limits),
        }

    def _owned(self) -> scratch.Owned:
        self._leave_to_the_parent()
        if self._state.owned is None:
            self._state.owned = scratch.Owned()
        return self._state.owned

    def _server(self, cpu_count: int, gpu: bool) -> ForkServer:
        """One for each number of processors; another, that has imported nothing, for programs with a GPU."""
        owned = self._owned()
        server = self._state.servers.get((cpu_count, gpu))
        if server is not None and server.alive:
            return server
        if server is not None:
            server.close()
        python = self._python
        config = {
            "site": list(python.site),
            "prefix": python.prefix,
            "preload": list(packages.PRELOAD) if self.warm and not gpu else [],
            "allow": [*self._allowed, *(environment.allowed_with_gpu() if gpu else [])],
            "excluded": self._excluded,
            "landlock": self._landlock,
            "private_shm": self._private_shm,
        }
        variables = {
            **view.variables(python, cpu_count, "/nonexistent", "/tmp", environment.joblib_reads_proc(python)),
            "JE_ARROW_MALLOC_CONF": "background_thread:false",  # the server must have one thread only
        }
        server = ForkServer(python.executable, config, variables, owned.path / f"server-{cpu_count}-{int(gpu)}.log")
        self._state.servers[cpu_count, gpu] = server
        return server

    def _leave_to_the_parent(self) -> None:
        """In a fork of the orchestrator: what is warm belongs to the parent."""
        if self._state.pid != os.getpid():
            self._state = _State()
            self._finalizer.detach()
            self._finalizer = weakref.finalize(self, _close, self._state, os.getpid())

    def _ways(self, spec: Spec, server: ForkServer) -> ways.Ways:
        """What root opens on the way to what another user must read.

        Raises:
            ConfigError, SandboxUnavailable: it can't be read by others, and can't be opened here; the text says how.
        """
        if os.geteuid() != 0:
            return ways.Ways()
        lent.check_readable(spec, self._weights)
        python = self._python
        must = [python.executable, python.stdlib, *python.site, str(spec.input_dir)]
        must += [] if self._weights is None else [self._weights.folder]
        may = [*(path for path, _ in self._allowed), str(scratch.root())]
        real_must, real_may = ([os.path.realpath(path) for path in paths] for paths in (must, may))
        found = ways.look(real_must, real_may, mounts.links(python))
        if found.closed and not server.own_mounts:
            raise ways.refuse(found)
        return found


@dataclass(slots=True)
class _State:
    """What is warm, apart from the object, so that it can be given up when the object is collected."""

    pid: int = field(default_factory=os.getpid)
    servers: dict[tuple[int, bool], ForkServer] = field(default_factory=dict)
    slots: dict[int, LocalSlot] = field(default_factory=dict)
    owned: scratch.Owned | None = None


def _close(state: _State, pid: int) -> None:
    if state.pid != pid or os.getpid() != pid:
        return
    for slot in state.slots.values():
        slot.conn.close()  # its supervisor ends, and removes the folder
    state.slots.clear()
    for server in state.servers.values():
        server.close()
    state.servers.clear()
    if state.owned is not None:
        state.owned.remove()
        state.owned = None


def _forget(slot: LocalSlot) -> None:
    """Its program has ended, and all that it started."""
    files.remove_tree(str(slot.folder))
    if slot.group is not None:
        slot.group.remove()


def make(params: Mapping[str, object]) -> LocalSandbox:
    """Build it from configuration.

    Args:
        params: see `options.parse`.

    Raises:
        ConfigError: an unknown key or a value that is not allowed.
    """
    chosen = options.parse("local", params)
    return LocalSandbox(
        warm=chosen.warm,
        require=chosen.require,
        min_free_bytes=chosen.min_free_bytes,
        weights_folder=chosen.weights,
    )
