"""The docker rung: the shared contract with this machine's interpreter in an empty image, and what is its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from mlesearch.sandbox import docker_image
from mlesearch.sandbox.docker import DockerSandbox
from mlesearch.testing.sandbox_contract import SandboxContract
from mlesearch.types import SandboxUnavailable

try:
    docker_image.connect()
except SandboxUnavailable as lack:
    pytest.skip(f"NO DOCKER: {lack}", allow_module_level=True)


class TestDocker(SandboxContract):
    """Its `sandbox` is the module's."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[DockerSandbox]:
    with closing(DockerSandbox(image="host", warm=False)) as rung:
        yield rung
