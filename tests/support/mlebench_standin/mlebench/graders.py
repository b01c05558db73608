"""Graders of the competitions, written for these tests, and what a grader may do that it should not."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mlebench.grade_helpers import InvalidSubmissionError
from mlebench.utils import Table


def _numbers(table: Table, key: str, column: str, ids: list[str]) -> list[float]:
    """A column in the order of ids."""
    if key not in table or column not in table:
        raise InvalidSubmissionError(f"a submission needs the columns {key} and {column}")
    rows = dict(zip(table[key], table[column], strict=True))
    if len(table[key]) != len(ids) or rows.keys() != set(ids):
        raise InvalidSubmissionError("a submission needs each id once")
    return [float(rows[i]) for i in ids]


def absolute_error(submission: Table, answers: Table) -> float:
    """Mean absolute error, rows matched by id."""
    ids = answers["id"]
    predicted, truth = _numbers(submission, "id", "y", ids), _numbers(answers, "id", "y", ids)
    return sum(abs(a - b) for a, b in zip(predicted, truth, strict=True)) / len(ids)


def absolute_error_by_position(submission: Table, answers: Table) -> float:
    """The same by rows as they stand."""
    pairs = zip(submission["y"], answers["y"], strict=True)
    return sum(abs(float(a) - float(b)) for a, b in pairs) / len(answers["y"])


def log_loss(submission: Table, answers: Table) -> float:
    """Multi-class, of probabilities that sum to 1, rows matched by id."""
    ids, classes = answers["id"], [name for name in answers if name != "id"]
    columns = [_numbers(submission, "id", name, ids) for name in classes]
    truth = [_numbers(answers, "id", name, ids) for name in classes]
    total = 0.0
    for row in range(len(ids)):
        given = [column[row] for column in columns]
        if min(given) < 0 or abs(sum(given) - 1) > 1e-6:
            raise InvalidSubmissionError("probabilities have to lie in [0, 1] and to sum to 1")
        total -= sum(t[row] * math.log(max(p, 1e-15)) for t, p in zip(truth, given, strict=True))
    return total / len(ids)


def prepare(raw: Path, public: Path, private: Path) -> Path:
    """The first half of the rows of `raw/train.csv` becomes training data, the rest is to be predicted."""
    header, *lines = (raw / "train.csv").read_text(encoding="utf-8").splitlines()
    half = len(lines) // 2
    (public / "train.csv").write_text("\n".join([header, *lines[:half], ""]), encoding="utf-8")
    (private / "test.csv").write_text("\n".join([header, *lines[half:], ""]), encoding="utf-8")
    sample = [f"{line.split(',')[0]},0" for line in lines[half:]]
    (public / "sample_submission.csv").write_text("\n".join([header, *sample, ""]), encoding="utf-8")
    return public


def misbehave(submission: Table, answers: Table) -> Any:
    """Do what the first cell of the column `fault` says; without that column, as `absolute_error`."""
    fault = submission.get("fault", [""])[0]
    if not fault:
        return absolute_error(submission, answers)
    return FAULTS[fault](submission) if fault in ("once", "tell") else FAULTS[fault]()


def _noise() -> float:
    line = "x" * 1023 + "\n"
    for _ in range(1024):
        sys.stdout.write(line)
        sys.stderr.write(line)
    os.write(1, b'{"n": 1, "score": 42}\n' * 100)
    return 0.5


def _left_behind() -> float:
    for words in ([], ["setsid"]):
        subprocess.Popen([*words, "sleep", "600"])
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
    return 0.5


def _left_behind_and_hung() -> float:
    _left_behind()
    time.sleep(600)
    return 0.5


def _left_behind_and_died() -> float:
    _left_behind()
    os._exit(0)


def _tree() -> float:
    """64 processes, each the child of another, in sessions of their own."""
    if os.fork() == 0:
        os.setsid()
        for _ in range(6):
            os.fork()
        time.sleep(60)
        os._exit(0)
    return 0.5


def _chain() -> float:
    """A process that for half a minute is always another one: each starts the next and ends."""
    end = time.monotonic() + 30
    if os.fork() == 0:
        os.setsid()
        while time.monotonic() < end:
            if os.fork():
                os._exit(0)
        os._exit(0)
    return 0.5


def _memory() -> float:
    kept = []
    for _ in range(400):
        kept.append(b"\1" * (16 << 20))
        time.sleep(0.005)
    return float(len(kept))


def _raised(error: BaseException) -> float:
    raise error


def _out_of_memory() -> float:
    raise MemoryError


def _once(submission: Table) -> float:
    """Die, unless the file that a second column names tells that this happened already."""
    flag = Path(submission["flag"][0])
    if not flag.exists():
        flag.touch()
        os._exit(3)
    return 0.5


def _tell(submission: Table) -> float:
    """What a grader sees of the machine."""
    seen = {
        "folder": os.getcwd(),
        "in it": sorted(os.listdir()),
        "environment": dict(os.environ),
        "descriptors": sorted(os.readlink(f"/proc/self/fd/{number}") for number in _open()),
        "session": os.getsid(0),
        "path": sys.path,
    }
    raise InvalidSubmissionError(json.dumps(seen))


def _open() -> list[str]:
    return [number for number in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{number}")]


class _Scalar:
    """A number as numpy has them: no float, though it can be rounded, and made one."""

    def __init__(self, value: float) -> None:
        self._value = value

    def __round__(self, digits: int = 0) -> _Scalar:
        return _Scalar(round(self._value, digits))

    def __float__(self) -> float:
        return self._value

    def item(self) -> float:
        """The plain number."""
        return self._value


class _WordsRaise(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


FAULTS: dict[str, Any] = {
    "noise": _noise,
    "once": _once,
    "tell": _tell,
    "exit": lambda: os._exit(3),
    "killed": lambda: os.kill(os.getpid(), 9),
    "hang": lambda: time.sleep(600),
    "child": _left_behind,
    "tree": _tree,
    "chain": _chain,
    "children and hang": _left_behind_and_hung,
    "child and exit": _left_behind_and_died,
    "memory": _memory,
    "MemoryError": _out_of_memory,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "scalar": lambda: _Scalar(0.123456789),
    "integer": lambda: 3,
    "None": lambda: None,
    "words": lambda: "0.5",
    "SystemExit": lambda: _raised(SystemExit("good-bye")),
    "invalid": lambda: _raised(InvalidSubmissionError("a cell is empty")),
    "unwritable": lambda: _raised(ValueError("broken \udcff \ud800 \x1b[31m bytes")),
    "huge": lambda: _raised(ValueError("first words " + "y" * 5_000_000 + " last words")),
    "speechless": lambda: _raised(_WordsRaise()),
}
