"""Landlock through ctypes: an allow-list of the file system, no TCP, no signals to the outside.

Runs inside the sandbox's own processes too, so it imports the standard library only. Source: the kernel's
`Documentation/userspace-api/landlock.rst` and `include/uapi/linux/landlock.h`.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE = 1 << 4, 1 << 5
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (1 << bit for bit in range(6, 13))
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15

READ = READ_FILE | READ_DIR
READ_EXECUTE = READ | EXECUTE
WRITE = (
    READ_EXECUTE
    | WRITE_FILE
    | REMOVE_DIR
    | REMOVE_FILE
    | MAKE_DIR
    | MAKE_REG
    | MAKE_SOCK
    | MAKE_FIFO
    | MAKE_SYM
    | REFER
    | TRUNCATE
)
_ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_NET = 0b11  # bind and connect of TCP
_SCOPES = 0b11  # abstract unix sockets and signals

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def abi() -> int:
    """The kernel's Landlock version; 0 where it has none or it is switched off."""
    version = _libc.syscall(ctypes.c_long(CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return max(0, int(version))


def handled(version: int) -> int:
    """All file-system rights that this version knows, so that whatever is not granted is denied."""
    bits = 13
    for since, count in ((2, 14), (3, 15), (5, 16)):
        if version >= since:
            bits = count
    return (1 << bits) - 1


class Ruleset:
    """An allow-list under construction; `restrict` puts the calling thread and its children under it.

    Args:
        version: of Landlock.
        net: refuse TCP too, where the version can.
    """

    def __init__(self, version: int, net: bool = True) -> None:
        self._handled = handled(version)
        attributes = struct.pack("=Q", self._handled)
        if version >= 4:
            attributes += struct.pack("=Q", _NET if net else 0)
        if version >= 6:
            attributes += struct.pack("=Q", _SCOPES)
        self.fd = int(
            _libc.syscall(
                ctypes.c_long(CREATE_RULESET), attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)
            )
        )
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "landlock_create_ruleset failed")

    def allow_fd(self, fd: int, access: int, is_dir: bool) -> None:
        """Grant `access` on what `fd` (opened with O_PATH) stands for, and beneath it."""
        access &= self._handled if is_dir else self._handled & _ON_FILES
        rule = struct.pack("=Qi", access, fd)
        if _libc.syscall(ctypes.c_long(ADD_RULE), ctypes.c_int(self.fd), ctypes.c_int(1), rule, ctypes.c_uint32(0)):
            raise OSError(ctypes.get_errno(), "landlock_add_rule failed")

    def allow(self, path: str, access: int, must_exist: bool = True) -> None:
        """Grant `access` on a path and beneath it.

        Raises:
            OSError: the path is absent and `must_exist`, or the kernel refuses the rule.
        """
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            if must_exist:
                raise
            return
        try:
            self.allow_fd(fd, access, stat.S_ISDIR(os.fstat(fd).st_mode))
        finally:
            os.close(fd)

    def restrict(self) -> None:
        """Enter the domain for good. The caller has set no_new_privs."""
        if _libc.syscall(ctypes.c_long(RESTRICT_SELF), ctypes.c_int(self.fd), ctypes.c_uint32(0)):
            raise OSError(ctypes.get_errno(), "landlock_restrict_self failed")
        os.close(self.fd)


def beside(root: str, excluded: tuple[str, ...]) -> list[tuple[str, bool]]:
    """What to grant so that all of `root` but `excluded` is readable.

    A rule on a folder covers all beneath it and can't be taken back, so the tree is descended where something
    beneath must stay out.

    Args:
        root: a path with no symbolic link in it.
        excluded: paths with no symbolic link in them.

    Returns:
        (path, whole): whole paths are granted with all beneath them; of the others only names may be listed.
    """
    if any(root == path or root.startswith(path + "/") for path in excluded):
        return []
    inside = tuple(path for path in excluded if path.startswith(root.rstrip("/") + "/"))
    if not inside:
        return [(root, True)]
    grants = [(root, False)]
    with os.scandir(root) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if not entry.is_symlink():  # the target decides, wherever it lies
                grants += beside(entry.path, inside)
    return grants
