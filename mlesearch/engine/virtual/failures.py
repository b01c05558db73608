"""How the program of a pipeline ends: what it prints, and what each bug in it really causes.

The words are those of the real thing. A statement that fails is executed here on small arrays of the right shape, in
place of the whole program, and its traceback is told as a sandbox tells it; a wrong submission is made as the program
makes it, and read by the reader that every submission meets. Only known programs get here, byte for byte our own.

What is not known without running a scikit-learn model is told in general words, or not at all: the error of a `shape`
bug, the score that a leak prints, the first prediction of a submission without a header.
"""

from __future__ import annotations

import ast
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from mlesearch.models.simulated.bugs import BUGS
from mlesearch.models.simulated.programs import printed
from mlesearch.models.simulated.spaces import Recognised, space
from mlesearch.sandbox import environment, view
from mlesearch.sandbox.results.verdict import PathRewriter, error_line
from mlesearch.tasks.grading import read_submission
from mlesearch.tasks.protocol import Task
from mlesearch.tasks.synthetic.names import ID_PREFIX

PROGRAM = "solution.py"
LEAKED = 1.0
"""The score on its own training rows that a leak prints: that of a nearest neighbour, and of a forest all but that."""

_STOPS = {
    "column": "KeyError: '{target}_value'",
    "name": "NameError: name 'x_train' is not defined",
    "timeout": "",
    "shape": "ValueError: X has one feature less than the model is expecting as input.",
    "path": "OSError: Cannot save file into a non-existent directory: 'working'",
}
"""Bugs that end a program, in the order in which it meets them, each with the last line that it prints by and large."""

_SUBMITS = frozenset({"rows", "nan", "format"})
"""Bugs that leave a submission which is refused."""


@dataclass(frozen=True, slots=True)
class ProgramEnd:
    """How a program ends.

    Attributes:
        stdout: what it prints.
        stderr: likewise.
        reason: why it fails, in one line; empty where it does not.
        endless: whether it never ends.
        submission_problem: what is wrong with the submission that it leaves; empty where nothing is.
    """

    stdout: str = ""
    stderr: str = ""
    reason: str = ""
    endless: bool = False
    submission_problem: str = ""


class Failures:
    """The ends of programs of one task."""

    def __init__(self, task: Task) -> None:
        """Nothing is read before it is needed."""
        self._task = task
        self._stopped: dict[tuple[str, int, str], tuple[str, str]] = {}
        self._frames: dict[str, pd.DataFrame] = {}
        self._refused: dict[tuple[object, ...], str] = {}

    def end(self, known: Recognised, program: str) -> ProgramEnd:
        """How a program ends, were it given all the time that it needs.

        Args:
            known: what it is.
            program: its text.
        """
        stop = next((name for name in _STOPS if name in known.bugs), "")
        if stop == "timeout":
            return ProgramEnd(endless=True)
        leaked = f"validation score: {LEAKED}\n" if "leak" in known.bugs and stop in ("", "path") else ""
        if stop:
            stderr, reason = self._stop(stop, program)
            return ProgramEnd(leaked, stderr, reason)
        settings = space(known.task).settings(known.pipeline)
        stdout = leaked + printed(settings, *self._rows)
        wrong = frozenset(known.bugs) & _SUBMITS
        return ProgramEnd(stdout, submission_problem=self._refusal(known, wrong) if wrong else "")

    @cached_property
    def _rows(self) -> tuple[int, int]:
        """How many rows its programs fit, and how many they predict."""
        return len(self._frame("train")), len(self._asked)

    @cached_property
    def _asked(self) -> pd.DataFrame:
        """The rows that its programs predict, in their order."""
        return pd.concat([self._frame("validation"), self._frame("test")], ignore_index=True)

    @cached_property
    def _questions(self) -> list[str]:
        """What each of those rows asks for, in a synthetic task."""
        return self._asked["asked"].tolist()

    def _frame(self, name: str) -> pd.DataFrame:
        if name not in self._frames:
            self._frames[name] = pd.read_csv(self._task.public_dir / f"{name}.csv")
        return self._frames[name]

    # programs that stop

    def _stop(self, bug: str, program: str) -> tuple[str, str]:
        """What a program prints as it stops, and why it does, in one line."""
        text = BUGS[bug].after.format(target=space(self._task.id).target).rstrip("\n")
        line = program.count("\n", 0, program.index(text)) + 1
        key = (bug, line, program.split("\n")[line - 1])
        found = self._stopped.get(key)
        if found is None:
            stderr = self._traceback(bug, program, line)
            found = self._stopped[key] = (stderr, error_line(stderr))
        return found

    def _traceback(self, bug: str, program: str, line: int) -> str:
        told = ""
        names: dict[str, Any] = {"np": np, "pd": pd, "train": self._frame("train").head(1)}
        if bug == "shape" and self._task.id.startswith(ID_PREFIX):
            fitted, asked = self._rows
            names |= {"X_rows": np.zeros((asked, fitted))}
            exec(_statement(program, program[: program.index("class Nearest")].count("\n") + 1), names)
            model = names["model"] = names["Nearest"]()
            model.fit(np.zeros((fitted, fitted)), np.zeros(fitted))
        elif bug == "name":
            names |= {"model": SimpleNamespace(fit=None), "y_train": ()}
        elif bug == "path":
            with tempfile.TemporaryDirectory(prefix="mlesearch-") as folder:
                names |= {"submission": SimpleNamespace(to_csv=_to_csv_below(folder))}
                told = _told(program, line, names).replace(f"{folder}/", "")
        told = told or _told(program, line, names)
        last = _STOPS[bug].format(target=space(self._task.id).target)
        kind = last.partition(":")[0]
        if f"\n{kind}: " in told and (bug == "shape" or told.endswith(f"\n{last}\n")):
            return told
        return _in_short(program, line, last)  # the statement needs more of its program than is here

    # programs that leave a wrong submission

    def _refusal(self, known: Recognised, wrong: frozenset[str]) -> str:
        """Why the submission of a program with these bugs is refused."""
        first = self._predictions(known, 1)[0] if "format" in wrong else None  # told where it stands in for a header
        key = (wrong, first)
        if key not in self._refused:
            predictions = self._predictions(known)
            sample, test = (self._frame(name) for name in ("sample_submission", "test"))
            id_column = self._task.id_column
            index = self._asked.index if "nan" in wrong else self._asked[id_column]
            answers = pd.DataFrame(predictions, index=index, columns=list(self._task.target_columns))
            submission = (test if "rows" in wrong else sample)[[id_column]].copy()
            for column in answers:
                submission[column] = submission[id_column].map(answers[column])
            with tempfile.TemporaryDirectory(prefix="mlesearch-") as folder:
                path = Path(folder) / "submission.csv"
                submission.to_csv(path, index=False, header="format" not in wrong)
                self._refused[key] = read_submission(path, self._task).problem
        return self._refused[key]

    def _predictions(self, known: Recognised, rows: int | None = None) -> list[tuple[Any, ...]]:
        """What a program predicts: of a synthetic task the levels that it takes, of others what the sample has.

        Args:
            known: the program.
            rows: only so many, the first ones; None: all.
        """
        if not known.task.startswith(ID_PREFIX):
            sample = self._frame("sample_submission").set_index(self._task.id_column)[list(self._task.target_columns)]
            asked = sample.reindex(self._asked[self._task.id_column][:rows])
            return list(asked.itertuples(index=False, name=None))
        where = space(known.task)
        level = {c.name: c.index(option) for c, option in zip(where.choices, known.pipeline, strict=True)}
        return [(level.get(asked, known.random_state),) for asked in self._questions[:rows]]


def _to_csv_below(folder: str) -> Callable[..., None]:
    """`DataFrame.to_csv` with a folder that holds nothing before the path."""
    frame_to_csv = pd.DataFrame().to_csv

    def to_csv(path: str, **options: Any) -> None:
        frame_to_csv(f"{folder}/{path}", **options)

    return to_csv


def _statement(program: str, line: int) -> CodeType:
    """The top-level statement that holds a line, compiled with its lines and columns as they stand in the program."""
    body = ast.parse(program).body
    found = next(s for s in body if s.lineno <= line <= (s.end_lineno or s.lineno))
    return compile(ast.Module([found], []), PROGRAM, "exec", dont_inherit=True)


def _told(program: str, line: int, names: Mapping[str, Any]) -> str:
    """The traceback of a statement, as a sandbox shows it; empty where it does not fail."""
    code = _statement(program, line)
    try:
        exec(code, dict(names))
    except Exception as error:
        told = traceback.TracebackException.from_exception(error)
    else:
        return ""
    frames = list(told.stack)
    first = next(i for i, frame in enumerate(frames) if frame.filename == PROGRAM)
    lines = program.split("\n")
    told.stack = traceback.StackSummary.from_list(
        [_shown(frame, lines) for frame in frames[first:] if frame.filename != __file__]
    )
    return _rewriter()("".join(told.format()))


def _shown(frame: traceback.FrameSummary, lines: list[str]) -> traceback.FrameSummary:
    """A frame with its line of the program, which lies in no file."""
    if frame.filename != PROGRAM or frame.lineno is None:
        return frame
    return traceback.FrameSummary(
        PROGRAM,
        frame.lineno,
        frame.name,
        line=lines[frame.lineno - 1] + "\n",
        end_lineno=frame.end_lineno,
        colno=frame.colno,
        end_colno=frame.end_colno,
    )


def _in_short(program: str, line: int, last: str) -> str:
    """A traceback without the frames of libraries."""
    source = program.split("\n")[line - 1].strip()
    return f'Traceback (most recent call last):\n  File "{PROGRAM}", line {line}, in <module>\n    {source}\n{last}\n'


@lru_cache(maxsize=1)
def _rewriter() -> PathRewriter:
    return PathRewriter.of(view.interpreter_shown(environment.interpreter()))
