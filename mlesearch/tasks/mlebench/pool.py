"""Persistent workers that grade with MLE-bench's own package, started when they are needed, and ended together.

What a submission brings about is its own: it is invalid, and the report says why. What befalls a worker is not: one
that times out, dies or holds too much memory is ended with all that it started, another one is asked once more, and
then `GraderUnavailable` stops the run, as a sandbox that fails does.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mlesearch.tasks import leaderboard, medals
from mlesearch.tasks.mlebench.interpreter import INSTALL, Hello, unmet_pins
from mlesearch.tasks.mlebench.official import (
    REAL_BOARD,
    OfficialCompetition,
    OfficialReport,
    competition_of,
    report_of,
)
from mlesearch.tasks.mlebench.process import WorkerLost, WorkerProcess
from mlesearch.tasks.mlebench.safe_copy import copy_safely
from mlesearch.types import ConfigError, Direction, GraderUnavailable, did_you_mean, printable

GRADE_TIMEOUT_S = 900.0
MEMORY_GIB = 8.0
PREPARE_TIMEOUT_S = 24 * 3600.0
START_TIMEOUT_S = 300.0
"""For importing the package, on a cold disk too."""
LIMIT_BYTES = 2**30
"""A larger submission is refused unread; the largest sample of a competition has 194 MB."""
TRIES = 2
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,16}")


class GraderPool:
    """Workers of one interpreter and one folder of prepared competitions; any thread may ask.

    A fork begins anew by itself: it has workers of its own.
    """

    def __init__(
        self,
        python: Path,
        data_dir: Path,
        *,
        timeout_s: float = GRADE_TIMEOUT_S,
        memory_gib: float = MEMORY_GIB,
        size: int = 1,
    ) -> None:
        """Nothing is started yet.

        Args:
            python: an interpreter that has MLE-bench (`find_python`).
            data_dir: folder of prepared competitions.
            timeout_s: wall-clock time of one grading.
            memory_gib: that a worker and what it starts may hold together.
            size: workers at most; who asks for one more waits.
        """
        self.python, self.data_dir, self.timeout_s = python, data_dir, timeout_s
        self._memory_bytes, self._size = int(memory_gib * 2**30), size
        self._begin()

    def _begin(self) -> None:
        self._process, self._lock = os.getpid(), threading.Lock()
        self._free = threading.Semaphore(self._size)
        self._idle: list[WorkerProcess] = []
        self._hello: Hello | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def hello(self) -> Hello:
        """What the interpreter has; asked once.

        Raises:
            ConfigError: MLE-bench can't be imported there.
            GraderUnavailable: no worker comes up.
        """
        if self._hello is None or self._process != os.getpid():
            answer = self._ask({"do": "hello"}, START_TIMEOUT_S, "a worker")
            versions = {str(name): str(version) for name, version in answer["versions"].items()}
            self._hello = Hello(
                commit=str(answer["commit"]),
                digest=str(answer["digest"]),
                python=str(answer["python"]),
                versions=versions,
                competitions=tuple(str(name) for name in answer["competitions"]),
                unmet=unmet_pins(versions),
            )
        return self._hello

    def describe(self, competition: str) -> OfficialCompetition:
        """What the package's registry has of a competition; its data need not be prepared.

        Raises:
            ConfigError: the package does not know it.
            GraderUnavailable: it can't be loaded.
        """
        return competition_of(self._ask({"do": "describe", "competition": competition}, START_TIMEOUT_S, competition))

    def grade(
        self,
        competition: str,
        submission: Path,
        *,
        aligned: bool = True,
        limit_bytes: int = LIMIT_BYTES,
        data_dir: Path | None = None,
    ) -> OfficialReport:
        """The official report of a submission; whatever is wrong with that is in the report.

        Args:
            competition: its id.
            submission: what a program left; the worker sees a copy of it.
            aligned: whether a copy in the order of answers and sample is graded too (`aligned_score`).
            limit_bytes: a larger one is refused unread.
            data_dir: folder of prepared competitions whose answers count; None: that of the pool.

        Raises:
            ConfigError: the package does not know the competition, or its board has another direction than our table.
            GraderUnavailable: the competition is not prepared, or its grader can't be run.
        """
        suffix = submission.suffix if _SUFFIX.fullmatch(submission.suffix) else ""
        asked = {"do": "grade", "competition": competition, "aligned": aligned, "thresholds": _thresholds(competition)}
        if data_dir is not None:
            asked["data_dir"] = str(data_dir.absolute())
        problem = ""

        def grading(worker: WorkerProcess) -> dict[str, Any]:
            nonlocal problem
            copy = worker.folder / f"submission{suffix}"
            problem = copy_safely(submission, copy, limit_bytes)
            try:
                return worker.ask({**asked, "submission": str(copy)}, self.timeout_s)
            finally:
                copy.unlink(missing_ok=True)

        answer = self._answered(grading, self.timeout_s, f"the grader of {competition}", competition)
        try:
            report = report_of({**answer, "reason": problem or printable(answer["reason"])}, str(submission))
        except (KeyError, ValueError, TypeError) as error:
            raise GraderUnavailable(f"mlebench: the grader of {competition} gave no report ({error!r})") from error
        _check_direction(report)
        return report

    def prepare(
        self,
        competition: str,
        *,
        raw: Path,
        public: Path,
        private: Path,
        timeout_s: float,
        random_state: int | None = None,
    ) -> None:
        """Run the package's own preparation of a competition.

        Args:
            competition: its id.
            raw: folder of the unpacked download.
            public: folder that is there, for what programs see.
            private: likewise, for answers.
            timeout_s: wall-clock time for it.
            random_state: of its `train_test_split`; None: its own.

        Raises:
            ConfigError: the package does not know it.
            GraderUnavailable: it failed; the text says why.
        """
        folders = {name: str(path.absolute()) for name, path in (("raw", raw), ("public", public))}
        asked: dict[str, object] = {
            "do": "prepare",
            "competition": competition,
            **folders,
            "private": str(private.absolute()),
        }
        if random_state is not None:
            asked["random_state"] = random_state
        self._ask(asked, timeout_s, f"the preparation of {competition}", tries=1)

    def close(self) -> None:
        """End all workers; what is asked afterwards is refused."""
        self._after_fork()
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    # workers

    def _after_fork(self) -> None:
        if self._process != os.getpid():
            inherited = self._idle
            self._begin()
            for worker in inherited:
                worker.forget()

    def _ask(self, what: Mapping[str, object], timeout_s: float, whose: str, *, tries: int = TRIES) -> dict[str, Any]:
        competition = str(what.get("competition", ""))
        return self._answered(lambda worker: worker.ask(what, timeout_s), timeout_s, whose, competition, tries)

    def _answered(
        self,
        ask: Callable[[WorkerProcess], dict[str, Any]],
        timeout_s: float,
        whose: str,
        competition: str,
        tries: int = TRIES,
    ) -> dict[str, Any]:
        """What a worker answers, whichever comes through.

        Raises:
            ConfigError: what was asked for is not there.
            GraderUnavailable: none came through, or it can't be done.
        """
        self._after_fork()
        lost: list[str] = []
        with self._free:
            while len(lost) < tries:
                try:
                    answer = self._with_worker(ask)
                except WorkerLost as error:
                    lost.append(printable(str(error)))
                    continue
                except OSError as error:  # of this machine: a full disk, no more processes
                    why = error.strerror or type(error).__name__
                    raise GraderUnavailable(f"mlebench: {whose} could not be run: {why}") from error
                if answer.get("kind") == "memory":
                    lost.append(str(answer["error"]))
                elif "error" not in answer:
                    return answer
                else:
                    break
        if len(lost) < tries:
            raise self._refused(answer, competition)
        first = f" (the first time {lost[0]})" if lost[0] != lost[-1] else " twice" if tries > 1 else ""
        raise GraderUnavailable(
            f"mlebench: {whose} could not be run: {lost[-1]}{first}; no submission is to blame. "
            f"{self._bounds(timeout_s)}"
        )

    def _bounds(self, timeout_s: float) -> str:
        """What a worker may take and hold, and where that is set."""
        held = f"may hold mlebench.grade_memory_gib={self._memory_bytes / 2**30:g}"
        time = f"may take mlebench.grade_timeout_s={timeout_s:g} and " if timeout_s == self.timeout_s else ""
        return f"It {time}{held}: raise what is too small, and run the same command again"

    def _with_worker(self, ask: Callable[[WorkerProcess], dict[str, Any]]) -> dict[str, Any]:
        """Ask an idle worker, or a new one; one that came through is idle again."""
        with self._lock:
            if self._closed:
                raise GraderUnavailable("mlebench: the workers that grade have been ended")
            worker = self._idle.pop() if self._idle else None
        worker = worker or WorkerProcess(self.python, self.data_dir, self._memory_bytes)
        keep = False
        try:
            answer = ask(worker)
            keep = answer.get("kind") not in ("memory", "package")
        finally:
            with self._lock:
                if keep and not self._closed:
                    self._idle.append(worker)
                else:
                    keep = False
            if not keep:
                worker.end()
        return answer

    def _refused(self, answer: Mapping[str, Any], competition: str) -> ConfigError | GraderUnavailable:
        """What to raise where a worker can't carry out a request."""
        kind, text = answer["kind"], printable(answer["error"])
        if kind == "package" and not competition:
            return ConfigError(f"mlebench.python: {self.python}: {text}; make another with {INSTALL}")
        if kind == "unknown":
            return ConfigError(f"mlebench: {text}{did_you_mean(competition, self.hello().competitions, clause=True)}")
        if kind == "unprepared":
            return GraderUnavailable(f"mlebench: {text}; prepare it with mlesearch mlebench prepare {competition}")
        return GraderUnavailable(f"mlebench: {competition or self.python}: {text}")


def _thresholds(competition: str) -> dict[str, object] | None:
    """The thresholds of our table, for a worker whose own board is a pointer; None for a competition of one's own."""
    try:
        limits, direction = leaderboard.mlebench_thresholds(competition)
    except ConfigError:
        return None
    return {
        **{name: getattr(limits, name) for name in ("gold", "silver", "bronze", "median", "teams")},
        "places": list(medals.positions(limits.teams)),
        "lower_is_better": direction is Direction.MINIMIZE,
    }


def _check_direction(report: OfficialReport) -> None:
    """Refuse a board that disagrees with our table: which way is better is never guessed.

    Raises:
        ConfigError: it does.
    """
    known = _thresholds(report.competition_id)
    if report.board == REAL_BOARD and known is not None and known["lower_is_better"] != report.is_lower_better:
        board, table = ("lower", "higher") if report.is_lower_better else ("higher", "lower")
        raise ConfigError(
            f"mlebench: {report.competition_id}: by the leaderboard of the package {board} scores are better, by the "
            f"table of mlesearch {table} ones; restore that leaderboard (git lfs pull) and install the package again"
        )
