"""Keeps the head and the tail of an output stream and counts the rest. Standard library only."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections import deque

_CHUNK = 1 << 20
_F_SETPIPE_SZ = 1031


class Pump:
    """One pipe that a program writes to; memory stays within `keep_bytes` and a chunk."""

    def __init__(self, keep_bytes: int) -> None:
        self.read_fd, self.write_fd = os.pipe()
        with contextlib.suppress(OSError):  # a user may own only so many large pipes; a small one is slower, no more
            fcntl.fcntl(self.write_fd, _F_SETPIPE_SZ, _CHUNK)
        os.set_blocking(self.read_fd, False)
        self.seen = 0
        self.open = True
        self._head_room = keep_bytes // 2
        self._tail_room = keep_bytes - self._head_room
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0

    def start(self) -> None:
        """After the fork: only the program keeps the writing end."""
        os.close(self.write_fd)

    def read(self) -> bool:
        """Take what is there. False at the end of the stream."""
        try:
            chunk = os.read(self.read_fd, _CHUNK)
        except BlockingIOError:
            return True
        if not chunk:
            os.close(self.read_fd)
            self.open = False
            return False
        self.seen += len(chunk)
        room = self._head_room - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        if chunk:
            self._tail.append(chunk[-self._tail_room :])
            self._tail_bytes += len(self._tail[-1])
            while self._tail_bytes - len(self._tail[0]) >= self._tail_room:
                self._tail_bytes -= len(self._tail.popleft())
        return True

    @property
    def head(self) -> bytes:
        """The first bytes; the whole stream when it fits head and tail together."""
        return bytes(self._head) + (b"" if self._cut else b"".join(self._tail))

    @property
    def tail(self) -> bytes:
        """The last bytes when something was left out, else empty."""
        return b"".join(self._tail)[-self._tail_room :] if self._cut else b""

    @property
    def _cut(self) -> bool:
        return self.seen > self._head_room + self._tail_room
