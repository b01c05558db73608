"""What rungs can promise on a kernel, and what they leave to weaker means there."""

from __future__ import annotations

from mlesearch.sandbox.inside import seccomp

BEFORE, AFTER = ("net_off", "data_read_only", "answers_absent"), ("tree_kill", "disk_bound")


def promised(landlock_version: int, has_cgroup: bool) -> tuple[str, ...]:
    """What the rung `local` keeps on a kernel.

    Args:
        landlock_version: 0 where there is none.
        has_cgroup: whether a private control group can be made for each program.
    """
    if landlock_version < 1 or not seccomp.supported():
        return ()
    degree = "" if has_cgroup else ": advisory"
    return (*BEFORE, f"memory_hard{degree}", f"oom_signal{degree}", *AFTER)


def notes(
    landlock_version: int, has_cgroup: bool, *, private_shm: bool, own_user: bool, joblib_reads_proc: bool
) -> tuple[str, ...]:
    """In words, what is weaker on the rung `local` than on the newest kernel.

    Args:
        landlock_version: as above.
        has_cgroup: as above.
        private_shm: whether programs get a /dev/shm of their own.
        own_user: whether each program runs as another user than the one who started it.
        joblib_reads_proc: whether joblib's worker processes would, which no program may.
    """
    said = []
    if landlock_version < 6 and own_user:
        said.append(
            f"Landlock {landlock_version} has no signal scope (Linux 6.12 has): that each program is another user "
            "keeps its signals from all others"
        )
    elif landlock_version < 6:
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
    if joblib_reads_proc:
        said.append(
            "psutil is among the packages, and joblib's worker processes would read /proc with it, which no process "
            "that a program starts may: joblib runs serially (not so without psutil, nor on other rungs)"
        )
    return tuple(said)


def promised_in_namespaces(*, has_landlock: bool, has_filter: bool, has_limit: bool) -> tuple[str, ...]:
    """What a rung with namespaces of its own keeps.

    What rests on two layers is advisory where one of them is absent, though the other one holds.

    Args:
        has_landlock: whether Landlock stands behind its mounts; also True for a rung that does not build on it.
        has_filter: whether a seccomp filter refuses the sockets that a network namespace does not separate.
        has_limit: whether the kernel limits its memory.
    """
    mounts, sockets, memory = ("" if held else ": advisory" for held in (has_landlock, has_filter, has_limit))
    degrees = (sockets, mounts, mounts)
    kept = tuple(f"{name}{degree}" for name, degree in zip(BEFORE, degrees, strict=True))
    return (*kept, f"memory_hard{memory}", f"oom_signal{memory}", *AFTER)


def notes_in_namespaces(*, has_landlock: bool, has_filter: bool, has_limit: bool) -> tuple[str, ...]:
    """In words, which layers of such a rung are absent; arguments as above."""
    said = []
    if not has_landlock:
        said.append(
            "this kernel has no Landlock (Linux 5.13 or later with `landlock` among its security modules), so mounts "
            "alone keep programs from what they may not read or write"
        )
    if not has_filter:
        said.append(
            "there is no seccomp filter for this processor (x86_64 and aarch64 are known), so sockets that a network "
            "namespace does not separate, such as AF_VSOCK, are not refused"
        )
    if not has_limit:
        said.append("no memory limit of the kernel can be set here, so a watchdog sums a program's memory every 50 ms")
    return tuple(said)
