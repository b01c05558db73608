"""Runs the checks of `SandboxContract` against a rung of this machine, outside any test suite.

`run` needs pytest, which comes with `mlesearch[test]`.
"""

from __future__ import annotations

import importlib.util
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mlesearch.sandbox import ladder
from mlesearch.sandbox.protocol import PROMISES
from mlesearch.types import ConfigError, SandboxUnavailable

ORDINARY = "ordinary programs"
"""Of checks that belong to no promise."""

_BY_PROMISE: Mapping[str, tuple[str, ...]] = {
    "net_off": ("network", "unix_socket", "docker_daemon", "families"),
    "data_read_only": (
        "data_is_read_only",
        "attributes_of_data",
        "host_is_not_writable",
        "setting_of_the_machine",
        "nobody_of_rank",
        "own_nothing",
        "runs_as_its_owner",
    ),
    "answers_absent": ("answers", "bundled_data", "harness"),
    "memory_hard": ("memory",),
    "tree_kill": ("daemon", "children", "killed_orchestrator", "termination", "many_processes", "deadline"),
    "disk_bound": ("large_file", "full_disk", "files_without_a_name", "folders_without_end", "files_without_content"),
}
"""Words in the name of a check, by the promise that it proves. The first promise that matches has it."""


_OF_PYTEST = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")


@dataclass(slots=True)
class Checked:
    """What came of the contract's checks on one rung.

    Attributes:
        passed: checks that passed, by promise (or ORDINARY).
        failed: (promise, check, what was wrong) of each that did not.
        skipped: (check, why) of each that can't be made here.
    """

    passed: dict[str, int] = field(default_factory=dict)
    failed: list[tuple[str, str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def describe(self, promise: str) -> str:
        """Of one promise: how many of its checks passed. Those of memory prove its verdict too."""
        promise = "memory_hard" if promise == "oom_signal" else promise
        passed = self.passed.get(promise, 0)
        failed = sum(p == promise for p, _, _ in self.failed)
        return f"{passed} of {passed + failed} checks" if passed + failed else "no check"


def promise_of(check: str) -> str:
    """The promise that a check of the contract proves, or ORDINARY."""
    for promise in PROMISES:
        if any(word in check for word in _BY_PROMISE.get(promise, ())):
            return promise
    return ORDINARY


def run(rung: str, params: Mapping[str, object]) -> Checked:
    """Make every check of the contract against one rung.

    Args:
        rung: its name.
        params: of its `make`.

    Raises:
        ConfigError: pytest isn't installed.
        SandboxUnavailable: the rung does not work here, or the checks were not made to their end.
    """
    if importlib.util.find_spec("pytest") is None:
        raise ConfigError("sandbox check: the checks need pytest; install it with: pip install 'mlesearch[test]'")
    import pytest

    from mlesearch.testing import contract_checks

    sandbox = ladder.make(rung, params)
    options = ["-q", "--no-header", "--no-summary", "--tb=line", "-p", "no:cacheprovider"]
    where = ["--rootdir", "/", "-c", os.devnull, str(Path(contract_checks.__file__))]
    checked = Checked()
    plugin = contract_checks.Plugin(sandbox, partial(_note, checked))
    said = io.StringIO()
    try:
        with _nothing_from_elsewhere(), redirect_stdout(said), redirect_stderr(said):
            code = pytest.main([*options, *where], plugins=[plugin])
    finally:
        sandbox.close()
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or not (checked.passed or checked.failed):
        words = " ".join(said.getvalue().split())[-300:]
        raise SandboxUnavailable(
            f"sandbox check {rung}: the checks were not made to their end: pytest ended with code {int(code)}: {words}"
        )
    return checked


@contextmanager
def _nothing_from_elsewhere() -> Iterator[None]:
    """Keep options and plugins that are meant for other tests of this machine away from pytest."""
    kept = {name: os.environ.pop(name, None) for name in _OF_PYTEST}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _note(checked: Checked, when: str, outcome: str, check: str, words: str) -> None:
    promise = promise_of(check.partition("[")[0])
    if outcome == "skipped":
        checked.skipped.append((check, words))
    elif outcome == "failed":
        checked.failed.append((promise, check, words))
    elif when == "call":
        checked.passed[promise] = checked.passed.get(promise, 0) + 1
