"""A seccomp filter for programs: no sockets, no namespaces, no tracing, no memory that nobody accounts.

Everything that is not named stays allowed, but for families of sockets: those are an allow-list, since a network
namespace does not separate all of them (AF_VSOCK reaches the hypervisor from any). Runs inside the sandbox's own
processes too, so it imports the standard library only. Source: the kernel's
`Documentation/userspace-api/seccomp_filter.rst`.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

# (x86_64, aarch64); None where the architecture has no such call.
_EPERM: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    # memory that no process' resident set shows, or that outlives its process
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    # those of others need no such call first: a number or a name is enough to get at them
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_unlink": (241, 181),
    # reach to other processes of the same user
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    # the network; a pathname socket could reach a daemon of the host, which Landlock doesn't stop
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
}
_SOCKETS = frozenset({"socket", "connect", "bind", "listen", "accept", "accept4"})
# Landlock doesn't cover the attributes of files, and these calls would reach the task's data: they report success
# and do nothing, since copying a file uses them without need.
_NOTHING: dict[str, tuple[int | None, int | None]] = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
}
_ENOTSUP: dict[str, tuple[int | None, int | None]] = {
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
}
_IN_MEMORY = ((435, 435), (437, 437))
"""clone3 and openat2: their flags lie in memory, where a filter can't look. Callers fall back to the old ones."""
_SOCKET = (41, 198)
_CREAT, _MKNOD, _MKNODAT = (85, None), (133, None), (259, 33)
_CLONE, _SOCKETPAIR, _SENDTO, _PRLIMIT, _SETPRIORITY = (56, 220), (53, 199), (44, 206), (302, 261), (141, 140)
_PRCTL, _IOCTL, _KILL, _TKILL, _TGKILL = (157, 167), (16, 29), (62, 129), (200, 130), (234, 131)
_SIGQUEUE, _TGSIGQUEUE, _FCNTL = (129, 138), (297, 240), (72, 25)
_TRUNCATE, _OPEN, _OPENAT = (76, 45), (2, None), (257, 56)

_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}; CLONE_NEWTIME is for clone3 alone
_IOCTLS = (
    0x40086602,
    0x40087602,
    0x401C5820,
    0x5412,
    0x541C,
)  # set flags, version, xattr of a file; TIOCSTI, TIOCLINUX
# Who owns a descriptor is signalled when data arrives there, and any process may be made its owner.
_OWN_BY_FCNTL = (8, 10, 15, 1026)  # F_SETOWN, F_SETSIG, F_SETOWN_EX, F_NOTIFY
_OWN_BY_IOCTL = (0x8901, 0x8902)  # FIOSETOWN, SIOCSPGRP
_AF_UNIX, _SOCK_STREAM, _PR_SET_DUMPABLE, _O_TRUNC, _O_ACCMODE = 1, 1, 4, 0o1000, 3
FAMILIES = (1, 2, 10)
"""AF_UNIX, AF_INET, AF_INET6. AF_NETLINK is not among them: the C library resolves names without it."""
_FILE_IDS = 0o6000  # set-user-ID and set-group-ID: what has them runs as its owner, whoever starts it
_O_CREATES = 0o100 | 0o20000000  # O_CREAT, and the bit of O_TMPFILE
_MODE_AT = {"chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2}

_LD, _JEQ, _JGE, _JSET, _AND, _RET = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_DENY = _ERRNO | errno.EPERM
_NO_FAMILY = _ERRNO | errno.EAFNOSUPPORT

_Code = list[tuple[int, int, int, int]]


def _arg(index: int) -> tuple[int, int, int, int]:
    return (_LD, 0, 0, 16 + 8 * index)  # the low word; both architectures are little-endian


def _block(number: int | None, body: _Code) -> _Code:
    """`body` for one system call; it must end in a return."""
    return [] if number is None else [(_JEQ, 0, len(body), number), *body]


def _all_but(commands: tuple[int, ...]) -> _Code:
    """For a call whose second argument says what to do."""
    refused = [step for command in commands for step in ((_JEQ, 0, 1, command), (_RET, 0, 0, _DENY))]
    return [_arg(1), *refused, (_RET, 0, 0, _ALLOW)]


def _one_of(values: tuple[int, ...], otherwise: int) -> _Code:
    """For a call whose first argument must be one of some."""
    return [
        _arg(0),
        *((_JEQ, len(values) - at, 0, value) for at, value in enumerate(values)),
        (_RET, 0, 0, otherwise),
        (_RET, 0, 0, _ALLOW),
    ]


def _plain_mode(index: int, otherwise: int) -> _Code:
    """For a call whose argument is the mode of a file: one that would run as its owner is not made."""
    return [_arg(index), (_JSET, 0, 1, _FILE_IDS), (_RET, 0, 0, otherwise), (_RET, 0, 0, _ALLOW)]


def _opening(index: int, guard_truncate: bool) -> _Code:
    """For a call that opens a file, its flags in one argument and the mode of a new file in the next."""
    made = [_arg(index), (_JSET, 0, 3, _O_CREATES), _arg(index + 1), (_JSET, 0, 1, _FILE_IDS), (_RET, 0, 0, _DENY)]
    truncated = [_arg(index), (_JSET, 0, 3, _O_TRUNC), (_AND, 0, 0, _O_ACCMODE), (_JEQ, 0, 1, 0), (_RET, 0, 0, _DENY)]
    return [*made, *(truncated if guard_truncate else []), (_RET, 0, 0, _ALLOW)]


def supported() -> bool:
    """Whether the calls of this machine's architecture are known here."""
    return platform.machine() in ARCHITECTURES


def program(machine: str, own_pid: int | None = None, guard_truncate: bool = False, namespaced: bool = False) -> bytes:
    """The filter as an array of BPF instructions.

    Args:
        machine: `platform.machine()`, one of ARCHITECTURES.
        own_pid: where Landlock has no signal scope (before version 6): signals go to this process and to its
            process group only. None: Landlock sees to it.
        guard_truncate: where Landlock doesn't know truncation (before version 3): refuse it without a writable
            descriptor.
        namespaced: the program has network, process and mount namespaces of its own, so sockets of FAMILIES and
            attributes of files are its own business; the first process of the namespace, its supervisor, is out of
            reach, and no file becomes one that runs as its owner.
    """
    column, audit = ARCHITECTURES[machine]
    deny: _Code = [(_RET, 0, 0, _DENY)]
    allow: _Code = [(_RET, 0, 0, _ALLOW)]
    code: _Code = [(_LD, 0, 0, 4), (_JEQ, 1, 0, audit), *deny, (_LD, 0, 0, 0)]
    if machine == "x86_64":
        code += [(_JGE, 0, 1, 0x40000000), *deny]  # the x32 calls
    for table, answer in ((_EPERM, _DENY), (_NOTHING, _ERRNO), (_ENOTSUP, _ERRNO | errno.EOPNOTSUPP)):
        for name, numbers in table.items():
            if not (namespaced and (name in _SOCKETS or table is _NOTHING)):
                code += _block(numbers[column], [(_RET, 0, 0, answer)])
    for numbers in _IN_MEMORY:
        code += _block(numbers[column], [(_RET, 0, 0, _ERRNO | errno.ENOSYS)])
    code += _block(_CLONE[column], [_arg(0), (_JSET, 0, 1, _NAMESPACES), *deny, *allow])
    if namespaced:
        for numbers in (_KILL, _TKILL, _TGKILL, _SIGQUEUE, _TGSIGQUEUE):
            code += _block(numbers[column], [_arg(0), (_JEQ, 0, 1, 1), *deny, *allow])
        for numbers in (_SOCKET, _SOCKETPAIR):
            code += _block(numbers[column], _one_of(FAMILIES, _NO_FAMILY))
        for name, index in _MODE_AT.items():  # as on `local`, it reports success: copying a folder need not fail
            code += _block(_NOTHING[name][column], _plain_mode(index, _ERRNO))
    else:
        # a connected pair of streams can reach nobody else; a datagram socket could send to an address
        code += _block(
            _SOCKETPAIR[column],
            [_arg(0), (_JEQ, 0, 3, _AF_UNIX), _arg(1), (_AND, 0, 0, 0xF), (_JEQ, 1, 0, _SOCK_STREAM), *deny, *allow],
        )
        code += _block(_SENDTO[column], [_arg(4), (_JEQ, 0, 2, 0), (_LD, 0, 0, 52), (_JEQ, 1, 0, 0), *deny, *allow])
    code += _block(_PRLIMIT[column], [_arg(0), (_JEQ, 1, 0, 0), *deny, *allow])
    # of a process, not of a group or a user; and of this one
    code += _block(_SETPRIORITY[column], [_arg(0), (_JEQ, 0, 2, 0), _arg(1), (_JEQ, 1, 0, 0), *deny, *allow])
    code += _block(_PRCTL[column], [_arg(0), (_JEQ, 0, 1, _PR_SET_DUMPABLE), *deny, *allow])
    code += _block(_IOCTL[column], _all_but((*_IOCTLS, *(() if own_pid is None else _OWN_BY_IOCTL))))
    if own_pid is not None:
        code += _block(_FCNTL[column], _all_but(_OWN_BY_FCNTL))
        code += _block(_KILL[column], [_arg(0), (_JEQ, 2, 0, own_pid), (_JEQ, 1, 0, 0), *deny, *allow])
        code += _block(_TGKILL[column], [_arg(0), (_JEQ, 1, 0, own_pid), *deny, *allow])
        for numbers in (_TKILL, _SIGQUEUE, _TGSIGQUEUE):
            code += _block(numbers[column], deny)
    if guard_truncate:
        code += _block(_TRUNCATE[column], deny)
    for numbers, index in ((_OPEN, 1), (_OPENAT, 2)):
        code += _block(numbers[column], _opening(index, guard_truncate))
    for numbers, index in ((_CREAT, 1), (_MKNOD, 1), (_MKNODAT, 2)):
        code += _block(numbers[column], _plain_mode(index, _DENY))
    code += allow
    return b"".join(struct.pack("=HBBI", *step) for step in code)


def install(instructions: bytes) -> None:
    """Put the calling thread and its children under the filter. The caller has set no_new_privs.

    Raises:
        OSError: the kernel refuses it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    head = struct.pack("@HP", len(instructions) // 8, ctypes.addressof(buffer))
    if libc.prctl(22, ctypes.c_ulong(2), head, ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise OSError(ctypes.get_errno(), "the kernel refuses a seccomp filter")
