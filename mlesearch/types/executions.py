"""What one execution of a program did: its streams, the files that it left, the verdict on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlesearch.types.kinds import ExecStatus


@dataclass(frozen=True, slots=True)
class Captured:
    """One output stream: its head and tail, and how many bytes there were in all.

    Attributes:
        head: the first bytes, decoded; the whole text when nothing was cut.
        tail: the last bytes when something was cut, else empty.
        bytes_seen: length of the whole stream in bytes.
    """

    head: str = ""
    tail: str = ""
    bytes_seen: int = 0

    @property
    def text(self) -> str:
        """Head and tail with a mark where the middle was cut."""
        return f"{self.head}\n[... {self.bytes_seen} bytes in all ...]\n{self.tail}" if self.tail else self.head


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file that a program left, read safely.

    Attributes:
        name: its name in the working directory.
        path: the safe copy on the host; None when it was refused or absent.
        size_bytes: of the copy.
        problem: why it was refused, or "absent"; empty when it was copied.
    """

    name: str
    path: Path | None = None
    size_bytes: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What one execution did. A failed program is this value; a failed sandbox is an exception.

    Attributes:
        status: the supervisor's verdict.
        exit_code: of the main process; None when a signal ended it.
        signal: the signal that ended it; None otherwise.
        wall_us: run time, microseconds, charged.
        cpu_us: user and system time of the tree, microseconds.
        peak_memory_bytes: largest memory of the tree that was seen.
        stdout: captured, without paths of the host.
        stderr: captured, without paths of the host.
        reason: one line that says why it failed (exception type and message, limit that was hit); empty when ok.
        artefacts: by name.
        promises: names of the promises in force (net_off, data_read_only, answers_absent, ...).
        gpu_us: time for which it had a GPU, microseconds (with one GPU, its run time).
        gpu_wait_us: how long it waited for that GPU before it ran: recorded beside the run time.
        gpu_wait_charged: whether that waiting counts as charged time.
    """

    status: ExecStatus
    exit_code: int | None = None
    signal: int | None = None
    wall_us: int = 0
    cpu_us: int = 0
    peak_memory_bytes: int = 0
    stdout: Captured = field(default_factory=Captured)
    stderr: Captured = field(default_factory=Captured)
    reason: str = ""
    artefacts: Mapping[str, Artefact] = field(default_factory=dict)
    promises: tuple[str, ...] = ()
    gpu_us: int = 0
    gpu_wait_us: int = 0
    gpu_wait_charged: bool = False

    @property
    def charged_us(self) -> int:
        """What it costs of a time budget, microseconds."""
        return self.wall_us + (self.gpu_wait_us if self.gpu_wait_charged else 0)
