"""What the `local` rung can promise on a kernel, and what it leaves to weaker means there."""

from __future__ import annotations

from mlesearch.sandbox.inside import seccomp

BEFORE, AFTER = ("net_off", "data_read_only", "answers_absent"), ("tree_kill", "disk_bound")


def promised(landlock_version: int, has_cgroup: bool) -> tuple[str, ...]:
    """What holds on a kernel.

    Args:
        landlock_version: 0 where there is none.
        has_cgroup: whether a private control group can be made for each program.
    """
    if landlock_version < 1 or not seccomp.supported():
        return ()
    degree = "" if has_cgroup else ": advisory"
    return (*BEFORE, f"memory_hard{degree}", f"oom_signal{degree}", *AFTER)


def notes(landlock_version: int, has_cgroup: bool, *, private_shm: bool) -> tuple[str, ...]:
    """In words, what is weaker than on the newest kernel.

    Args:
        landlock_version: as above.
        has_cgroup: as above.
        private_shm: whether programs get a /dev/shm of their own.
    """
    said = []
    if landlock_version < 6:
        said.append(
            f"Landlock {landlock_version} has no signal scope (Linux 6.12 has): a seccomp filter lets a program "
            "signal itself and its process group only, so its worker processes can't be terminated one by one"
        )
    if landlock_version < 3:
        said.append(
            f"Landlock {landlock_version} does not know truncation (Linux 6.2 does): a seccomp filter refuses it "
            "by path"
        )
    if landlock_version < 2:
        said.append("Landlock 1 refuses to move files between folders (Linux 5.19 allows it)")
    if not has_cgroup:
        said.append(
            "no control group can be written here, so a watchdog sums the memory of a program's processes every "
            "50 ms, and a very quick program can be over its limit between two looks"
        )
    if not private_shm:
        said.append(
            "no mount namespace is allowed here, so programs have no /dev/shm: joblib runs serially and "
            "multiprocessing has no locks"
        )
    return tuple(said)
