"""The docker rung: the shared contract with this machine's interpreter in an empty image, and what is its own."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from mlesearch.operators.syntax import fault_here
from mlesearch.sandbox import scratch
from mlesearch.sandbox.protocol import Spec
from mlesearch.sandbox.rungs import docker_image
from mlesearch.sandbox.rungs.docker import DockerSandbox
from mlesearch.sandbox.syntax import syntax_check
from mlesearch.storage import processes
from mlesearch.testing.sandbox_contract import SandboxContract
from mlesearch.types import SandboxUnavailable
from tests.support.rung_jobs import job, small_spec

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


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    return small_spec(tmp_path)


def test_the_interpreter_of_the_container_judges_syntax(sandbox):
    """With this machine's interpreter in the image there is no need to; what it says is the same."""
    assert syntax_check(sandbox, fault_here) is fault_here
    programs = ["print(1)\n", "x = (\n", "x = '\0'\n"]
    assert [sandbox._compiler.fault(p) for p in programs] == [fault_here(p) for p in programs]
    sandbox._compiler.close()
    mine = {"label": f"org.mlesearch.owner={processes.owner()}"}
    assert [c for c in sandbox._client().api.containers(all=True, filters=mine) if "compiler" in c["Names"][0]] == []


def test_a_container_that_ends_at_its_start_is_said_with_what_to_do(sandbox, spec, monkeypatch):
    monkeypatch.setattr("mlesearch.sandbox.rungs.mounts.executable", lambda python: "/usr/bin/true")
    root = scratch.root()
    with pytest.raises(SandboxUnavailable) as error:
        sandbox.prepare(spec)
    why, _, todo = str(error.value).partition("; ")
    assert why == "sandbox docker: the container ended at its start"
    assert (
        todo == f"where SELinux is on, containers may use the scratch folder after: chcon -Rt container_file_t {root}"
    )
    assert list(sandbox._owned().path.glob("*/work")) == []


def image_without_python(client) -> str:
    """An image whose `python3` is a shell script: it says what one is asked for, and ends."""
    seen = {"python": ["/bin/python3", "/usr", "/usr", [], "/lib"], "version": [3, 12], "covered": [], "packages": {}}
    needed = subprocess.run(["ldd", "/bin/sh"], capture_output=True, text=True, check=True).stdout
    files = {path: Path(path).read_bytes() for path in ("/bin/sh", *re.findall(r"/\S+", needed))}
    files["/bin/python3"] = f"#!/bin/sh\necho '{json.dumps(seen)}'\n".encode()
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, data in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
    client.api.import_image_from_data(stream.getvalue(), repository="mlesearch-test", tag="no-python")
    return "mlesearch-test:no-python"


def test_an_image_in_which_nothing_starts_is_said_with_what_to_do(spec):
    client = docker_image.connect()
    image = image_without_python(client)
    try:
        with closing(DockerSandbox(image=image, warm=False)) as sandbox:
            trial = (
                f"the container ended at its start; see what `docker run --rm {image} python3 -V` says; where SELinux"
            )
            with pytest.raises(SandboxUnavailable, match=trial):
                sandbox.prepare(spec)
    finally:
        client.api.remove_image(image, force=True)
        client.close()


class Front:
    """A socket before the daemon's own, which passes everything on until it is closed."""

    def __init__(self, folder: str) -> None:
        self._daemon = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
        self.path = f"{folder}/s"
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours, theirs = self._listener.accept()[0], socket.socket(socket.AF_UNIX)
                theirs.connect(self._daemon)
                self._open += [ours, theirs]
                for pair in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        os.unlink(self.path)
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def test_a_daemon_that_goes_away_is_said_and_leaves_no_folder(spec, tmp_path, monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        front = Front(folder)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{front.path}")
        sandbox = DockerSandbox(image="host", warm=False)
        whole, killed, unused = (sandbox.prepare(spec) for _ in range(3))
        killed.box._api.kill(killed.box._id)
        front.close()
        for slot in (whole, killed):
            with pytest.raises(SandboxUnavailable, match="sandbox docker: the daemon failed: "):
                sandbox.run(slot, job(tmp_path, "print(1)"))
            assert not slot.folder.exists()
        with pytest.raises(SandboxUnavailable, match="sandbox docker: the daemon failed: "):
            sandbox.prepare(spec)
        sandbox.close()
        assert not unused.folder.parent.exists()


def test_a_daemon_that_goes_away_while_it_builds_is_said(monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        front = Front(folder)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{front.path}")
        client = docker_image.connect()
        front.close()
        monkeypatch.setattr(docker_image, "connect", lambda: client)
        with pytest.raises(SandboxUnavailable, match="sandbox docker: the daemon failed: "):
            docker_image.build()
        client.close()
