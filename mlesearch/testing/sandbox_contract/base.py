"""A task with answers for a sandbox to run programs on, and what all checks stand on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from mlesearch.sandbox.protocol import MIB, Job, Limits, Sandbox, Spec
from mlesearch.types import ExecResult

SECRET = "the-answer-is-1234567"
LEAN = Limits(time_s=90, memory_bytes=320 * MIB, disk_bytes=64 * MIB, entries=5000)
QUICK = Limits(time_s=90, memory_bytes=1024 * MIB, disk_bytes=64 * MIB, file_bytes=48 * MIB, processes=200)


@dataclass(frozen=True)
class Bench:
    """A sandbox with a task: run programs by text."""

    sandbox: Sandbox
    root: Path

    @property
    def public(self) -> Path:
        """The task's public folder."""
        return self.root / "public"

    @property
    def private(self) -> Path:
        """The task's answers."""
        return self.root / "private"

    def spec(self, limits: Limits = QUICK) -> Spec:
        """For this task."""
        return Spec(task="contract@1", input_dir=self.public, hidden=(self.private,), limits=limits)

    def run(
        self,
        program: str,
        limits: Limits = QUICK,
        deadline_s: float | None = None,
        collect: tuple[str, ...] = ("submission.csv",),
    ) -> ExecResult:
        """Prepare and run."""
        job = Job("contract", program, limits.time_s if deadline_s is None else deadline_s, self.root / "out", collect)
        return self.sandbox.run(self.sandbox.prepare(self.spec(limits)), job)

    def attempts(self, *programs: str) -> list[str]:
        """Run several short programs in one sandbox, each whatever became of those before it.

        Returns:
            For each of them "allowed", or the exception that ended it.
        """
        result = self.run(_ATTEMPTS.format(programs=json.dumps(programs)))
        assert SECRET not in result.stdout.text + result.stderr.text
        said = [
            line.removeprefix("outcome ") for line in result.stdout.text.splitlines() if line.startswith("outcome ")
        ]
        assert len(said) == len(programs), result
        return said

    def denied(self, *programs: str) -> list[str]:
        """Run short programs in one sandbox; each of them must end with an exception."""
        said = self.attempts(*programs)
        assert "allowed" not in said, dict(zip(programs, said, strict=True))
        return said


_ATTEMPTS = """
import json
for program in json.loads({programs!r}):
    try:
        exec(compile(program, "attempt", "exec"), {{"__name__": "__main__"}})
        said = "allowed"
    except BaseException as error:
        said = type(error).__name__ + ": " + " ".join(str(error).split())[:300]
    print("\\noutcome " + said, flush=True)
"""


class Checks:
    """Base of the checks: a task, and the gaps that a rung declares."""

    known_gaps: ClassVar[Mapping[str, str]] = {}
    """Name of a test: why this rung does not keep it. The test must fail then, so that a closed gap is noticed."""

    @pytest.fixture(autouse=True)
    def _declared_gaps(self, request: pytest.FixtureRequest) -> None:
        reason = self.known_gaps.get(request.node.originalname or request.node.name)
        if reason is not None:
            request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))

    @pytest.fixture
    def bench(self, sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
        """A small task with answers that no program may see."""
        for name in ("public", "private"):
            (tmp_path / name).mkdir()
        (tmp_path / "public" / "train.csv").write_text("id,x,y\n1,2,3\n")
        (tmp_path / "private" / "answers.csv").write_text(SECRET)
        yield Bench(sandbox, tmp_path)
        assert (tmp_path / "public" / "train.csv").read_text() == "id,x,y\n1,2,3\n"
        assert (tmp_path / "private" / "answers.csv").read_text() == SECRET
