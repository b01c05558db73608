"""Commands in forks of one process that has imported what commands use, so that each need not import it again.

A command is a real process with streams, folder and environment of its own, and ends as any other does. Unlike one that
is started anew, it finds its modules loaded, and its hash seed and what the system shows of its environment
(`/proc/self/environ`) are the server's.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import math
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from mlesearch.config.loading import compose
from mlesearch.models.live.library import ENVIRONMENT
from mlesearch.sandbox import environment, packages
from tests.support.paths import ROOT

FIXED_AT_START = ("PYTHON", "LC_", "LANG", "TZ", "LD_")
"""Beginnings of variables that an interpreter reads when it starts."""
PATH = "PYTHONPATH"
"""The one of them that a fork can do: what it names is looked up where an interpreter would."""
MODULES = (
    *(
        "mlesearch.cli.launches",
        "mlesearch.cli.commands",
        "mlesearch.cli.show_study",
        "mlesearch.config.loading.compose",
    ),
    *("mlesearch.analysis.report", "mlesearch.study.tables.collect", "sklearn.ensemble", "sklearn.linear_model"),
    *("joblib", "rich.progress", "litellm"),
)
_MESSAGE_BYTES = 1 << 20


def takes(env: Mapping[str, str]) -> bool:
    """Whether a command with this environment may be a fork: an interpreter's start would be no other."""
    names = {name for name in env.keys() | os.environ.keys() if name.startswith(FIXED_AT_START)} - {PATH}
    return all(env.get(name) == os.environ.get(name) for name in names)


def run(
    words: Sequence[str], cwd: Path, env: Mapping[str, str], timeout_s: float, code: str = ""
) -> subprocess.CompletedProcess[str]:
    """`python -m mlesearch WORDS` as a fork, to its end.

    Args:
        words: behind the name of the program.
        cwd: its folder.
        env: its whole environment.
        timeout_s: after which it is killed.
        code: run in place of mlesearch, as by `python -c`.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was killed.
    """
    forked = ForkedCommand(words, cwd, env, code)
    try:
        out, err = forked.communicate(timeout_s)
    except subprocess.TimeoutExpired:
        forked.kill()
        raise
    return subprocess.CompletedProcess(list(words), forked.wait(), out, err)


class ForkedCommand:
    """`python -m mlesearch WORDS` as a fork, under way; it is used as a `subprocess.Popen` of text.

    Attributes:
        pid: of the command itself.
        stdout: what it prints.
        stderr: what it complains of.
        returncode: once it is known.
    """

    def __init__(
        self, words: Sequence[str], cwd: Path, env: Mapping[str, str], code: str = "", own_session: bool = False
    ) -> None:
        """Begin it; see `run`. With a session of its own, it is as from another terminal."""
        self._words = list(words)
        self.returncode: int | None = None
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        self.stdout, self.stderr = os.fdopen(out, encoding="utf-8"), os.fdopen(err, encoding="utf-8")
        self._answers, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = {"code": code, "words": self._words, "cwd": str(cwd), "env": dict(env), "own_session": own_session}
        try:
            socket.send_fds(_server().requests, [json.dumps(request).encode()], [there.fileno(), out_end, err_end])
        finally:
            there.close()
            os.close(out_end)
            os.close(err_end)
        self.pid = self._answer()

    def _answer(self) -> int:
        answer = self._answers.recv(64)
        if not answer:
            raise ChildProcessError(f"the server of commands has ended: {_server().process.communicate()[1]}")
        return int(answer)

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        if self.returncode is None and select.select([self._answers], [], [], 0)[0]:
            self.returncode = self._answer()
            self._answers.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, as soon as it ends."""
        if self.returncode is None and not select.select([self._answers], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self._words, timeout or 0.0)
        ended = self.poll()
        assert ended is not None
        return ended

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it prints and complains of from now on, to its end."""
        held: dict[int, list[bytes]] = {self.stdout.fileno(): [], self.stderr.fileno(): []}
        end = math.inf if timeout is None else time.monotonic() + timeout
        with selectors.DefaultSelector() as ready:
            for fd in held:
                ready.register(fd, selectors.EVENT_READ)
            while ready.get_map():
                events = ready.select(None if timeout is None else max(0.0, end - time.monotonic()))
                if not events:
                    raise subprocess.TimeoutExpired(self._words, timeout or 0.0)
                for key, _ in events:
                    block = os.read(key.fd, 1 << 16)
                    held[key.fd].append(block)
                    if not block:
                        ready.unregister(key.fd)
        self.wait(None if timeout is None else max(1.0, end - time.monotonic()))
        out, err = (b"".join(blocks).decode() for blocks in held.values())
        self.stdout.close()
        self.stderr.close()
        return out, err

    def send_signal(self, signum: int) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signum)

    def kill(self) -> None:
        """End it at once, unless it has ended."""
        self.send_signal(signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class _Server:
    process: subprocess.Popen[str]
    requests: socket.socket


@functools.cache
def _server() -> _Server:
    """The server of this process, which ends with it."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.support import preloaded; preloaded.serve()"
    variables = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    with there:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(there.fileno())],
            cwd="/",
            env=variables,
            stdout=subprocess.PIPE,  # as a command's own: a stream that can't be sought
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[there.fileno()],
        )
    return _Server(process, here)


def serve() -> None:
    """Fork for each request, until nobody can make one any more."""
    before = dict(os.environ)
    os.environ.update(ENVIRONMENT)
    for module in MODULES:
        importlib.import_module(module)
    os.environ.clear()
    os.environ.update(before)
    _know_the_machine()
    assert threading.active_count() == 1, "a fork would lack the other threads"
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        while True:
            while _ended_child():
                pass
            message, fds, _, _ = socket.recv_fds(requests, _MESSAGE_BYTES, 3)
            if not message:
                return
            if os.fork() == 0:
                requests.close()
                break
            for fd in fds:
                os.close(fd)
    _attend(json.loads(message), *fds)


def _know_the_machine() -> None:
    """What a process finds out once about what is installed, which is the same for all commands."""
    python = environment.interpreter()
    environment.excluded(python)
    packages.digest()
    compose.jobs([], multirun=False)


def _ended_child() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _attend(request: Mapping[str, object], answer: int, out: int, err: int) -> None:
    """Fork the command, say its number and then its exit code."""
    pid = os.fork()
    if pid == 0:
        os.close(answer)
        os.dup2(out, 1)
        os.dup2(err, 2)
    os.close(out)
    os.close(err)
    if pid == 0:
        _command(**request)  # type: ignore[arg-type]  # as `run` sends them
    with socket.socket(fileno=answer) as answers:
        answers.send(str(pid).encode())
        answers.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
    os._exit(0)


def _command(code: str, words: list[str], cwd: str, env: Mapping[str, str], own_session: bool) -> NoReturn:
    """What `python -m mlesearch` or `python -c CODE` does, from a folder and with an environment.

    It ends as forks of `multiprocessing` do: after its threads and exit functions, with no module taken apart, which
    would copy all of the server's memory.
    """
    if own_session:
        os.setsid()
    os.chdir(cwd)
    if env.get(PATH) != os.environ.get(PATH):
        sys.path[1:1] = filter(None, env.get(PATH, "").split(os.pathsep))
        packages.installed.cache_clear()
        packages.digest.cache_clear()
    os.environ.clear()
    os.environ.update(env)
    sys.path[0] = cwd
    sys.argv = ["-c" if code else "mlesearch", *words]
    ended = 0
    try:
        if code:
            exec(code, {"__name__": "__main__"})
        else:
            runpy.run_module("mlesearch", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        ended = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        ended = 1
    threading._shutdown()  # type: ignore[attr-defined]  # what ends an interpreter, and forks of multiprocessing
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended)
