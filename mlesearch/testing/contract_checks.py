"""The contract, as pytest collects it for `mlesearch.testing.contract_run`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlesearch.sandbox.protocol import Sandbox
from mlesearch.testing.sandbox_contract import SandboxContract


class TestContract(SandboxContract):
    """Every check, with no gap declared: one that a rung does not keep is shown."""


class Plugin:
    """Gives the checks their sandbox, and tells how each ended."""

    def __init__(self, sandbox: Sandbox, note: Callable[[str, str, str, str], None]) -> None:
        """`note` takes the phase, the outcome, the check's name, and in words why it failed or was left out."""
        self._sandbox, self._note = sandbox, note

    @pytest.fixture(scope="session")
    def sandbox(self) -> Sandbox:
        """The one that is checked."""
        return self._sandbox

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest after each phase of each check."""
        check = report.nodeid.rpartition("::TestContract::")[2]
        words = ""
        if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
            words = str(report.longrepr[2])
        elif report.outcome == "failed":
            crash = getattr(report.longrepr, "reprcrash", None)
            words = str(getattr(crash, "message", report.longrepr)).strip().partition("\n")[0]
        self._note(report.when or "", report.outcome, check, words)
