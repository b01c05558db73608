"""From a supervisor's report to a result; what all rungs tell their supervisors and ask of their disk."""

from __future__ import annotations

import select
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlesearch.sandbox.inside import messages
from mlesearch.sandbox.protocol import MIB, Job, Limits, Spec
from mlesearch.sandbox.results import artefacts, verdict
from mlesearch.types import ExecResult

PATIENCE_S = 90.0
"""How much longer than its deadline a program may take to be sealed, ended and reported."""


def numbers(limits: Limits) -> dict[str, int]:
    """What the supervisor enforces."""
    return {
        "memory_bytes": limits.memory_bytes,
        "cpu_count": limits.cpu_count,
        "disk_bytes": limits.disk_bytes,
        "file_bytes": limits.file_bytes,
        "output_bytes": limits.output_bytes,
        "processes": limits.processes,
        "entries": limits.entries,
    }


def ask(conn: socket.socket, job: Job, cpus: Sequence[int]) -> dict[str, Any] | None:
    """Hand a supervisor its program and wait for its report; None where it has died or does not answer.

    Args:
        conn: to the supervisor.
        job: the program.
        cpus: that it may run on.
    """
    try:
        messages.send(
            conn,
            {
                "program": job.program,
                "deadline_s": job.deadline_s,
                "cpus": list(cpus),
                "environment": {} if job.gpu is None else dict(job.gpu.environment()),
                "lease": job.gpu is not None,
            },
        )
        if job.gpu is not None:
            messages.send_descriptor(conn, job.gpu.fd)
    except OSError:
        return None
    return hear(conn, job.deadline_s + PATIENCE_S)


def hear(conn: socket.socket, within_s: float) -> dict[str, Any] | None:
    """What a supervisor says next; None where it has died or says nothing for so long."""
    try:
        return messages.receive(conn) if select.select([conn], [], [], within_s)[0] else None
    except (OSError, ValueError):  # ValueError: another thread has closed it
        return None


def result(
    seen: Mapping[str, Any], spec: Spec, job: Job, work: Path, shown: Mapping[str, str], promises: tuple[str, ...]
) -> ExecResult:
    """From the supervisor's report to a result, with the safe copies of what the program left.

    Args:
        seen: the report.
        spec: of the slot.
        job: that was run.
        work: the working folder on the host; its program has ended.
        shown: what the program's output shows in place of paths.
        promises: in force.
    """
    rewrite = verdict.PathRewriter.of(shown)
    stdout, stderr = (verdict.captured(stream, rewrite) for stream in seen["streams"])
    status, reason = verdict.judge(seen, stderr, numbers(spec.limits))
    most, usable = spec.limits.file_bytes, dict(spec.artefact_bytes)
    sizes = {name: min(most, usable.get(name, most)) for name in job.collect}
    job.check_owner()
    left = artefacts.collect(work, sizes, job.outbox)
    return ExecResult(
        status=status,
        exit_code=seen["exit_code"],
        signal=seen["signal"],
        wall_us=seen["wall_us"],
        cpu_us=seen["cpu_us"],
        peak_memory_bytes=seen["peak_memory_bytes"],
        stdout=stdout,
        stderr=stderr,
        reason=reason,
        artefacts=left,
        promises=promises,
    )


def killed_for_memory(limits: Limits, wall_s: float) -> dict[str, Any]:
    """The report of a supervisor that the kernel killed together with its program.

    Args:
        limits: of the program.
        wall_s: since it was started.
    """
    nothing = {"head": "", "tail": "", "seen": 0}
    return {
        "limit": ("oom", f"used more than its memory limit of {limits.memory_bytes / MIB:g} MiB"),
        "exit_code": None,
        "signal": 9,
        "left": 0,
        "wall_us": round(wall_s * 1e6),
        "cpu_us": 0,
        "peak_memory_bytes": limits.memory_bytes,
        "peak_tasks": 0,
        "streams": [nothing, nothing],
    }
