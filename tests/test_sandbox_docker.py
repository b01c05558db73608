"""The docker rung: the shared contract with this machine's interpreter in an empty image, and what is its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from mlesearch.sandbox.docker import DockerSandbox
from mlesearch.testing.sandbox_contract import SandboxContract


class TestDocker(SandboxContract):
    """Its `sandbox` is the module's."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[DockerSandbox]:
    with closing(DockerSandbox(image="host", warm=False)) as rung:
        yield rung
