"""The `local` rung: Landlock, seccomp, resource limits and a supervisor; no container, no privileges needed."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlesearch.sandbox import artefacts, environment, files, landlock, messages, scratch, seccomp, verdict
from mlesearch.sandbox.forkserver import ForkServer
from mlesearch.sandbox.protocol import GIB, MIB, PROMISES, Job, Limits, Slot, Spec
from mlesearch.types import ConfigError, ExecResult, SandboxUnavailable

IN_FORCE = (
    "net_off",
    "data_read_only",
    "answers_absent",
    "memory_hard: advisory",
    "oom_signal: advisory",
    "tree_kill",
    "disk_bound",
)
_MIN_FREE = GIB


@dataclass(slots=True)
class LocalSlot(Slot):
    """A folder that waits for its program.

    Attributes:
        server: that its supervisor was forked from.
        folder: with work, tmp and home in it.
        conn: to its supervisor; closed once the slot is used.
    """

    server: ForkServer
    folder: Path
    conn: socket.socket


class LocalSandbox:
    """Programs as contained processes of this machine, forked from a process that has imported the usual libraries.

    Args:
        warm: import them once, in a fork server; False: each program imports what it uses.
        require: promises without which nothing is run.
        min_free_bytes: of the scratch folder's file system, below which nothing is run.
        landlock_limit: take the kernel for one with at most this Landlock version (to try older ones).
        private_shm: give each program a /dev/shm of its own where the kernel allows it; without, it has none.

    Raises:
        ConfigError: `require` names something that is no promise.
        SandboxUnavailable: this machine can't keep a promise of `require`.
    """

    name = "local"
    gpu_promise = "gpu_pinned: advisory"

    def __init__(
        self,
        *,
        warm: bool = True,
        require: Sequence[str] = (),
        min_free_bytes: int = _MIN_FREE,
        landlock_limit: int | None = None,
        private_shm: bool = True,
    ) -> None:
        for promise in require:
            if promise not in PROMISES and promise not in IN_FORCE:
                raise ConfigError(f"sandbox.require: {promise!r} is no promise; allowed: {', '.join(PROMISES)}")
        self.warm = warm
        self._min_free = min_free_bytes
        self._private_shm = private_shm
        kernel = landlock.abi()
        self._landlock = kernel if landlock_limit is None else min(kernel, landlock_limit)
        self._require = tuple(require)
        self._python = environment.interpreter()
        self._allowed = environment.allowed(self._python)
        self._excluded = environment.excluded(self._python)
        self._lock = threading.RLock()
        self._state = _State()
        self._finalizer = weakref.finalize(self, _close, self._state, os.getpid())
        self._refuse_what_is_not_kept()

    def promises(self) -> tuple[str, ...]:
        """What holds on this kernel, as every result states it."""
        return IN_FORCE if self._landlock >= 1 and seccomp.supported() else ()

    def notes(self) -> tuple[str, ...]:
        """In words, what this kernel leaves to weaker means."""
        said = []
        if self._landlock < 6:
            said.append(
                f"Landlock {self._landlock} has no signal scope (Linux 6.12 has): a seccomp filter lets a program "
                "signal itself and its process group only, so its worker processes can't be terminated one by one"
            )
        if self._landlock < 3:
            said.append(
                f"Landlock {self._landlock} does not know truncation (Linux 6.2 does): a seccomp filter refuses it "
                "by path"
            )
        if self._landlock < 2:
            said.append("Landlock 1 refuses to move files between folders (Linux 5.19 allows it)")
        if any(not server.private_shm for server in self._state.servers.values()):
            said.append(
                "no mount namespace is allowed here, so programs have no /dev/shm: joblib runs serially and "
                "multiprocessing has no locks"
            )
        if not self._may_change_uid() and os.geteuid() == 0:
            said.append("programs keep uid 0 without any capability, since no other user can reach the interpreter")
        return tuple(said)

    def identity(self) -> Mapping[str, object]:
        """Rung, what it promises, environment digest, warm start, processors of this machine."""
        return {
            "rung": self.name,
            "promises": list(self.promises()),
            "environment": environment.digest(),
            "warm": self.warm,
            "cpu_count": len(os.sched_getaffinity(0)),
        }

    def packages(self) -> Mapping[str, str]:
        """Installed packages that a prompt may name, with versions."""
        return environment.prompt_packages()

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
            raise SandboxUnavailable(f"sandbox local: a trial program failed: {result.status} {result.reason}")

    def prepare(self, spec: Spec) -> LocalSlot:
        """Make the working folder, and start the fork server where none runs.

        Raises:
            ConfigError: an answer folder holds, or is, something that programs must read.
            SandboxUnavailable: no space, no Landlock, or no fork server.
        """
        self._refuse_what_is_not_kept()
        environment.check_folders(spec, self._allowed, self._excluded)
        with self._lock:
            owned = self._owned()
            free = shutil.disk_usage(owned.path).free
            if free < self._min_free:
                raise SandboxUnavailable(
                    f"sandbox local: only {free // MIB} MiB are free at {owned.path.parent}; "
                    f"at least {self._min_free // MIB} MiB are needed: free some or set MLESEARCH_SCRATCH"
                )
            return self._open_slot(spec)

    def run(self, slot: Slot, job: Job) -> ExecResult:
        """Run one program; when it returns nothing of it is left but the copies in the outbox.

        Raises:
            SandboxUnavailable: the fork server or the supervisor failed, twice.
        """
        with self._lock:
            if not isinstance(slot, LocalSlot) or self._state.slots.pop(id(slot), None) is None:
                raise SandboxUnavailable("sandbox local: a slot serves one program; prepare a new one")
        spec = slot.spec
        try:
            seen = self._ask(slot, job)
            if seen is None and slot.server.ends(within_s=1.0):
                files.remove_tree(str(slot.folder))
                with self._lock:
                    slot = self._open_slot(spec)
                    del self._state.slots[id(slot)]
                seen = self._ask(slot, job)
            if seen is None:
                raise SandboxUnavailable("sandbox local: the supervisor ended without a report")
            scrub = verdict.Scrubber.of(environment.names_shown(self._python, spec, slot.folder))
            stdout, stderr = (verdict.captured(stream, scrub) for stream in seen["streams"])
            status, reason = verdict.judge(seen, stderr, _numbers(spec.limits))
            left = artefacts.collect(slot.folder / "work", job.collect, job.outbox, spec.limits.file_bytes)
            return ExecResult(
                status=status,
                exit_code=seen["exit_code"],
                signal=seen["signal"],
                wall_us=seen["wall_us"],
                cpu_us=seen["cpu_us"],
                peak_memory_bytes=seen["peak_memory_bytes"],
                stdout=stdout,
                stderr=stderr,
                reason=reason,
                artefacts=left,
                promises=self.promises(),
            )
        finally:
            files.remove_tree(str(slot.folder))

    def close(self) -> None:
        """End the fork servers and remove the scratch folder. The object may be used again afterwards."""
        with self._lock:
            _close(self._state, os.getpid())

    def reap_orphans(self) -> int:
        """Remove the scratch folders whose orchestrator has died; returns how many."""
        return scratch.reap()

    def _refuse_what_is_not_kept(self) -> None:
        if not self.promises():
            lack = "Landlock (Linux 5.13 or later with `landlock` among its security modules)"
            if self._landlock >= 1:
                lack = "a seccomp filter for this processor; x86_64 and aarch64 are known"
            raise SandboxUnavailable(f"sandbox local: this machine lacks {lack}; use sandbox=docker")
        for promise in self._require:
            if promise not in self.promises():
                raise SandboxUnavailable(
                    f"sandbox local: sandbox.require asks for {promise}, which this machine does not promise; "
                    f"it promises: {', '.join(self.promises())}"
                )

    def _open_slot(self, spec: Spec) -> LocalSlot:
        """A fresh folder and its supervisor; a server that has died is restarted once."""
        folder = self._owned().slot()
        for last in (False, True):
            server = self._server(spec.limits.cpu_count, bool(spec.gpus))
            try:
                conn = server.submit(self._request(spec, folder, server.private_shm))
            except OSError as error:
                if last or not server.ends(within_s=1.0):
                    files.remove_tree(str(folder))
                    raise SandboxUnavailable(f"sandbox local: the fork server does not answer: {error}") from error
                continue
            slot = LocalSlot(spec, server, folder, conn)
            self._state.slots[id(slot)] = slot
            return slot
        raise AssertionError("the second attempt returns or raises")

    def _ask(self, slot: LocalSlot, job: Job) -> dict[str, Any] | None:
        """The supervisor's report; None where it has died."""
        with slot.conn:
            try:
                messages.send(
                    slot.conn,
                    {
                        "program": job.program,
                        "deadline_s": job.deadline_s,
                        "cpus": sorted(os.sched_getaffinity(0)),
                        "environment": {} if job.gpu is None else dict(job.gpu.environment()),
                        "lease": job.gpu is not None,
                    },
                )
                if job.gpu is not None:
                    messages.send_descriptor(slot.conn, job.gpu.fd)
                report = messages.receive(slot.conn)
            except OSError:
                report = None
        if report is not None and "failed" in report:
            raise SandboxUnavailable(f"sandbox local: {report['failed']}")
        return report

    def _request(self, spec: Spec, folder: Path, private_shm: bool) -> dict[str, Any]:
        limits = spec.limits
        home, tmp = str(folder / "home"), str(folder / "tmp")
        source = os.path.realpath(spec.input_dir)
        return {
            "owner": os.getpid(),
            "slot": str(folder),
            "work": str(folder / "work"),
            "input": source,
            "read_only": [source],
            "read_write": [str(folder / name) for name in ("work", "tmp", "home")],
            "hidden": [os.path.realpath(path) for path in spec.hidden],
            "environment": environment.variables(self._python, limits.cpu_count, home, tmp, not private_shm),
            "uid": self._uid(spec),
            "cpu_locks": str(folder.parent.parent / "cpu"),
            "shm_bytes": max(MIB, min(limits.memory_bytes // 4, 256 * MIB)),
            **_numbers(limits),
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
            "preload": list(environment.PRELOAD) if self.warm and not gpu else [],
            "allow": [*self._allowed, *(environment.allowed_with_gpu() if gpu else [])],
            "excluded": self._excluded,
            "landlock": self._landlock,
            "private_shm": self._private_shm,
        }
        variables = {
            **environment.variables(python, cpu_count, "/nonexistent", "/tmp", False),
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

    def _may_change_uid(self) -> bool:
        if os.geteuid() != 0:
            return False
        needed = (self._python.executable, self._python.stdlib, *self._python.site)
        return all(environment.reachable_by_others(path) for path in needed)

    def _uid(self, spec: Spec) -> int | None:
        """A user that owns nothing, where root can lend one that reaches interpreter, data and scratch folder."""
        if not self._may_change_uid() or not environment.reachable_by_others(str(spec.input_dir)):
            return None
        return 50_000 + threading.get_native_id() % 15_000


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


def _numbers(limits: Limits) -> dict[str, int]:
    return {
        "memory_bytes": limits.memory_bytes,
        "cpu_count": limits.cpu_count,
        "disk_bytes": limits.disk_bytes,
        "file_bytes": limits.file_bytes,
        "output_bytes": limits.output_bytes,
        "processes": limits.processes,
    }


def make(params: Mapping[str, object]) -> LocalSandbox:
    """Build it from configuration.

    Args:
        params: `warm` ("on" or "off", or a bool) and `require` (a list of promises).

    Raises:
        ConfigError: an unknown key or a value that is not allowed.
    """
    for key in params:
        if key not in ("warm", "require"):
            raise ConfigError(f"sandbox.{key}: unknown for the rung local; allowed: warm, require")
    warm = params.get("warm", "on")
    if warm not in ("on", "off", True, False):
        raise ConfigError(f"sandbox.warm: {warm!r} is not allowed; use on or off")
    require = params.get("require", ())
    if not isinstance(require, Sequence) or isinstance(require, str) or not all(isinstance(x, str) for x in require):
        raise ConfigError(f"sandbox.require: {require!r} is not a list of promises; allowed: {', '.join(PROMISES)}")
    return LocalSandbox(warm=warm in ("on", True), require=tuple(require))
