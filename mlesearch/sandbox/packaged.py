"""A sandbox that an installed package brings: its identity names the package, recorded executions with it."""

from __future__ import annotations

from collections.abc import Mapping

from mlesearch.sandbox.protocol import Job, Sandbox, Slot, Spec
from mlesearch.types import ExecResult


class PackagedSandbox:
    """The sandbox itself, but for its identity.

    Args:
        inner: what the package's factory made. It may have an attribute `gpu_promise` (how it pins a GPU) and a method
            `notes()` (in words, what is weaker on this machine).
        package: its package and version.
    """

    def __init__(self, inner: Sandbox, package: str) -> None:
        self.inner = inner
        self.gpu_promise = str(getattr(inner, "gpu_promise", ""))
        self._package = package

    @property
    def name(self) -> str:
        """Its own."""
        return self.inner.name

    def identity(self) -> Mapping[str, object]:
        """Its own, with the package; promises are those that it states, so none where it states none."""
        return {"rung": self.inner.name, "promises": [], **self.inner.identity(), "package": self._package}

    def notes(self) -> tuple[str, ...]:
        """Its own, where it has some."""
        return tuple(getattr(self.inner, "notes", tuple)())

    def packages(self) -> Mapping[str, str]:
        """Its own."""
        return self.inner.packages()

    def check(self) -> None:
        """Its own."""
        self.inner.check()

    def prepare(self, spec: Spec) -> Slot:
        """Its own."""
        return self.inner.prepare(spec)

    def run(self, slot: Slot, job: Job) -> ExecResult:
        """Its own."""
        return self.inner.run(slot, job)

    def close(self) -> None:
        """Its own."""
        self.inner.close()

    def reap_orphans(self) -> int:
        """Its own."""
        return self.inner.reap_orphans()
