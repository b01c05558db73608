"""Which docker daemon is spoken to: the one that the docker command would speak to, as its documentation orders it.

DOCKER_HOST first; then the context that DOCKER_CONTEXT names, or that ~/.docker/config.json has as the current one
(docs.docker.com, "Docker contexts"); else the default socket. Where nothing is there, the sockets of a rootless daemon,
of Docker Desktop and of colima are tried, which serve one user. A socket of podman is only named in the message: it
speaks docker's interface, but what the rung promises was never proved there.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlesearch.types import SandboxUnavailable

TIMEOUT_S = 60
DEFAULT = "unix:///var/run/docker.sock"
_TRIED_S = 2.0


@dataclass(frozen=True, slots=True)
class DaemonPlace:
    """Where a daemon listens.

    Attributes:
        url: as DOCKER_HOST has it; empty: what docker's own library takes from the environment.
        why: what names it, in words.
        tls: of docker's library, where it is reached by network; None elsewhere.
    """

    url: str
    why: str
    tls: Any = None


def connect() -> Any:
    """A client of the daemon.

    Raises:
        SandboxUnavailable: none answers; the text says what to do.
    """
    import docker

    found = place(os.environ)
    try:
        if found.url:
            client = docker.DockerClient(base_url=found.url, tls=found.tls or False, timeout=TIMEOUT_S)
        else:
            client = docker.from_env(timeout=TIMEOUT_S)
        client.ping()
    except Exception as error:  # docker-py raises errors of requests, urllib3 and its own, by version
        raise SandboxUnavailable(f"sandbox docker: no daemon answers {_why_not(found, error)}") from error
    return client


def place(environ: Mapping[str, str]) -> DaemonPlace:
    """The daemon that these variables, the files of the docker command and the sockets that are there point to.

    Raises:
        SandboxUnavailable: they name a context that there is not, or whose files are damaged.
    """
    if environ.get("DOCKER_HOST"):
        return DaemonPlace("", "DOCKER_HOST")
    named = _context(environ)
    if named is not None:
        return named
    default = DaemonPlace(DEFAULT, "the default socket")
    if _answers(DEFAULT):
        return default
    return next((DaemonPlace(url, what) for url, what in _own_sockets(environ) if _answers(url)), default)


def _context(environ: Mapping[str, str]) -> DaemonPlace | None:
    """The endpoint of the current context; None for the default one."""
    from docker.context import Context
    from docker.context.config import get_current_context_name

    given = environ.get("DOCKER_CONTEXT")
    name = given or get_current_context_name()
    if name == "default":
        return None
    source = "DOCKER_CONTEXT" if given else "the current context of ~/.docker/config.json"
    try:
        context = Context.load_context(name)
        host = None if context is None else context.Host
    except Exception as error:  # docker-py raises bare exceptions for a damaged file
        raise SandboxUnavailable(f"sandbox docker: the context {name!r} can't be read ({error}); {_repair()}") from None
    if not host:
        raise SandboxUnavailable(f"sandbox docker: {source} is {name!r}, and there is no such context; {_repair()}")
    return DaemonPlace(host, f"the context {name!r}", context.TLSConfig)


def _repair() -> str:
    return "see `docker context ls`, choose one with `docker context use`, or set DOCKER_HOST to the daemon's socket"


def _own_sockets(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Sockets of daemons that serve one user."""
    home, runtime = Path.home(), _runtime(environ)
    paths = [
        (runtime / "docker.sock", "a rootless daemon"),
        (home / ".docker/run/docker.sock", "docker in the home folder"),
        (home / ".docker/desktop/docker.sock", "Docker Desktop"),
        (home / ".colima/default/docker.sock", "colima"),
        (home / ".config/colima/default/docker.sock", "colima"),
    ]
    return [(f"unix://{path}", what) for path, what in paths]


def _podman_sockets(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    paths = (_runtime(environ) / "podman/podman.sock", Path("/run/podman/podman.sock"))
    return [(f"unix://{path}", "podman") for path in paths]


def _runtime(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")


def _answers(url: str) -> bool:
    """Whether somebody listens at a socket that this user may use."""
    with socket.socket(socket.AF_UNIX) as tried:
        tried.settimeout(_TRIED_S)
        try:
            tried.connect(url.removeprefix("unix://"))
        except (OSError, ValueError):
            return False
    return True


def _why_not(tried: DaemonPlace, error: Exception) -> str:
    """In which way a daemon does not answer, and what to do: with a socket that does, where one was found."""
    others = [(DEFAULT, "docker"), *_own_sockets(os.environ), *_podman_sockets(os.environ)]
    answering = next(((url, what) for url, what in others if url != tried.url and _answers(url)), None)
    way_out = "start it, or set DOCKER_HOST to its socket"
    if answering is not None:
        way_out = f"{answering[1]} answers elsewhere: start this one, or use DOCKER_HOST={answering[0]}"
    at = f" at {tried.url}, which {tried.why} names" if tried.url and tried.url != DEFAULT else ""
    return f"({brief(error)}{at}); {way_out}"


def brief(error: Exception) -> str:
    """An error of docker's library in a few words."""
    known = {
        "FileNotFoundError": "there is no socket",
        "ConnectionRefused": "refused",
        "PermissionError": "not allowed",
    }
    for name, words in known.items():
        if name in str(error):
            return words
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:200]
