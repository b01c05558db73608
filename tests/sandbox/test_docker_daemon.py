"""Which docker daemon is spoken to: DOCKER_HOST, the docker command's context, and sockets of one user's daemons."""

import hashlib
import json
import os
import socketserver
import tempfile
import threading
from pathlib import Path

import pytest

from mlesearch.sandbox.rungs import docker_daemon
from mlesearch.types import SandboxUnavailable


class Answers(socketserver.StreamRequestHandler):
    """As much of a daemon as says that it is there."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            body = b'{"ApiVersion": "1.44", "MinAPIVersion": "1.24"}' if b"/version" in line else b"OK"
            kind = b"application/json" if b"/version" in line else b"text/plain"
            head = b"HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
            self.wfile.write(head % (kind, len(body)) + body)


class Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def listen():
    servers = []

    def at(path: Path) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        server = Daemon(str(path), Answers)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"unix://{path}"

    yield at
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def home(monkeypatch):
    """A user's folders, in a short path as sockets need; nothing of this machine's docker is seen."""
    with tempfile.TemporaryDirectory(prefix="home-") as folder:
        yield _alone_in(Path(folder), monkeypatch)


def _alone_in(folder, monkeypatch):
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
    monkeypatch.setattr(docker_daemon, "DEFAULT", f"unix://{folder}/default.sock")
    return folder


def context(home: Path, name: str, host: str, *, current: bool = True) -> None:
    """A context as `docker context create` writes it."""
    folder = home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    (folder / "meta.json").write_text(json.dumps(meta))
    if current:
        (home / ".docker/config.json").write_text(json.dumps({"currentContext": name}))


def test_the_current_context_is_followed(home, listen):
    url = listen(home / "elsewhere.sock")
    context(home, "mine", url)
    found = docker_daemon.place(os.environ)
    assert (found.url, found.why) == (url, "the context 'mine'")
    assert docker_daemon.connect().ping()


def test_the_variable_for_a_context_goes_before_the_current_one(home, listen, monkeypatch):
    context(home, "mine", "unix:///nowhere.sock")
    context(home, "other", listen(home / "other.sock"), current=False)
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    assert docker_daemon.connect().ping()
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert docker_daemon.place(os.environ).url == docker_daemon.DEFAULT


def test_docker_host_goes_before_all(home, listen, monkeypatch):
    context(home, "mine", "unix:///nowhere.sock")
    monkeypatch.setenv("DOCKER_HOST", listen(home / "named.sock"))
    assert docker_daemon.connect().ping()


@pytest.mark.parametrize(
    "path",
    [
        "run/docker.sock",
        ".docker/run/docker.sock",
        ".docker/desktop/docker.sock",
        ".colima/default/docker.sock",
        ".config/colima/default/docker.sock",
    ],
)
def test_a_daemon_of_one_user_is_found(home, listen, path):
    url = listen(home / path)
    assert docker_daemon.place(os.environ).url == url
    assert docker_daemon.connect().ping()
    (home / "default.sock").parent.mkdir(exist_ok=True)
    default = listen(home / "default.sock")
    assert docker_daemon.place(os.environ).url == default, "the default socket goes before them"


def test_podman_is_named_and_not_used(home, listen):
    url = listen(home / "run/podman/podman.sock")
    with pytest.raises(SandboxUnavailable, match=r"podman answers elsewhere: .* use DOCKER_HOST=") as raised:
        docker_daemon.connect()
    assert str(raised.value).endswith(f"DOCKER_HOST={url}")


def test_a_dead_context_names_the_socket_that_answers(home, listen):
    """The row of docker-py#3146: `docker ps` works elsewhere."""
    context(home, "mine", f"unix://{home}/dead.sock")
    url = listen(home / "default.sock")
    with pytest.raises(SandboxUnavailable) as raised:
        docker_daemon.connect()
    said = str(raised.value)
    assert f"there is no socket at unix://{home}/dead.sock, which the context 'mine' names" in said
    assert said.endswith(f"use DOCKER_HOST={url}")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "there is no such context"), ("{", "can't be read"), ("[]", "can't be read"), ("{}", "can't be read")],
)
def test_a_context_that_is_absent_or_damaged_is_named(home, content, words):
    context(home, "mine", "unix:///x")
    (meta,) = home.rglob("meta.json")
    meta.unlink() if content is None else meta.write_text(content)
    with pytest.raises(SandboxUnavailable, match=words) as raised:
        docker_daemon.connect()
    assert "'mine'" in str(raised.value)
    assert "docker context use" in str(raised.value)


def test_nothing_at_all_says_what_to_do(home):
    with pytest.raises(SandboxUnavailable, match=r"there is no socket\); start it, or set DOCKER_HOST to its socket$"):
        docker_daemon.connect()
