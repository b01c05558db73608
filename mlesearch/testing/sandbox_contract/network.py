"""No network, no socket of the host, no daemon."""

from __future__ import annotations

import os
import socket

import pytest

from mlesearch.testing.sandbox_contract.base import Bench, Checks


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
        if os.environ.get("DOCKER_HOST", "").startswith("unix://"):
            paths.add(os.environ["DOCKER_HOST"].removeprefix("unix://"))
        bench.denied(*(f"import socket\nsocket.socket(socket.AF_UNIX).connect({path!r})" for path in sorted(paths)))
