"""What a freshly forked program process gives up before its first line. Standard library only.

Order matters: rules are collected while paths can still be opened, capabilities go before Landlock and seccomp, and
seccomp comes last because it forbids some of the calls that set up the rest.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
from collections.abc import Callable
from typing import Any

from . import landlock, seccomp

_PR_SET_PDEATHSIG, PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_SECUREBITS = 1, 4, 24, 28
_PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 36, 38, 47
_SECUREBITS = 0xEF  # no root, no fix-up on setuid, no ambient rise, and all of it locked
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_PRIVATE = 2, 4, 0x4000, 0x40000

DEVICES = ("/dev/zero", "/dev/urandom", "/dev/random")
OWN_PROC = ("stat", "statm", "status", "limits", "maps", "fd", "task")

_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, *arguments: int) -> int:
    """The call of that name, missing arguments zero."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return int(_libc.prctl(ctypes.c_int(option), *(ctypes.c_ulong(argument) for argument in padded)))


def be_subreaper() -> None:
    """Adopt every orphan below this process."""
    if prctl(_PR_SET_CHILD_SUBREAPER, 1):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def own_mounts() -> bool:
    """Give the calling process a mount namespace of its own, where one is allowed; what it mounts goes away with it."""
    if os.geteuid() == 0:
        if _libc.unshare(ctypes.c_int(_CLONE_NEWNS)):
            return False
    elif not _own_user_namespace():
        return False
    return not _libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None)


def private_shm(size_bytes: int) -> bool:
    """Mount a /dev/shm with a size in the caller's own mount namespace: semaphores of `multiprocessing` lie there."""
    if not os.path.isdir("/dev/shm"):
        return False
    options = f"size={size_bytes},nr_inodes=4096,mode=1777".encode()
    flags = ctypes.c_ulong(_MS_NOSUID | _MS_NODEV)
    return not _libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", flags, options)


def _own_user_namespace() -> bool:
    """For an ordinary user: a user and a mount namespace in which it stays who it is."""
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(ctypes.c_int(_CLONE_NEWNS | _CLONE_NEWUSER)):
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    return True


def can_have_own_mounts() -> bool:
    """Try `own_mounts` in a throwaway child."""
    return _try(own_mounts)


def can_have_private_shm() -> bool:
    """Try `own_mounts` and `private_shm` in a throwaway child."""
    return _try(lambda: own_mounts() and private_shm(1 << 20))


def _try(what: Callable[[], bool]) -> bool:
    child = os.fork()
    if child == 0:
        ok = False
        try:
            ok = what()
        finally:
            os._exit(0 if ok else 1)
    return os.waitpid(child, 0)[1] == 0


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(what, (value, value))


def _own_data() -> int:
    """Bytes that RLIMIT_DATA would count of this process now."""
    with open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def limit_resources(request: dict[str, Any]) -> None:
    """Set the limits that the kernel keeps for each process by itself."""
    memory = int(request["memory_bytes"])
    # Stacks of threads and buffers of numerical libraries count as data though they are hardly touched: the watchdog
    # is exact, this one stops a single huge allocation at once. What was imported before does not count.
    _limit(resource.RLIMIT_DATA, _own_data() + memory + max(256 << 20, memory // 4))
    _limit(resource.RLIMIT_FSIZE, int(request["file_bytes"]))
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 4096)
    _limit(resource.RLIMIT_MEMLOCK, 64 << 20)
    _limit(resource.RLIMIT_MSGQUEUE, 0)
    if request["uid"] is not None:  # no other process has this uid, so the kernel's count is this program's
        _limit(resource.RLIMIT_NPROC, int(request["processes"]))


def go_first() -> None:
    """When the machine's memory is short, let the kernel end this process and its children before their supervisor."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


def _drop_privileges(uid: int | None) -> None:
    if os.geteuid() == 0:
        prctl(_PR_CAP_AMBIENT, 4)
        capability = 0
        while prctl(_PR_CAPBSET_DROP, capability) == 0:
            capability += 1
        prctl(_PR_SET_SECUREBITS, _SECUREBITS)
        if uid is not None:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
    drop_capabilities()


def drop_capabilities() -> None:
    """Give up every capability of the calling process, those too that only an execution would bring back.

    Raises:
        OSError: the kernel refuses it.
    """
    head = struct.pack("=Ii", 0x20080522, 0)
    if _libc.capset(head, bytes(24)):
        raise OSError(ctypes.get_errno(), "capset failed")


def build_rules(grants: list[tuple[int, int, bool]], request: dict[str, Any], version: int) -> landlock.Ruleset:
    """The program's allow-list.

    Args:
        grants: (descriptor opened with O_PATH, rights, is a folder), the same for all programs.
        request: this program's folders.
        version: of Landlock.
    """
    rules = landlock.Ruleset(version)
    for fd, access, is_dir in grants:
        rules.allow_fd(fd, access, is_dir)
    for root in request["read_only"]:
        for path, whole in landlock.beside(root, tuple(request["hidden"])):
            rules.allow(path, landlock.READ if whole else landlock.READ_DIR)
    for path in request["read_write"]:
        rules.allow(path, landlock.WRITE)
    rules.allow("/dev/null", landlock.READ_FILE | landlock.WRITE_FILE | landlock.TRUNCATE)
    for path in DEVICES:
        rules.allow(path, landlock.READ_FILE, must_exist=False)
    if request["private_shm"]:
        rules.allow("/dev/shm", landlock.WRITE & ~landlock.EXECUTE)
    for name in OWN_PROC:
        rules.allow(f"/proc/{os.getpid()}/{name}", landlock.READ, must_exist=False)
    return rules


def contain(grants: list[tuple[int, int, bool]], request: dict[str, Any], version: int) -> None:
    """Contain the calling process for good, but for the seccomp filter.

    Raises:
        OSError: some part could not be put in force; the program must not be run.
    """
    if version < 1:
        raise OSError("the kernel has no Landlock")
    limit_resources(request)
    go_first()
    rules = build_rules(grants, request, version)
    _drop_privileges(request["uid"])
    prctl(PR_SET_DUMPABLE, 1)
    if prctl(_PR_SET_PDEATHSIG, signal.SIGKILL):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if prctl(PR_SET_NO_NEW_PRIVS, 1):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS) failed")
    rules.restrict()


def seal(request: dict[str, Any], version: int) -> None:
    """Install the seccomp filter: the last step, after which some of the earlier ones are impossible.

    Raises:
        OSError: the kernel refuses it; the program must not be run.
    """
    shared_uid = request["uid"] is None and version < 6
    seccomp.install(
        seccomp.program(platform.machine(), own_pid=os.getpid() if shared_uid else None, guard_truncate=version < 3)
    )
