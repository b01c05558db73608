"""The bubblewrap rung: the shared contract warm, and what is its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from mlesearch.sandbox.bubblewrap import BubblewrapSandbox
from mlesearch.testing.sandbox_contract import SandboxContract
from mlesearch.types import SandboxUnavailable

try:
    with closing(BubblewrapSandbox(warm=False)) as trial:
        trial.check()
except SandboxUnavailable as lack:
    pytest.skip(f"NO BUBBLEWRAP: {lack}", allow_module_level=True)


class TestBubblewrap(SandboxContract):
    """Its `sandbox` is the module's."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[BubblewrapSandbox]:
    with closing(BubblewrapSandbox(warm=False)) as rung:
        yield rung
