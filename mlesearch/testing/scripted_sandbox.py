"""A sandbox that runs nothing: a function says what each program did. For tests and benchmarks of the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlesearch.sandbox.protocol import Job, Slot, Spec
from mlesearch.types import Artefact, Captured, ExecResult, ExecStatus, SandboxUnavailable

JobScript = Callable[[Job], Mapping[str, Any]]
KEYS = ("status", "submission", "stdout", "stderr", "wall_us", "reason")


class ScriptedSandbox:
    r"""Answers every job from a script, in this process, in no time.

    Args:
        script: job to a mapping with any of `status` (default "ok"), `submission` (text of submission.csv, or None
            for a program that left none), `stdout`, `stderr`, `wall_us` (default 1000) and `reason`. It may raise
            `SandboxUnavailable` to be a sandbox that failed.
        promises: what every result states.

    Example:
        >>> sandbox = ScriptedSandbox(lambda job: {"submission": "id,y\n1,0\n"})
    """

    name = "scripted"

    def __init__(self, script: JobScript, promises: tuple[str, ...] = ()) -> None:
        self._script = script
        self._promises = promises
        self.jobs: list[str] = []
        """Addresses in the order they were run."""
        self.closed = False

    def identity(self) -> Mapping[str, object]:
        """The rung's name alone: nothing of the machine changes a scripted result."""
        return {"rung": self.name, "promises": list(self._promises)}

    def packages(self) -> Mapping[str, str]:
        """The same on every machine, so that prompts are."""
        return {"numpy": "2.0", "pandas": "2.2", "scikit-learn": "1.5"}

    def check(self) -> None:
        """Always works."""

    def prepare(self, spec: Spec) -> Slot:
        """A slot that holds nothing."""
        return Slot(spec)

    def run(self, slot: Slot, job: Job) -> ExecResult:
        """What the script says of this job; a submission is written into the outbox.

        Raises:
            KeyError: the script used a key that is not one of KEYS.
            SandboxUnavailable: the script raised it, or the sandbox is closed.
        """
        if self.closed:
            raise SandboxUnavailable("sandbox scripted: it is closed")
        said = self._script(job)
        unknown = sorted(set(said) - set(KEYS))
        if unknown:
            raise KeyError(f"scripted sandbox: unknown keys {unknown}; allowed: {', '.join(KEYS)}")
        self.jobs.append(job.address)
        status = ExecStatus(said.get("status", "ok"))
        return ExecResult(
            status=status,
            exit_code=0 if status is ExecStatus.OK else 1,
            wall_us=int(said.get("wall_us", 1000)),
            stdout=_captured(said.get("stdout", "")),
            stderr=_captured(said.get("stderr", "")),
            reason=str(said.get("reason", "")),
            artefacts={name: self._artefact(job, name, said) for name in job.collect},
            promises=self._promises,
        )

    def close(self) -> None:
        """Refuse further runs."""
        self.closed = True

    def reap_orphans(self) -> int:
        """Nothing is ever left behind."""
        return 0

    @staticmethod
    def _artefact(job: Job, name: str, said: Mapping[str, Any]) -> Artefact:
        text = said.get("submission") if name == "submission.csv" else None
        if text is None:
            return Artefact(name, problem="absent")
        data = str(text).encode()
        job.check_owner()
        job.outbox.mkdir(parents=True, exist_ok=True)
        path = job.outbox / name
        path.write_bytes(data)
        return Artefact(name, path=path, size_bytes=len(data))


def _captured(text: str) -> Captured:
    return Captured(head=text, bytes_seen=len(text.encode()))
