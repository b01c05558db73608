"""Leases of processors among all programs of a user on this machine, by file locks. Standard library only."""

from __future__ import annotations

import fcntl
import os


def lease(cpus: list[int], count: int, folder: str) -> tuple[list[int], list[int]]:
    """Processors for one program: free ones first, spread over the machine.

    A lease is a lock on a file that ends with the calling process or with its descriptor, so it works across
    orchestrators and needs no cleaning up.

    Args:
        cpus: those the orchestrator may use.
        count: how many are wanted.
        folder: where the lock files lie.

    Returns:
        The processors, and the descriptors that hold the leases.
    """
    if count >= len(cpus):
        return cpus, []
    start = os.getpid() % len(cpus)
    order = cpus[start:] + cpus[:start]
    taken: list[int] = []
    held: list[int] = []
    for cpu in order:
        if len(taken) == count:
            break
        fd = os.open(os.path.join(folder, f"cpu-{cpu}"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
        else:
            taken.append(cpu)
            held.append(fd)
    return taken + [cpu for cpu in order if cpu not in taken][: count - len(taken)], held
