"""JSON messages over a stream socket, each with its length before it. Standard library only."""

from __future__ import annotations

import array
import json
import socket
import struct
from typing import Any


def send(conn: socket.socket, message: dict[str, Any]) -> None:
    """Send one JSON message with its length before it."""
    data = json.dumps(message).encode()
    conn.sendall(struct.pack("=Q", len(data)) + data)


def receive(conn: socket.socket) -> dict[str, Any] | None:
    """Receive one message; None where the other side has gone."""
    head = _receive_exactly(conn, 8)
    data = _receive_exactly(conn, struct.unpack("=Q", head)[0]) if head else None
    return dict(json.loads(data)) if data else None


def send_descriptor(conn: socket.socket, fd: int) -> None:
    """Give the other side a descriptor of an open file; both have it then."""
    socket.send_fds(conn, [b"d"], [fd])


def receive_descriptor(conn: socket.socket) -> int | None:
    """The descriptor that the other side sends, close-on-exec; None where it has gone."""
    data, ancillary, _, _ = conn.recvmsg(1, socket.CMSG_LEN(4), socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for _level, _kind, payload in ancillary:
        fds.frombytes(payload[:4])
    return fds[0] if data and fds else None


def _receive_exactly(conn: socket.socket, count: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < count:
        try:
            part = conn.recv(min(count - len(parts), 1 << 20))
        except ConnectionError:
            return None
        if not part:
            return None
        parts += part
    return bytes(parts)
