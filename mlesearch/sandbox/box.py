"""A started sandbox as the orchestrator holds it, and the first words to the supervisor inside."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from mlesearch.sandbox import inside, messages
from mlesearch.sandbox.protocol import Slot


@dataclass(frozen=True, slots=True)
class Places:
    """Where a program finds its folders, by the names that hold inside its sandbox.

    Attributes:
        folder: holds work, tmp and home.
        input: the task's public folder.
        weights: the folder of pretrained weights, if any.
        memory: file systems of its own whose content is memory.
    """

    folder: str = "/box"
    input: str = "/input"
    weights: str = "/weights"
    memory: tuple[str, ...] = ("/dev/shm", "/tmp")

    @property
    def work(self) -> str:
        """The working directory."""
        return f"{self.folder}/work"

    @property
    def tmp(self) -> str:
        """TMPDIR."""
        return f"{self.folder}/tmp"

    @property
    def home(self) -> str:
        """HOME."""
        return f"{self.folder}/home"


INSIDE = Places()
"""Of the rungs with a file system of their own."""


class Box(Protocol):
    """A started sandbox whose supervisor waits for its program."""

    conn: socket.socket

    def end(self) -> None:
        """Kill whatever is left of it and forget it; more than once does no harm."""
        ...

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed something in it for memory."""
        ...

    def last_words(self) -> str:
        """What it said when it failed to start."""
        ...


@dataclass(slots=True)
class BoxedSlot(Slot):
    """A started sandbox with its folder."""

    box: Box
    folder: Path


@cache
def sources() -> Mapping[str, str]:
    """The supervisor's modules, as they are sent into a sandbox."""
    folder = Path(__file__).parent
    return {name: (folder / f"{name}.py").read_text() for name in inside.MODULES}


def handshake(conn: socket.socket, message: Mapping[str, Any], fds: Sequence[int]) -> None:
    """Send the supervisor its sources, its request, and what it watches.

    Args:
        conn: to the sandbox.
        message: request and config.
        fds: of the control group's counters, if any.

    Raises:
        OSError: the sandbox has gone.
    """
    messages.send(conn, dict(sources()))
    owner = os.pidfd_open(os.getpid())
    try:
        socket.send_fds(conn, [b"f"], [owner, *fds])
    finally:
        os.close(owner)
    messages.send(conn, dict(message))
