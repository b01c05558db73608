"""One worker process, from the side that asks: start it, ask it, end it with all that it started."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlesearch.types import GraderUnavailable

SUPERVISOR = Path(__file__).with_name("supervisor.py")
WORKER = Path(__file__).with_name("worker.py")
END_S = 10.0
"""How long a supervisor may take to kill what is below it."""
ANSWER_BYTES = 16 * 2**20
"""No answer is longer; a description of a competition has some thousand."""
SAID_CHARS = 400
_HANDED_DOWN = ("PATH", "LD_LIBRARY_PATH", "TZ")
_HANDED_DOWN_STARTS = ("OPENBLAS_", "OMP_", "MKL_", "GOTO_")


class WorkerLost(Exception):
    """The worker timed out, died or held too much memory; its text says which. It is no more."""


class WorkerProcess:
    """A worker at work; used by one thread at a time.

    Attributes:
        folder: private to it; the worker's working directory is in it. It goes when the worker ends.
    """

    def __init__(self, python: Path, data_dir: Path, memory_bytes: int) -> None:
        """Start it; nothing is waited for.

        Args:
            python: the interpreter.
            data_dir: folder of prepared competitions.
            memory_bytes: that it and what it starts may hold together.

        Raises:
            GraderUnavailable: it can't be started.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="mlesearch-grader-"))
        work = self.folder / "work"
        asked_read, self._asked = os.pipe()
        self._answers, answers_write = os.pipe()
        self._number, self._unread = 0, b""
        words = [str(WORKER), str(self.folder), str(memory_bytes), str(asked_read), str(answers_write), str(data_dir)]
        try:
            work.mkdir()
            self._process = subprocess.Popen(
                [str(python), "-I", "-X", "utf8", str(SUPERVISOR), *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=work,
                env=environment(work, os.environ),
                pass_fds=(asked_read, answers_write),
                start_new_session=True,
            )
        except OSError as error:
            for number in (self._asked, self._answers):
                os.close(number)
            shutil.rmtree(self.folder, ignore_errors=True)
            raise GraderUnavailable(f"mlebench.python: {python} can't be started ({error.strerror})") from error
        finally:
            for number in (asked_read, answers_write):
                os.close(number)

    @property
    def pid(self) -> int:
        """Of its supervisor, which is the leader of their session."""
        return self._process.pid

    def ask(self, what: Mapping[str, object], timeout_s: float) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Args:
            what: the request.
            timeout_s: wall-clock time for it.

        Raises:
            WorkerLost: there is none; the worker has been ended.
        """
        self._number += 1
        try:
            try:
                _write(self._asked, json.dumps({**what, "n": self._number}).encode("ascii") + b"\n")
                line = self._line(time.monotonic() + timeout_s)
            except BrokenPipeError:
                line = b""
            if line is None:
                raise WorkerLost(f"it timed out at {timeout_s:g} s")
            if not line:
                raise WorkerLost(self._last_words())
            answer = json.loads(line)
            if not isinstance(answer, dict) or answer.get("n") != self._number:
                raise WorkerLost(f"it broke the protocol: {_shown(line.decode('utf-8', 'replace'))}")
        except json.JSONDecodeError as error:
            self.end()
            raise WorkerLost("it broke the protocol: its answer is no JSON") from error
        except BaseException:  # an interrupt too: what it is answering now answers no later question
            self.end()
            raise
        return answer

    def _line(self, deadline: float) -> bytes | None:
        """The next line; empty where the worker has ended, None where it is late."""
        looking = select.poll()
        looking.register(self._answers, select.POLLIN)
        if self._process.stdout is not None:  # a child left behind may hold the worker's end of the answers
            looking.register(self._process.stdout, select.POLLIN)
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            if events := dict(looking.poll(left * 1000)):
                data = os.read(self._answers, 1 << 16) if self._answers in events else b""
                if not data:
                    return b""
                self._unread += data
                if len(self._unread) > ANSWER_BYTES:
                    raise WorkerLost(f"it broke the protocol: an answer of more than {ANSWER_BYTES:,} bytes")
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _last_words(self) -> str:
        """Why it ended, as its supervisor tells."""
        told = b""
        if (stdout := self._process.stdout) is not None:
            looking = select.poll()
            looking.register(stdout, select.POLLIN)
            while not told.endswith(b"\n") and looking.poll(END_S * 1000):
                if not (data := os.read(stdout.fileno(), 1 << 16)):
                    break
                told += data
        try:
            ended = json.loads(told.splitlines()[-1])
        except (ValueError, IndexError):
            return f"it ended, and what watched it too{_last_line(told.decode('utf-8', 'replace'))}"
        if ended["ended"] == "memory":
            return f"it held {ended['bytes'] / 2**30:.1f} GiB of memory"
        status = ended.get("status", 0)
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
        return f"it {how}{_last_line(ended.get('said', ''))}"

    def end(self) -> None:
        """End it and all that it started, and remove its folder; a second time it does nothing."""
        if self._asked < 0:
            return
        for number in (self._asked, self._answers):
            with contextlib.suppress(OSError):
                os.close(number)
        self._asked = self._answers = -1
        process = self._process
        if process.stdin is not None:  # said, too: a fork of this process may hold it open
            with contextlib.suppress(OSError, ValueError):
                process.stdin.write(b"\n")
            with contextlib.suppress(OSError):
                process.stdin.close()
        if process.stdout is not None:
            process.stdout.close()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.returncode:  # it was killed itself, so what it had adopted is nobody's
            _kill_marked(b"HOME=" + os.fsencode(self.folder / "work"))
        shutil.rmtree(self.folder, ignore_errors=True)

    def forget(self) -> None:
        """After a fork, in the child: close what was inherited; the worker is the parent's."""
        for number in (self._asked, self._answers):
            with contextlib.suppress(OSError):
                os.close(number)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.returncode = 0  # nobody here waits for it


def environment(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What a worker sees of the environment: no key, no path of the user but for programs and libraries."""
    kept = {k: v for k, v in environ.items() if k in _HANDED_DOWN or k.startswith(_HANDED_DOWN_STARTS)}
    return {**kept, "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"}


def _kill_marked(variable: bytes) -> None:
    """Kill all processes that were started with an environment variable."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if variable in Path("/proc", name, "environ").read_bytes().split(b"\0"):
                    os.kill(int(name), signal.SIGKILL)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _last_line(text: str) -> str:
    line = _shown(text.strip().rpartition("\n")[2])
    return f": {line}" if line else ""


def _shown(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= SAID_CHARS else f"{words[:SAID_CHARS]}..."
