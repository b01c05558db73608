"""The filter of system calls: decides as written, call numbers are the kernel's."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from mlesearch.sandbox.inside import seccomp


@pytest.mark.parametrize("machine", sorted(seccomp.ARCHITECTURES))
@pytest.mark.parametrize("own_pid", [None, 4242])
@pytest.mark.parametrize("guard_truncate", [False, True])
def test_the_filter_decides_as_written(machine: str, own_pid: int | None, guard_truncate: bool) -> None:
    column, audit = seccomp.ARCHITECTURES[machine]
    code = seccomp.program(machine, own_pid, guard_truncate)

    def answer(number: int, *arguments: int, arch: int = audit) -> int:
        return _run_filter(code, number, arch, arguments)

    allow, eperm, nothing, enosys = 0x7FFF0000, 0x00050001, 0x00050000, 0x00050026
    read, openat, truncate = ((0, 257, 76), (63, 56, 45))[column]
    assert answer(read, 0) == allow
    assert answer(read, 0, arch=1) == eperm
    assert answer((41, 198)[column], 1, 1) == eperm  # socket
    assert answer((90, 52)[column]) == nothing  # chmod, fchmod
    assert answer(435) == enosys  # clone3
    clone, pair, send, limit = ((56, 53, 44, 302), (220, 199, 206, 261))[column]
    assert answer(clone, 0x01200011) == allow
    assert [answer(clone, flag) for flag in (0x10000000, 0x20000, 0x40000000)] == [eperm] * 3
    assert answer(pair, 1, 0x80001) == allow
    assert [answer(pair, *pair_of) for pair_of in ((1, 2), (2, 1), (1, 5))] == [eperm] * 3
    assert answer(send, 3, 0, 0, 0, 0) == allow
    assert [answer(send, 3, 0, 0, 0, address) for address in (1, 1 << 40)] == [eperm] * 2
    assert (answer(limit, 0), answer(limit, 99)) == (allow, eperm)
    nice = (141, 140)[column]
    assert [answer(nice, *whose, 19) for whose in ((0, 0), (0, 99), (1, 0), (2, 0))] == [allow, eperm, eperm, eperm]
    shared = ((29, 30, 31, 64, 65, 66, 68, 69, 70, 71, 220, 240, 241), (180, 181, *range(186, 197)))[column]
    assert {answer(number) for number in shared} == {eperm}
    fcntl, ioctl = ((72, 16), (25, 29))[column]
    owned = allow if own_pid is None else eperm
    assert {answer(fcntl, 3, command) for command in (8, 10, 15, 1026)} == {owned}
    assert {answer(ioctl, 3, request) for request in (0x8901, 0x8902)} == {owned}
    assert {answer(fcntl, 3, command) for command in (0, 1, 2, 3, 4, 6, 9, 1030, 1031)} == {allow}
    assert [answer(ioctl, 3, request) for request in (0x5401, 0x541B, 0x5412)] == [allow, allow, eperm]
    kill = (62, 129)[column]
    assert answer(kill, 99) == (allow if own_pid is None else eperm)
    assert answer(kill, 4242) == answer(kill, 0) == allow
    assert answer(truncate) == (eperm if guard_truncate else allow)
    assert answer(openat, 0, 0, 0o1001) == answer(openat, 0, 0, 0) == allow
    assert answer(openat, 0, 0, 0o1000) == (eperm if guard_truncate else allow)


@pytest.mark.parametrize("machine", sorted(seccomp.ARCHITECTURES))
def test_families_of_sockets_are_an_allow_list(machine: str) -> None:
    column, audit = seccomp.ARCHITECTURES[machine]
    code = seccomp.program(machine, namespaced=True)
    no_family = 0x00050000 | errno.EAFNOSUPPORT
    for number in ((41, 53), (198, 199))[column]:  # socket, socketpair
        families = (*range(64), 1 << 31, (1 << 32) - 1)
        seen = {family: _run_filter(code, number, audit, (family, 1)) for family in families}
        assert {family for family, answer in seen.items() if answer == 0x7FFF0000} == {1, 2, 10}
        assert {answer for family, answer in seen.items() if family not in (1, 2, 10)} == {no_family}
        assert _run_filter(code, number, 0x40000003, (1, 1)) == 0x00050001, "a call of another architecture"
    if machine == "x86_64":
        assert _run_filter(code, 41 | 0x40000000, audit, (1, 1)) == 0x00050001, "x32"


@pytest.mark.parametrize("namespaced", [False, True])
@pytest.mark.parametrize("machine", sorted(seccomp.ARCHITECTURES))
def test_no_file_is_made_that_runs_as_its_owner(machine: str, namespaced: bool) -> None:
    column, audit = seccomp.ARCHITECTURES[machine]
    allow, eperm, nothing = 0x7FFF0000, 0x00050001, 0x00050000
    for guard_truncate in (False, True):
        code = seccomp.program(machine, guard_truncate=guard_truncate, namespaced=namespaced)

        def answer(number: int, *arguments: int, code: bytes = code) -> int:
            return _run_filter(code, number, audit, arguments)

        openat, mknodat, fchmod, fchmodat = ((257, 259, 91, 268), (56, 33, 52, 53))[column]
        tmpfile = 0o20000000 | 0o200000 | 2
        for flags in (0o101, tmpfile):
            assert [answer(openat, 3, 0, flags, mode) for mode in (0o777, 0o4755, 0o2755)] == [allow, eperm, eperm]
        assert answer(openat, 3, 0, 1, 0o4755) == allow, "where nothing is made the mode means nothing"
        assert [answer(mknodat, 3, 0, 0o100000 | mode) for mode in (0o644, 0o4755)] == [allow, eperm]
        assert answer(437) == 0x00050026, "openat2 has its mode in memory"
        usual = allow if namespaced else nothing
        assert [answer(fchmod, 3, mode) for mode in (0o755, 0o4755, 0o2755)] == [usual, nothing, nothing]
        assert [answer(fchmodat, 3, 0, mode) for mode in (0o755, 0o6755)] == [usual, nothing]
        if machine == "x86_64":
            assert [answer(2, 0, 0o101, mode) for mode in (0o644, 0o4755)] == [allow, eperm]  # open
            assert [answer(85, 0, mode) for mode in (0o644, 0o4755)] == [allow, eperm]  # creat
            assert [answer(133, 0, mode) for mode in (0o100644, 0o104755)] == [allow, eperm]  # mknod


def _run_filter(code: bytes, number: int, arch: int, arguments: tuple[int, ...]) -> int:
    """A small interpreter of the BPF instructions that the filter uses."""
    import struct

    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("=IIQ6Q", number, arch, 0, *padded)
    steps = list(struct.iter_unpack("=HBBI", code))
    at = accumulator = 0
    while True:
        op, true, false, k = steps[at]
        at += 1
        if op == 0x20:
            accumulator = struct.unpack_from("=I", data, k)[0]
        elif op == 0x54:
            accumulator &= k
        elif op == 0x06:
            return k
        else:
            hit = {0x15: accumulator == k, 0x35: accumulator >= k, 0x45: bool(accumulator & k)}[op]
            at += true if hit else false


INCLUDE = Path("/usr/include")
HEADERS = {
    "x86_64": (INCLUDE / "x86_64-linux-gnu" / "asm" / "unistd_64.h", r"#define __NR_(\w+)\s+(\d+)"),
    "aarch64": (INCLUDE / "asm-generic" / "unistd.h", r"#define __NR(?:3264)?_(\w+)\s+(\d+)"),
}


@pytest.mark.parametrize("machine", sorted(HEADERS))
def test_call_numbers_are_the_kernels(machine: str) -> None:
    header, pattern = HEADERS[machine]
    if not header.exists():
        pytest.skip("no kernel headers on this machine to compare call numbers with")
    known = dict(re.findall(pattern, header.read_text()))
    column = seccomp.ARCHITECTURES[machine][0]
    compared = 0
    for table in (seccomp._EPERM, seccomp._NOTHING, seccomp._ENOTSUP):
        for name, numbers in table.items():
            if name in known and numbers[column] is not None:
                assert numbers[column] == int(known[name]), name
                compared += 1
    for name in ("clone", "fcntl", "ioctl", "kill", "openat", "prctl", "setpriority", "truncate"):
        assert getattr(seccomp, f"_{name.upper()}")[column] == int(known[name]), name
    for name in (
        "socket",
        "socketpair",
        "mknodat",
        *(name for name in ("open", "creat", "mknod") if machine == "x86_64"),
    ):
        assert getattr(seccomp, f"_{name.upper()}")[column] == int(known[name]), name
    assert [numbers[column] for numbers in seccomp._IN_MEMORY] == [int(known["clone3"]), int(known["openat2"])]
    assert compared > 60
