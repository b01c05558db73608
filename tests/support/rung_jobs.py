"""A task for programs in a sandbox, as small as they come, and jobs for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlesearch.sandbox.protocol import MIB, Job, Limits, Spec

LIMITS = Limits(time_s=20, memory_bytes=1024 * MIB)


def small_spec(folder: Path, limits: Limits = LIMITS, **more: Any) -> Spec:
    """Of a task whose public folder, made here, holds one table."""
    public = folder / "public"
    public.mkdir()
    (public / "train.csv").write_text("id\n")
    return Spec("t@1", public, limits=limits, **more)


def job(folder: Path, program: str, deadline_s: float = 20.0) -> Job:
    """A program, whose files come to `out` in the folder."""
    return Job("a", program, deadline_s, folder / "out")
