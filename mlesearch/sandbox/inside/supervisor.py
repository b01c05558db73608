"""The supervisor: one for each run of a program. Standard library only, since it runs in the fork server's process.

A supervisor watches its program (deadline, memory, tasks, disk, output), is the subreaper of all that the program
starts, and holds one end of a socket whose other end is the orchestrator: when that one goes away, by whatever means,
the supervisor kills the tree, removes the working folder and ends.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import resource
import select
import socket
import time
from typing import Any, NoReturn

from . import cgroup, contain, cpus, files, program, tree
from .messages import receive, receive_descriptor, send
from .program import Begin
from .pump import Pump
from .watchdog import Watchdog

TICK_S = 0.05
GRACE_S = 1.0  # helpers such as a resource tracker end by themselves shortly after the main process
Grants = list[tuple[int, int, bool]]
"""(descriptor opened with O_PATH, rights, is a folder): the part of the allow-list that all programs share."""


class Run:
    """One program from its fork to the message that says how it ended.

    As it stands it serves the rung `local`; `init.BoxedRun` changes what differs where it is the first process of a
    namespace.
    """

    def __init__(self, conn: socket.socket, request: dict[str, Any], config: dict[str, Any], grants: Grants) -> None:
        self.conn, self.request, self.config, self.grants = conn, request, config, grants
        self.status: int | None = None  # of the main process, as waitpid gives it
        self.counters = cgroup.Counters.of(request.get("cgroup"))

    def supervise(self) -> Begin | None:
        """Get everything ready, wait for the program, run it and report.

        Returns:
            In the program's own process the program, which is to be begun when this object has gone; else None.
        """
        self._furnish()
        self.pumps = [Pump(self.request["output_bytes"]), Pump(self.request["output_bytes"])]
        ready_read, ready_write = os.pipe()
        job_read, job_write = os.pipe()
        self.main = os.fork()
        if self.main == 0:
            return self._program_process(job_read, ready_write)
        os.close(job_read)
        os.close(ready_write)
        self._enter_cgroup()
        for pump in self.pumps:
            pump.start()
        self.owner_fd = self._owner()
        self.cpu_before_us = self._wait_until_contained(ready_read)
        self.watchdog = Watchdog(self.request, self._memory_folders(), self.counters, self.main, self._memory_before())
        job = self._wait_for_job()
        self._start(job, job_write, ready_read)
        left = self._watch()
        ended = time.monotonic() if self.ended is None else self.ended
        tree.kill_all(os.getpid())
        self._drain()
        self.watchdog.look_back(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
        send(self.conn, self._report(ended, left))
        return None

    def _furnish(self) -> None:
        """Fill the working folder. Its owner is whom the program will run as."""
        for name, target in self.request["links"].items():
            os.symlink(target, os.path.join(self.request["work"], name))
        if self.request["uid"] is not None:
            for owned in self.request["read_write"]:
                os.chown(owned, self.request["uid"], self.request["uid"])

    def _enter_cgroup(self) -> None:
        for folder in (self.request.get("cgroup") or {}).get("folders", ()):
            cgroup.enter(folder, self.main)

    def _owner(self) -> int:
        """A descriptor that becomes readable when the orchestrator has ended."""
        return os.pidfd_open(self.request["owner"])

    def _cpus(self, job: dict[str, Any]) -> list[int]:
        return cpus.lease(job["cpus"], self.request["cpu_count"], self.request["cpu_locks"])[0]

    def _wait_until_contained(self, ready_read: int) -> int:
        """Until the process that waits for the program is harmless; returns the processor time that this took."""
        watched = [ready_read, self.owner_fd, self.conn.fileno()]
        said = b""
        while not said.endswith(b"\n"):
            ready = select.select(watched, [], [])[0]
            if self.owner_fd in ready:
                self._orphaned()
            if self.conn.fileno() in ready:
                if not self.conn.recv(1, socket.MSG_PEEK):
                    self._orphaned()
                watched.pop()  # its job is there already
            elif more := os.read(ready_read, 4096):
                said += more
            else:
                break
        if not said.strip().isdigit():
            raise RuntimeError(f"the program could not be contained: {said.decode(errors='replace') or 'it died'}")
        return int(said)

    def _memory_before(self) -> int:
        """Bytes that the process holds before its program begins, and that do not count as the program's."""
        return 0  # what the fork server has imported is shared with it

    def _wait_for_job(self) -> dict[str, Any]:
        ready = select.select([self.conn.fileno(), self.owner_fd], [], [])[0]
        job = receive(self.conn) if self.conn.fileno() in ready else None
        if job is not None and job.get("lease") and receive_descriptor(self.conn) is None:
            job = None  # otherwise this process holds the lease of its GPU until it ends, which is after the tree
        return job if job is not None else self._orphaned()

    def _start(self, job: dict[str, Any], job_write: int, ready_read: int) -> None:
        """Hand the program to the process that waits for it; the clock starts when that one is sealed."""
        leased = self._cpus(job)
        path = os.path.join(self.request["work"], program.NAME)
        with open(path, "wb") as file:
            file.write(job["program"].encode("utf-8", "replace"))
        if self.request["uid"] is not None:
            os.chown(path, self.request["uid"], self.request["uid"])
        self.deadline_s = float(job["deadline_s"])
        with contextlib.suppress(BrokenPipeError), open(job_write, "wb") as pipe:
            told = {"cpus": leased, "program": job["program"], "environment": job.get("environment", {})}
            pipe.write(json.dumps(told).encode())
        with open(ready_read, "rb") as pipe:
            trouble = pipe.read()
        if trouble != b"sealed":
            raise RuntimeError(f"the program could not be contained: {trouble.decode(errors='replace') or 'it died'}")
        self.began = time.monotonic()

    def _program_process(self, job_read: int, ready: int) -> Begin:
        """Become harmless, wait for the program, and get it ready."""
        try:
            os.setsid()
            null = os.open("/dev/null", os.O_RDONLY)
            for source, target in ((null, 0), (self.pumps[0].write_fd, 1), (self.pumps[1].write_fd, 2)):
                os.dup2(source, target)
            os.chdir(self.request["work"])
            os.umask(0o022)
            self._contain()
            close_all_but(job_read, ready)
            spent = resource.getrusage(resource.RUSAGE_SELF)
            os.write(ready, b"%d\n" % round((spent.ru_utime + spent.ru_stime) * 1e6))
            with open(job_read, "rb") as pipe:
                job = json.loads(pipe.read())
            os.sched_setaffinity(0, job["cpus"])
            self._seal()
            os.write(ready, b"sealed")
            os.close(ready)
        except BaseException as error:
            os.write(ready, f"{type(error).__name__}: {error}".encode())
            os._exit(1)
        try:
            self.conn.detach()  # its number may be the program's own before this object has gone
            variables = {**self.request["environment"], **job.get("environment", {})}
            return program.prepare(job["program"], variables, self.config["prefix"])
        except BaseException:
            os._exit(1)

    def _contain(self) -> None:
        contain.contain(self.grants, self.request, self.config["landlock"])

    def _seal(self) -> None:
        contain.seal(self.request, self.config["landlock"])

    def _watch(self) -> int:
        """Until the tree has ended or must end. Returns how many processes were left behind."""
        poller = select.poll()
        main_fd = os.pidfd_open(self.main)
        for fd in (main_fd, self.owner_fd, self.conn.fileno()):
            poller.register(fd, select.POLLIN)
        streams = {pump.read_fd: pump for pump in self.pumps}
        for fd in streams:
            poller.register(fd, select.POLLIN)
        deadline = self.began + self.deadline_s
        self.ended: float | None = None
        next_tick = self.began + TICK_S
        while True:
            wake = min(next_tick, deadline) if self.ended is None else min(next_tick, self.ended + GRACE_S)
            for fd, _ in poller.poll(max(0.0, (wake - time.monotonic()) * 1000 + 0.5)):
                if fd in streams:
                    if not streams[fd].read():
                        poller.unregister(fd)
                elif fd == main_fd:
                    self.ended = time.monotonic()
                    poller.unregister(fd)
                else:
                    self._orphaned()
            now = time.monotonic()
            if self.ended is None and now >= deadline:
                self.watchdog.limit = ("timeout", f"still running after its time limit of {self.deadline_s:g} s")
                return 0
            if self.ended is not None:
                self._reap()
                left = tree.living(tree.descendants(os.getpid()))
                if not left or now >= self.ended + GRACE_S:
                    return len(left)
                next_tick = min(next_tick, now + 0.01)
            if now >= next_tick:
                self._reap()
                self.watchdog.look(tree.descendants(os.getpid()))
                if self.watchdog.limit is not None:
                    return 0
                spent = time.monotonic() - now
                next_tick = now + spent + (max(TICK_S, min(10 * spent, 0.5)) if self.ended is None else 0.01)

    def _memory_folders(self) -> tuple[str, ...]:
        """Private file systems whose content is memory."""
        return ("/dev/shm",) if self.request["private_shm"] else ()

    def _reap(self) -> None:
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.main:
                    self.status = status
        except ChildProcessError:
            return

    def _drain(self) -> None:
        """The last output; every writer is dead, so the streams end."""
        give_up = time.monotonic() + 10
        for pump in self.pumps:
            while pump.open and time.monotonic() < give_up:
                select.select([pump.read_fd], [], [], 0.1)
                pump.read()

    def _orphaned(self) -> NoReturn:
        tree.kill_all(os.getpid())
        files.remove_tree(self.request["slot"])
        for folder in (self.request.get("cgroup") or {}).get("folders", ()):
            cgroup.remove(folder)
        os._exit(0)

    def _report(self, ended: float, left: int) -> dict[str, Any]:
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = None if self.status is None else os.waitstatus_to_exitcode(self.status)
        return {
            "limit": self.watchdog.limit,
            "exit_code": code if code is not None and code >= 0 else None,
            "signal": -code if code is not None and code < 0 else None,
            "left": left,
            "wall_us": round((ended - self.began) * 1e6),
            "cpu_us": max(0, round((spent.ru_utime + spent.ru_stime) * 1e6) - self.cpu_before_us),
            "peak_memory_bytes": self.watchdog.peak_memory(spent.ru_maxrss * 1024),
            "peak_tasks": self.watchdog.peak_tasks,
            "private_shm": self.request["private_shm"],
            "streams": [
                {
                    "head": base64.b64encode(pump.head).decode(),
                    "tail": base64.b64encode(pump.tail).decode(),
                    "seen": pump.seen,
                }
                for pump in self.pumps
            ],
        }


def close_all_but(*kept: int) -> None:
    """Close every descriptor from 3 on but these."""
    bounds = [2, *sorted(kept), 1 << 20]
    for low, high in itertools.pairwise(bounds):
        os.closerange(low + 1, high)


def fail(conn: socket.socket, error: BaseException) -> None:
    """End all that was started, and say what went wrong to whoever still listens."""
    tree.kill_all(os.getpid())
    with contextlib.suppress(OSError):
        send(conn, {"failed": f"{type(error).__name__}: {error}"})
