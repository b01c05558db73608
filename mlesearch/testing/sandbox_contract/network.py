"""No network, no socket of the host, no daemon."""

from __future__ import annotations

import contextlib
import os
import platform
import socket

import pytest

from mlesearch.sandbox.rungs import docker_daemon
from mlesearch.testing.sandbox_contract.base import Bench, Checks
from mlesearch.types import SandboxUnavailable

_FAMILIES = """
import ctypes, socket
libc = ctypes.CDLL(None)
made = set()
for family in range(64):
    for kind in (1, 2, 3, 4, 5, 6, 10, 1 | socket.SOCK_CLOEXEC):
        if {call}:
            made.add(family)
print("made", sorted(made))
"""
_LEGACY = """
import ctypes, mmap, os
def call(number, first, second, third):
    code = b"\\x53\\xb8" + number.to_bytes(4, "little") + b"\\xbb" + first.to_bytes(4, "little") + b"\\xb9"
    code += second.to_bytes(4, "little") + b"\\xba" + third.to_bytes(4, "little") + b"\\xcd\\x80\\x5b\\xc3"
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)  # push rbx; mov eax, ebx, ecx and edx; int 0x80; pop rbx; ret
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
for number, first, second in ((359, 40, 1), (359, 1, 1), (359, 16, 3), (360, 1, 1), (20, 0, 0)):
    child = os.fork()
    if child == 0:
        os._exit(1 if call(number, first, second, 0) >= 0 else 0)
    print(number, first, "made" if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1 else "refused")
"""


class NetworkChecks(Checks):
    """Nothing that a program sends arrives, and nothing answers it."""

    def test_no_network(self, bench: Bench) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            server.setblocking(False)
            udp.setblocking(False)
            tcp_port, udp_port = server.getsockname()[1], udp.getsockname()[1]
            bench.denied(
                f"import socket\nsocket.create_connection(('127.0.0.1', {tcp_port}), 2)",
                f"import socket\nsocket.create_connection(('::1', {tcp_port}), 2)",
                "import socket\nsocket.create_connection(('192.0.2.1', 80), 2)",
                "import socket\nprint(socket.gethostbyname('example.org'))",
                "import urllib.request\nurllib.request.urlopen('http://example.org', timeout=2)",
            )
            bench.attempts(f"import socket\nsocket.socket(2, 2).sendto(b'x', ('127.0.0.1', {udp_port}))")
            with pytest.raises(BlockingIOError):
                server.accept()
            with pytest.raises(BlockingIOError):
                udp.recv(1)

    @pytest.mark.parametrize("abstract", [True, False])
    def test_no_unix_socket_of_the_host(self, bench: Bench, abstract: bool) -> None:
        address = f"\0contract-{os.getpid()}" if abstract else str(bench.root / "s")
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            server.bind(address)
            server.listen(1)
            server.setblocking(False)
            receiver.bind(f"{address}d")
            receiver.setblocking(False)
            bench.denied(f"import socket\nsocket.socket(socket.AF_UNIX).connect({address!r})")
            pair = "import socket\na, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            bench.attempts(
                f"{pair}a.sendto(b'x', {address + 'd'!r})", f"{pair}a.connect({address + 'd'!r}); a.send(b'x')"
            )
            with pytest.raises(BlockingIOError):
                server.accept()
            with pytest.raises(BlockingIOError):
                receiver.recv(1)

    def test_no_docker_daemon(self, bench: Bench) -> None:
        paths = {"/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"}
        with contextlib.suppress(SandboxUnavailable):
            url = os.environ.get("DOCKER_HOST") or docker_daemon.place(os.environ).url
            paths |= {url.removeprefix("unix://")} if url.startswith("unix://") else set()
        bench.denied(*(f"import socket\nsocket.socket(socket.AF_UNIX).connect({path!r})" for path in sorted(paths)))

    def test_families_of_sockets_are_those_that_a_network_namespace_separates(self, bench: Bench) -> None:
        said = bench.run(_FAMILIES.format(call="libc.socket(family, kind, 0) >= 0")).stdout.text
        assert said in ("made []\n", "made [1, 2]\n", "made [1, 2, 10]\n"), said

    def test_families_of_socket_pairs(self, bench: Bench) -> None:
        said = bench.run(
            _FAMILIES.format(call="libc.socketpair(family, kind, 0, (ctypes.c_int * 2)()) >= 0")
        ).stdout.text
        assert said == "made [1]\n", said

    def test_families_by_calls_of_32_bits(self, bench: Bench) -> None:
        if platform.machine() != "x86_64":
            pytest.skip("this processor has no such calls")
        result = bench.run(_LEGACY)
        assert result.stdout.text.split("\n")[:-1] == [
            "359 40 refused",
            "359 1 refused",
            "359 16 refused",
            "360 1 refused",
            "20 0 refused",
        ], result

    def test_network_of_the_hypervisor(self, bench: Bench) -> None:
        bench.denied(
            "import socket\ns = socket.socket(40, 1)\ns.bind((0xFFFFFFFF, 45123))\ns.listen(1)",
            "import socket\nsocket.socket(40, 2).sendto(b'x', (2, 45123))",
            "import socket\nsocket.socket(40, 5).connect((2, 45123))",
            "import socket\nsocket.socket(38, 5)",
            "import os\nos.open('/dev/vsock', os.O_RDONLY)",
        )
