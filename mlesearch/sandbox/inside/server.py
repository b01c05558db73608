"""The fork server: a process that may have imported the usual libraries, and forks a supervisor for each run.

This file and the modules it imports run in a process of their own, started with `init.BOOT`; they use the standard
library only, under a package name of their own, so that a program finds no trace of the project. The server never
computes: a process that has used OpenMP or BLAS threads hangs its forks.
"""

from __future__ import annotations

import array
import errno
import fcntl
import gc
import importlib
import os
import resource
import select
import socket
import sys
import time
import warnings
from typing import Any

from . import contain, landlock, tree
from .messages import receive, send
from .program import Begin
from .supervisor import Grants, Run, fail
from .ways import open_ways

_HIGH = 512


def main(control: socket.socket) -> Begin:
    """The server: import, report, and fork a supervisor for each request until the orchestrator goes away.

    Returns in a program's own process only.
    """
    config = receive(control)
    if config is None:
        os._exit(0)
    contain.be_subreaper()
    sys.path += config["site"]
    own_mounts = contain.can_have_own_mounts()
    shm = own_mounts and contain.can_have_private_shm() if config["private_shm"] else False
    if not shm:
        os.environ["JOBLIB_MULTIPROCESSING"] = "0"  # it tries semaphores when imported, where they still work
    missing = _preload(config["preload"])
    grants = _open_grants(config)
    gc.collect()
    gc.freeze()
    send(
        control,
        {
            "ready": True,
            "missing": missing,
            "own_mounts": own_mounts,
            "private_shm": shm,
            "threads": len(os.listdir("/proc/self/task")),
        },
    )
    begin = _serve(control, config, grants, shm)
    if begin is not None:
        return begin
    os._exit(0)


def _preload(modules: list[str]) -> list[str]:
    missing = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in modules:
            try:
                importlib.import_module(name)
            except ImportError:
                missing.append(name)
    return missing


def _open_grants(config: dict[str, Any]) -> Grants:
    """Descriptors for the part of the allow-list that all programs share, opened once.

    A folder of libraries with something excluded takes one for each of its entries: they have high numbers, so that
    those which are waited for have low ones.
    """
    grants: Grants = []
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for root, access in config["allow"]:
        for path, whole in landlock.beside(root, tuple(config["excluded"])):
            try:
                low = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    raise
                continue
            fd = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, _HIGH)
            os.close(low)
            is_dir = os.path.isdir(path)
            grants.append((fd, access if whole else landlock.READ_DIR, is_dir))
    return grants


def _serve(control: socket.socket, config: dict[str, Any], grants: Grants, shm: bool) -> Begin | None:
    """Until the orchestrator goes away; in a program's own process, the program."""
    supervisors: dict[int, int] = {}
    poller = select.poll()
    poller.register(control, select.POLLIN)
    while True:
        left = _reap(supervisors, poller)
        ready = poller.poll(tree.KILL_AGAIN_S * 1000 if left else 1000)
        if control.fileno() not in [fd for fd, _ in ready]:
            continue
        data, ancillary, _, _ = control.recvmsg(1, socket.CMSG_LEN(4))
        if not data:
            break
        fds = array.array("i")
        for _level, _kind, payload in ancillary:
            fds.frombytes(payload[:4])
        if not fds:
            continue
        conn = socket.socket(fileno=fds[0])
        pid = os.fork()
        if pid == 0:
            for fd in supervisors.values():
                os.close(fd)
            return _supervisor_process(control, conn, config, grants, shm)
        supervisors[pid] = os.pidfd_open(pid)
        poller.register(supervisors[pid], select.POLLIN)
        conn.close()
    while _reap(supervisors, poller):
        time.sleep(tree.KILL_AGAIN_S)
    return None


def _reap(supervisors: dict[int, int], poller: select.poll) -> bool:
    """Collect ended supervisors, and kill what one left that died before its program did.

    Args:
        supervisors: that live; for each a descriptor that tells of its end.
        poller: waits for these.

    Returns:
        Whether something was left. Its own children come to this process when it ends, so more may be.
    """
    try:
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            if pid in supervisors:
                poller.unregister(supervisors[pid])
                os.close(supervisors.pop(pid))
    except ChildProcessError:
        return False
    left = [child for child in tree.children(os.getpid()) if child not in supervisors]
    tree.kill([pid for child in left for pid in (child, *tree.descendants(child))])
    return bool(left)


def _supervisor_process(
    control: socket.socket, conn: socket.socket, config: dict[str, Any], grants: Grants, shm: bool
) -> Begin:
    """One run, to its end; returns in its program's own process only."""
    code = 1
    try:
        control.close()
        os.setsid()
        contain.be_subreaper()
        request = receive(conn)
        if request is not None:
            ways = request["ways"]
            own_mounts = (shm or bool(ways["closed"])) and contain.own_mounts()
            if ways["closed"]:
                if not own_mounts:
                    raise OSError("a mount namespace could be had before, and can't be any more")
                open_ways(ways)
            request["private_shm"] = shm and own_mounts and contain.private_shm(request["shm_bytes"])
            begin = Run(conn, request, config, grants).supervise()
            if begin is not None:
                return begin
        code = 0
    except BaseException as error:
        fail(conn, error)
    os._exit(code)
