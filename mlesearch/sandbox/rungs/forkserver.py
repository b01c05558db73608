"""The orchestrator's side of a fork server: start it, hand it a connection for each run, end it."""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlesearch.sandbox.inside import init, messages
from mlesearch.sandbox.rungs.box import sources
from mlesearch.types import SandboxUnavailable

START_TIMEOUT_S = 120.0


class ForkServer:
    """A process that supervisors are forked from.

    Args:
        executable: the interpreter.
        config: for `server.main`: site, preload, allow, excluded, landlock, prefix, private_shm.
        environment: all its variables.
        log: a file that takes what it prints, for the message when it fails.
    """

    def __init__(self, executable: str, config: Mapping[str, Any], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with theirs, log.open("wb") as output:
                self._process = subprocess.Popen(
                    [executable, "-s", "-P", "-S", "-c", init.BOOT, "server", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=dict(environment),
                    cwd="/",
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        except OSError as error:
            self._control.close()
            raise SandboxUnavailable(f"sandbox local: {executable} can't be started: {error}") from error
        try:
            messages.send(self._control, dict(sources()))
            messages.send(self._control, dict(config))
            if not select.select([self._control], [], [], START_TIMEOUT_S)[0]:
                raise SandboxUnavailable(f"sandbox local: no fork server within {START_TIMEOUT_S:g} s")
            hello = messages.receive(self._control)
        except (OSError, SandboxUnavailable):
            self.close()
            raise
        if hello is None:
            self.close()
            raise SandboxUnavailable(f"sandbox local: the fork server ended while it started: {self._last_words()}")
        self.own_mounts = bool(hello["own_mounts"])
        self.private_shm = bool(hello["private_shm"])
        self.missing = tuple(hello["missing"])
        self.threads = int(hello["threads"])

    @property
    def pid(self) -> int:
        """Of the server process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can still fork."""
        return self._process.poll() is None

    def ends(self, within_s: float) -> bool:
        """Whether it has ended, after at most that long."""
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def submit(self, request: Mapping[str, Any]) -> socket.socket:
        """Have a supervisor forked for one run; its report comes through the socket.

        Raises:
            OSError: the server has gone.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with theirs, self._lock:
                socket.send_fds(self._control, [b"r"], [theirs.fileno()])
            messages.send(ours, dict(request))
        except BaseException:
            ours.close()
            raise
        return ours

    def close(self) -> None:
        """End the server; runs that are going on are not touched by it."""
        with contextlib.suppress(OSError):
            self._control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        said = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
        lines = said.strip().splitlines()
        return lines[-1] if lines else f"exit code {self._process.returncode}"
