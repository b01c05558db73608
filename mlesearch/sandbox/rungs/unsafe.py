"""The rung `unsafe`: a bare process under the supervisor's limits, with nothing between it and the user's files.

For tests of machines that have no other rung. It promises nothing, and refuses to run as root or where the task has
answers on this machine.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from mlesearch.sandbox import options
from mlesearch.sandbox.gpu.devices import GpuLease
from mlesearch.sandbox.protocol import Spec
from mlesearch.sandbox.rungs.box import Box, Places, boot, handshake
from mlesearch.sandbox.rungs.rung import BoxedRung
from mlesearch.types import ConfigError, SandboxUnavailable


class _Bare:
    """A started supervisor."""

    def __init__(self, process: subprocess.Popen[bytes], conn: socket.socket) -> None:
        self.conn = conn
        self._process = process

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.conn.close()  # the supervisor sees it, and ends with all that is below it
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def limit_memory(self, memory_bytes: int) -> None:
        """Its supervisor alone looks after it."""

    def ran_out_of_memory(self) -> bool:
        return False

    def names(self) -> Mapping[str, str]:
        return {}

    def last_words(self) -> str:
        return "the supervisor ended"


class UnsafeSandbox(BoxedRung):
    """Programs as bare processes of this user.

    Raises:
        SandboxUnavailable: this process is root, or a promise is asked for.
    """

    name = "unsafe"
    gpu_promise = ""

    def __init__(
        self,
        *,
        warm: bool = True,
        require: tuple[str, ...] = (),
        min_free_bytes: int = 0,
        weights_folder: str | None = None,
    ) -> None:
        super().__init__(warm=warm, require=require, min_free_bytes=min_free_bytes, weights_folder=weights_folder)
        if os.geteuid() == 0:
            raise SandboxUnavailable(
                "sandbox unsafe: it holds nothing back, so it is refused to root; use another rung, or an ordinary user"
            )
        options.check_kept(self.name, self._require, self.promises())

    def promises(self) -> tuple[str, ...]:
        """None."""
        return ()

    def _check_folders(self, spec: Spec) -> None:
        super()._check_folders(spec)
        for path in spec.hidden:
            if path.exists():
                raise ConfigError(
                    f"sandbox unsafe: programs could read the answers of {spec.task} in {path}; use another rung"
                )

    def _places(self, spec: Spec, folder: Path) -> Places:
        weights = "" if self._weights is None else self._weights.folder
        return Places(str(folder), os.path.realpath(spec.input_dir), weights, memory=())

    def _launch(self, spec: Spec, folder: Path, warm: bool, gpu: GpuLease | None) -> Box:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        places = self._places(spec, folder)
        try:
            with theirs:
                process = subprocess.Popen(
                    boot(self._interpreter().executable, str(theirs.fileno())),
                    stdin=subprocess.DEVNULL,
                    env=self._variables(spec.limits, places),
                    cwd="/",
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        box = _Bare(process, ours)
        try:
            handshake(ours, self._message(spec, warm, {"bare": True, "own_cgroup": False}, places), ())
        except OSError as error:
            box.end()
            raise SandboxUnavailable(f"sandbox unsafe: it can't be started: {error}") from error
        except BaseException:
            box.end()
            raise
        return box


def make(params: Mapping[str, object]) -> UnsafeSandbox:
    """Build it from configuration.

    Args:
        params: see `options.parse`.

    Raises:
        ConfigError: an unknown key or a value that is not allowed.
        SandboxUnavailable: this process is root.
    """
    chosen = options.parse("unsafe", params)
    return UnsafeSandbox(
        warm=chosen.warm,
        require=chosen.require,
        min_free_bytes=chosen.min_free_bytes,
        weights_folder=chosen.weights,
    )
