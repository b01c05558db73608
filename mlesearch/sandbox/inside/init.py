"""The supervisor as the first process of a namespace: for the rungs `bubblewrap` and `docker`.

Its end is the end of every process in the namespace, which the kernel sees to; so the socket to the orchestrator, which
it watches, is the lifeline of the whole sandbox. Programs can't reach it: signals from inside a namespace don't
end its first process, and it can't be traced. Standard library only; loaded by `BOOT` from sources that come through
the socket, so that no file of the project is in the sandbox.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import os
import platform
import signal
import socket
import sys
import warnings
from typing import Any, NoReturn

from . import cgroup, contain, landlock, memory, seccomp, tree
from .messages import receive, send
from .program import Begin
from .supervisor import Run, fail

MODULES = (
    "messages",
    "files",
    "landlock",
    "seccomp",
    "cgroup",
    "contain",
    "pump",
    "tree",
    "memory",
    "disk",
    "watchdog",
    "program",
    "cpus",
    "supervisor",
    "init",
    "ways",
    "server",
)
"""What is sent, in the order in which it is loaded."""

BOOT = """
import json,os,socket,struct,sys,types
a=sys.argv[2]
for u in map(int,sys.argv[3:]): os.setgroups([]); os.setresgid(u,u,u); os.setresuid(u,u,u)
if a.isdigit(): c=socket.socket(fileno=int(a))
else:
    c=socket.socket(socket.AF_UNIX); c.connect(a)
def r(n):
    b=b''
    while len(b)<n:
        d=c.recv(n-len(b))
        if not d: sys.exit(0)
        b+=d
    return b
p=types.ModuleType('_box'); p.__path__=[]; sys.modules['_box']=p
for n,s in json.loads(r(struct.unpack('=Q',r(8))[0])).items():
    m=types.ModuleType('_box.'+n); m.__package__='_box'; sys.modules['_box.'+n]=m; setattr(p,n,m)
    exec(compile(s,'_box/'+n,'exec'),m.__dict__)
f=getattr(p,sys.argv[1]).main(c)
for k in [k for k in globals() if k!='f' and k[0]!='_']: del globals()[k]
f()
"""
"""Run with the name of a module whose `main` serves, an address, and perhaps the user to become. Where `main` returns,
this is a program's own process, and what it returned is the program: nothing of the supervisor is below its frame."""


class BoxedRun(Run):
    """A run in namespaces of its own."""

    def __init__(self, conn: socket.socket, message: dict[str, Any], fds: list[int]) -> None:
        super().__init__(conn, message["request"], message["config"], [])
        self.owner_fd = fds[0]
        if len(fds) > 1:
            self.counters = cgroup.Counters(fds[1], fds[2] if len(fds) > 2 else None)
        elif self.config["own_cgroup"]:
            self.counters = cgroup.Counters.of(cgroup.own_events())

    def _furnish(self) -> None:
        """The orchestrator has filled the folders."""

    def _enter_cgroup(self) -> None:
        """The whole sandbox is in it."""

    def _memory_before(self) -> int:
        """What it has imported; the orchestrator lets the sandbox have so much more."""
        held_bytes = memory.held(self.main)
        send(self.conn, {"before_bytes": held_bytes})
        return held_bytes

    def _owner(self) -> int:
        return self.owner_fd

    def _cpus(self, job: dict[str, Any]) -> list[int]:
        return list(job["cpus"])

    def _memory_folders(self) -> tuple[str, ...]:
        return tuple(self.request["memory_folders"])

    def _contain(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        _preload(self.request["preload"])
        gc.collect()
        gc.freeze()  # so that looking for what the supervisor leaves takes no time once the program is there
        contain.limit_resources(self.request)
        contain.prctl(contain.PR_SET_DUMPABLE, 1)  # first: what can't be dumped does not own its files in /proc
        contain.go_first()
        contain.drop_capabilities()
        if contain.prctl(contain.PR_SET_NO_NEW_PRIVS, 1):
            raise OSError("prctl(PR_SET_NO_NEW_PRIVS) failed")

    def _seal(self) -> None:
        if self.config["landlock"] >= 1:
            rules = landlock.Ruleset(self.config["landlock"], net=False)
            rules.allow("/", landlock.READ_EXECUTE)
            for path in (*self.request["read_write"], *self.request["memory_folders"]):
                rules.allow(path, landlock.WRITE)
            for path in ("/dev/null", "/dev/zero", "/dev/full"):
                rules.allow(path, landlock.READ_FILE | landlock.WRITE_FILE | landlock.TRUNCATE, must_exist=False)
            for path in self.request.get("devices", ()):
                rules.allow(path, landlock.READ_FILE | landlock.WRITE_FILE | landlock.IOCTL_DEV)
            rules.restrict()
        if seccomp.supported():
            seccomp.install(seccomp.program(platform.machine(), namespaced=True))

    def _orphaned(self) -> NoReturn:
        os._exit(0)


class BareRun(BoxedRun):
    """A run of the rung `unsafe`: supervised, and held by nothing else."""

    def _contain(self) -> None:
        _preload(self.request["preload"])
        contain.limit_resources(self.request)

    def _seal(self) -> None:
        """Nothing."""

    def _orphaned(self) -> NoReturn:
        tree.kill_all(os.getpid())
        os._exit(0)


def _preload(modules: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


def main(conn: socket.socket) -> Begin:
    """Take the request and its descriptors, then supervise one run; returns in the program's own process only.

    The descriptors: one that tells of the orchestrator's end, then those of the control group's counters, if any.
    """
    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        contain.prctl(contain.PR_SET_DUMPABLE, 0)
        fds = _receive_fds(conn)
        message = receive(conn)
        if fds and message is not None:
            sys.path += message["config"]["site"]
            if message["config"].get("bare"):
                contain.be_subreaper()
            begin = (BareRun if message["config"].get("bare") else BoxedRun)(conn, message, fds).supervise()
            if begin is not None:
                return begin
        code = 0
    except BaseException as error:
        fail(conn, error)
    os._exit(code)


def _receive_fds(conn: socket.socket) -> list[int]:
    data, ancillary, _, _ = conn.recvmsg(1, socket.CMSG_LEN(3 * 4))
    fds = array.array("i")
    for _level, _kind, payload in ancillary:
        fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    return list(fds) if data else []
