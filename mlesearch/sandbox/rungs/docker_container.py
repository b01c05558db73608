"""A container that has started: how the orchestrator hears from its supervisor, and how it ends."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlesearch.sandbox.rungs import docker_image
from mlesearch.sandbox.rungs.box import START_TIMEOUT_S
from mlesearch.types import SandboxUnavailable


class Container:
    """A started container, as a `Box`.

    Args:
        api: docker-py's client.
        id: of the container.
        conn: to its supervisor.
        limited: whether the daemon can limit its memory.
    """

    def __init__(self, api: Any, id: str, conn: socket.socket, limited: bool) -> None:
        self.conn = conn
        self._api, self._id, self._limited = api, id, limited
        self._began = time.time()
        self._ended = False

    def end(self) -> None:
        """Kill and remove it; more than once does no harm."""
        with contextlib.suppress(OSError):
            self.conn.close()  # its first process sees it, and ends
        if not self._ended:
            self._ended = True
            with docker_image.daemon():
                remove(self._api, self._id)

    def limit_memory(self, memory_bytes: int) -> None:
        """Have the daemon limit it anew, where it can."""
        if self._limited:
            with docker_image.daemon():
                self._api.update_container(self._id, mem_limit=memory_bytes, memswap_limit=memory_bytes)

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed something in it: the daemon remembers events of a container that is gone."""
        with docker_image.daemon():
            events = self._api.events(
                since=int(self._began), until=int(time.time()) + 3, filters={"container": self._id, "event": "oom"}
            )
            return any(True for _ in events)

    def names(self) -> Mapping[str, str]:
        """Its id, by which the kernel's files name it."""
        return {self._id: "container", self._id[:12]: "container"}

    def last_words(self) -> str:
        """Nothing more is known: its output is not kept."""
        return "its container ended"


@contextlib.contextmanager
def listener(control: Path) -> Iterator[socket.socket]:
    """A socket in the bound folder, whatever the length of its path."""
    fd = os.open(control, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"/proc/self/fd/{fd}/s")
            (control / "s").chmod(0o666)  # who knows the folder's random name is the container
            listener.listen(1)
            listener.settimeout(0.5)
            yield listener
    finally:
        os.close(fd)


def accept(api: Any, id: str, listener: socket.socket, todo: str) -> socket.socket:
    """The connection of a container's supervisor.

    Args:
        api: docker-py's client.
        id: of the container.
        listener: that the supervisor connects to.
        todo: what to do where it does not.

    Raises:
        SandboxUnavailable: the container has ended, or does not answer.
    """
    import docker.errors

    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end:
        try:
            conn = listener.accept()[0]
        except TimeoutError:
            running = False
            with contextlib.suppress(docker.errors.NotFound):  # it removes itself when it has ended
                running = api.inspect_container(id)["State"]["Running"]
            if not running:
                raise SandboxUnavailable(f"sandbox docker: the container ended at its start; {todo}") from None
        else:
            conn.settimeout(None)
            return conn
    raise SandboxUnavailable(f"sandbox docker: the container did not answer within {START_TIMEOUT_S:g} s")


def remove(api: Any, id: str) -> None:
    """Kill and remove a container, and wait until it is gone; one that is gone already is no error."""
    import docker.errors

    with contextlib.suppress(docker.errors.NotFound):
        try:
            api.remove_container(id, force=True, v=True)
        except docker.errors.APIError as error:
            if error.status_code != 409:  # its removal is under way
                raise
            api.wait(id, timeout=30, condition="removed")
    api.close()  # it keeps a connection for every URL that it has seen; the next call opens one again
