"""From what the supervisor saw to an `ExecResult`: text without the host's paths, a status, one line of reason."""

from __future__ import annotations

import base64
import re
import signal as signals
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlesearch.types import Captured, ExecStatus

_MAX_REASON = 400
_ERROR_LINE = re.compile(r"^(?:[A-Za-z_][\w]*\.)*[A-Za-z_]\w*(?:: .*)?$")
_FRAME = re.compile(r'^\s+File "solution\.py", line (\d+)', re.MULTILINE)
_MEMORY = re.compile(
    r"^(?:[\w.]*\.)?_?\w*MemoryError\b|std::bad_alloc|DefaultCPUAllocator: can't allocate memory", re.MULTILINE
)
_NO_TASK = re.compile(r"BlockingIOError: \[Errno 11\]|can't start new thread")
_TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True, slots=True)
class PathRewriter:
    """Replaces paths of the host in a program's text, longest path first."""

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, names: Mapping[str, str]) -> PathRewriter:
        """From {path: what to show}; "" shows a path below it as a relative one."""
        return cls(
            tuple(
                sorted(
                    ((path, name) for path, name in names.items() if path != "/"),
                    key=lambda pair: (-len(pair[0]), pair),
                )
            )
        )

    def __call__(self, text: str) -> str:
        """The text with every known path replaced."""
        for path, name in self.pairs:
            if path in text:
                if not name:
                    text = text.replace(path + "/", "")
                text = text.replace(path, name or ".")
        return text


def captured(stream: Mapping[str, Any], rewrite: PathRewriter) -> Captured:
    """One stream as text. Where the middle was cut, lines that the cut went through are left out."""
    head, tail = base64.b64decode(stream["head"]), base64.b64decode(stream["tail"])
    if tail:
        head = head[: head.rfind(b"\n") + 1] or head
        newline = tail.find(b"\n")
        if 0 <= newline < len(tail) - 1:
            tail = tail[newline + 1 :]
    return Captured(
        rewrite(head.decode("utf-8", "replace")), rewrite(tail.decode("utf-8", "replace")), int(stream["seen"])
    )


def judge(seen: Mapping[str, Any], stderr: Captured, limits: Mapping[str, int]) -> tuple[ExecStatus, str]:
    """Status and reason of an ended program.

    Args:
        seen: the supervisor's report.
        stderr: what the program wrote there, paths rewritten.
        limits: memory_bytes, file_bytes and processes that were in force.
    """
    if seen["limit"] is not None:
        kind, words = seen["limit"]
        return ExecStatus(kind), words
    last = stderr.tail or stderr.head
    if seen["signal"] is not None:
        return _judge_signal(int(seen["signal"]), last, seen, limits)
    left = f"left {seen['left']} background process(es) running" if seen["left"] else ""
    if seen["exit_code"]:
        status, reason = _judge_exit(int(seen["exit_code"]), last, seen, limits)
        return status, f"{reason}; {left}" if left else reason
    return (ExecStatus.ERROR, left) if left else (ExecStatus.OK, "")


def _judge_signal(number: int, last: str, seen: Mapping[str, Any], limits: Mapping[str, int]) -> tuple[ExecStatus, str]:
    name = signals.Signals(number).name if number in signals.valid_signals() else str(number)
    if number == signals.SIGXFSZ:
        return ExecStatus.DISK_LIMIT, _file_limit(limits)
    near = seen["peak_memory_bytes"] > 0.9 * limits["memory_bytes"]
    if _MEMORY.search(last) or (number == signals.SIGKILL and near):
        return ExecStatus.OOM, f"ended by {name} near its memory limit of {limits['memory_bytes'] / (1 << 20):g} MiB"
    return ExecStatus.KILLED, f"ended by signal {number} ({name})"


def _judge_exit(code: int, last: str, seen: Mapping[str, Any], limits: Mapping[str, int]) -> tuple[ExecStatus, str]:
    reason = error_line(last)
    if not reason:
        lines = last.strip().splitlines()
        return ExecStatus.ERROR, _shorten(f"exit code {code}" + (f": {lines[-1].strip()}" if lines else ""))
    if _MEMORY.match(reason):
        return ExecStatus.OOM, f"{reason}; memory limit {limits['memory_bytes'] / (1 << 20):g} MiB"
    if "OSError: [Errno 27]" in reason:
        return ExecStatus.DISK_LIMIT, f"{reason}; {_file_limit(limits)}"
    if _NO_TASK.search(reason) and seen["peak_tasks"] >= 0.9 * limits["processes"]:
        return ExecStatus.PIDS, f"{reason}; limit {limits['processes']} processes and threads"
    return ExecStatus.ERROR, reason


def _file_limit(limits: Mapping[str, int]) -> str:
    return f"wrote a file larger than its limit of {limits['file_bytes'] / (1 << 20):g} MiB"


def error_line(text: str) -> str:
    """Exception type and message with the program's last frame, from the last traceback; "" where there is none."""
    lines = text.splitlines()
    start = _last_traceback(lines)
    if start is None:
        return ""
    block = lines[start:]
    for number, line in enumerate(block):
        if line and not line[0].isspace() and line != _TRACEBACK and _ERROR_LINE.match(line):
            frames = _FRAME.findall("\n".join(block[:number]))
            return _shorten(line) + (f" (solution.py line {frames[-1]})" if frames else "")
    return ""


def _last_traceback(lines: Sequence[str]) -> int | None:
    """Where the last traceback begins; a syntax error has frames without a heading."""
    for number in range(len(lines) - 1, -1, -1):
        if lines[number].startswith(_TRACEBACK):
            return number
    for number in range(len(lines) - 1, -1, -1):
        if _FRAME.match(lines[number]):
            return number
    return None


def _shorten(line: str) -> str:
    return line if len(line) <= _MAX_REASON else line[: _MAX_REASON - 3] + "..."
