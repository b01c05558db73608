"""Runs beside a worker, in its interpreter: starts it, and ends it with all that it left behind.

Started by path with `python -I`, as the leader of a session of its own; standard library only. It adopts whatever the
worker's processes leave behind (Linux: `PR_SET_CHILD_SUBREAPER`), so that nothing outlives it: it kills them all when
its standard input ends (whoever started it is done, or is dead), when the worker ends, or when they hold more memory
than they may. Then it removes the worker's folder, says on standard output what happened, one line of JSON, and ends.

Arguments: the worker's program, the folder, the bytes that all together may hold, and the worker's own arguments.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import sys
import time
from typing import Any

LOOK_S = 0.2
SAID_BYTES = 4_000
"""How much of what the worker wrote to standard error is kept: its last words."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def processes() -> list[int]:
    """All processes below this one, parents first."""
    found = _children(os.getpid())
    for pid in found:  # grows while it is walked
        found += _children(pid)
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):  # it has ended meanwhile
        for thread in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                    found += [int(word) for word in file.read().split()]
            except FileNotFoundError:
                if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
                    return _children_by_scan(pid)
    return found


def _children_by_scan(parent: int) -> list[int]:
    """For kernels without the `children` file."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[1]) == parent:
                    found.append(int(name))
    return found


def held_bytes(pids: list[int], limit: int) -> int:
    """Memory that processes hold; what they share counts once where it matters, above the limit."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/statm", "rb") as file:
            total += int(file.read().split()[1]) * _PAGE_BYTES
    return total if total <= limit else min(total, _proportional(pids, total))


def _proportional(pids: list[int], resident: int) -> int:
    total = 0
    try:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith(b"Pss:")) * 1024
    except (OSError, StopIteration):
        return resident
    return total


def kill_all() -> None:
    """Kill and reap all below this process, until nothing is left: what is killed may have started others."""
    while True:
        for pid in processes():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def start(words: list[str], stderr: int, descriptors: list[int]) -> int:
    """Start the worker; it is killed by the kernel if this process is."""
    pid = os.fork()
    if pid:
        return pid
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")  # where memory runs out, the kernel takes this one first
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(stderr, 1)
        os.dup2(stderr, 2)
        for number in descriptors:
            os.set_inheritable(number, True)
        os.execv(words[0], words)
    finally:
        os._exit(127)


def watch(worker: int, stderr: int, limit: int) -> dict[str, Any]:
    """Wait for what ends the worker, and say what it was."""
    last = b""
    looking = select.poll()
    looking.register(0, select.POLLIN)
    looking.register(stderr, select.POLLIN)
    parent, looked = os.getppid(), 0.0
    while True:
        events = dict(looking.poll(LOOK_S * 1000))
        if events.get(stderr):
            data = os.read(stderr, 65_536)
            last = (last + data)[-SAID_BYTES:]
            if not data:
                looking.unregister(stderr)
        if 0 in events or os.getppid() != parent:
            return {"ended": "asked"}
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == worker:
                    return {"ended": "died", "status": os.waitstatus_to_exitcode(found[1]), "said": _text(stderr, last)}
        if time.monotonic() - looked >= LOOK_S:
            looked = time.monotonic()
            held = held_bytes(processes(), limit)
            if held > limit:
                return {"ended": "memory", "bytes": held}


def _text(stderr: int, last: bytes) -> str:
    """The last words, with what is still in the pipe."""
    os.set_blocking(stderr, False)
    with contextlib.suppress(OSError):
        while data := os.read(stderr, 65_536):
            last = (last + data)[-SAID_BYTES:]
    return last.decode("utf-8", "replace")


def main() -> None:
    """Start a worker, watch it, end it."""
    program, folder, limit, *words = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    descriptors = [int(word) for word in words[:2]]
    reading, writing = os.pipe()
    worker = start([sys.executable, "-I", "-X", "utf8", program, *words], writing, descriptors)
    for number in (writing, *descriptors):
        os.close(number)
    ended = watch(worker, reading, int(limit))
    kill_all()
    os.chdir("/")
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(ended).encode("ascii") + b"\n")


if __name__ == "__main__":
    main()
