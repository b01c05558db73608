"""A started sandbox as the orchestrator holds it, and the first words to the supervisor inside."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from mlesearch.sandbox.inside import init, messages
from mlesearch.sandbox.protocol import GIB, MIB, Limits, Slot
from mlesearch.sandbox.results import report
from mlesearch.types import SandboxUnavailable

START_TIMEOUT_S = 60.0
OVERHEAD_BYTES = 32 * MIB
"""Of the supervisor inside; added to the memory limit of the control group."""

IMPORTS_BYTES = GIB
"""What the usual libraries may take while they are imported ahead. What they hold then counts as no program's."""


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

    def limit_memory(self, memory_bytes: int) -> None:
        """From now on all of it together may hold so much."""
        ...

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed something in it for memory."""
        ...

    def last_words(self) -> str:
        """What it said when it failed to start."""
        ...

    def names(self) -> Mapping[str, str]:
        """What a program's output shows in place of names that are this sandbox's alone."""
        ...


@dataclass(slots=True)
class BoxedSlot(Slot):
    """A started sandbox with its folder.

    Attributes:
        box: the sandbox.
        folder: on the host.
        warm: whether it imports the usual libraries.
    """

    box: Box
    folder: Path
    warm: bool
    _said: dict[str, Any] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_until_ready(self) -> dict[str, Any] | None:
        """What its supervisor says when all is imported, or why it is not; None where it has died.

        From then on the program's own limit holds, above what the imports hold.
        """
        with self._lock:
            if self._said is None:
                said = report.hear(self.box.conn, START_TIMEOUT_S)
                if self.warm and said is not None and "failed" not in said:
                    total = self.spec.limits.memory_bytes + OVERHEAD_BYTES + said["before_bytes"]
                    try:
                        self.box.limit_memory(total)
                    except (SandboxUnavailable, OSError) as error:
                        said = {"failed": f"its memory can't be limited ({error}); sandbox.warm=off does without"}
                self._said = said
            return self._said


def memory_at_start(limits: Limits, warm: bool) -> int:
    """Memory limit of a sandbox until it is ready, in bytes."""
    return limits.memory_bytes + OVERHEAD_BYTES + (IMPORTS_BYTES if warm else 0)


@cache
def sources() -> Mapping[str, str]:
    """The supervisor's modules, as they are sent into a sandbox."""
    folder = Path(init.__file__).parent
    return {name: (folder / f"{name}.py").read_text(encoding="utf-8") for name in init.MODULES}


def boot(python: str, address: str, become: int | None = None) -> list[str]:
    """The command that starts a supervisor inside.

    Args:
        python: the interpreter's path inside.
        address: of the orchestrator: the number of a socket's descriptor, or the path of a socket to connect to.
        become: the user and group that it becomes before anything else; None: it stays who it is.
    """
    who = [] if become is None else [str(become)]
    return [python, "-s", "-P", "-S", "-B", "-c", init.BOOT, "init", address, *who]


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
