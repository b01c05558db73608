"""The rung `local` for an ordinary user inside an ordinary container: no capability, namespace or control group."""

from __future__ import annotations

import os
import sys

import pytest

from mlesearch.sandbox.inside import landlock
from mlesearch.sandbox.rungs import docker_daemon, docker_image
from mlesearch.types import SandboxUnavailable
from tests.support.paths import ROOT

try:
    docker_daemon.connect()
except SandboxUnavailable as lack:
    pytest.skip(f"NO DOCKER: {lack}", allow_module_level=True)
if landlock.abi() < 1:
    pytest.skip("this kernel has no Landlock, so there is no local rung", allow_module_level=True)


def in_a_container(*words: str, timeout_s: float = 240) -> str:
    """Run this interpreter in a container, as user 1000, with Docker's own limits and nothing else; its output."""
    client = docker_daemon.connect()
    folders = {"/usr", sys.base_prefix, sys.prefix, str(ROOT), "/etc/passwd", "/etc/ld.so.cache"}
    container = client.containers.run(
        docker_image.host_image(client),
        [sys.executable, *words],
        user="1000:1000",
        network_mode="none",
        working_dir=str(ROOT),
        volumes={path: {"bind": path, "mode": "ro"} for path in folders if os.path.exists(path)},
        tmpfs={"/scratch": "mode=1777,exec,size=2g"},
        environment={"HOME": "/scratch", "TMPDIR": "/scratch", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
        detach=True,
    )
    try:
        code = container.wait(timeout=timeout_s)["StatusCode"]
        said = str(container.logs().decode())
    finally:
        container.remove(force=True, v=True)
        client.close()
    assert code == 0, said
    return said


def contract(expression: str, timeout_s: float = 240) -> str:
    """Tests of the local rung, in a container; the last line of pytest's output."""
    files = ("tests/sandbox/test_local.py", "tests/sandbox/test_local_processes.py")
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *files)
    return in_a_container(*words, "-k", expression, timeout_s=timeout_s).strip().splitlines()[-1]


def test_the_ladder_inside_a_container():
    code = (
        "from mlesearch.sandbox import ladder\nfor rung in ladder.probe(['docker', 'bubblewrap', 'local']):\n"
        "    print(rung.name, rung.works, rung.degree('memory_hard'), rung.degree('answers_absent'))\n"
        "print(ladder.choose('auto').why)"
    )
    said = in_a_container("-c", code).splitlines()
    assert said[:3] == ["docker False held held", "bubblewrap False advisory held", "local True advisory held"]
    assert said[3].startswith("local, the strongest rung that works here; docker: no daemon answers")


def test_attacks_on_the_local_rung_inside_a_container():
    last = contract(
        "TestLocal and (answers or network or unix_socket or signalled or fails_the_program or read_only or "
        "not_writable or device or memory_of_a_child or orchestrator_leaves or harness)"
    )
    assert " passed" in last
    assert "skipped" not in last


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_whole_contract_inside_a_container():
    last = contract("TestLocal or older_kernels or orphans or unused_slots", timeout_s=900)
    assert " passed" in last
    assert "skipped" not in last


def test_unsafe_inside_a_container():
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/sandbox/test_ladder.py", "-k", "unsafe")
    assert in_a_container(*words).strip().splitlines()[-1].startswith("1 passed, 1 skipped")
