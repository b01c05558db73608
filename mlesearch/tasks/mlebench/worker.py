"""Runs in the interpreter that has MLE-bench's package: grades submissions, one request a line, to the last.

Started by path with `python -I` (nothing of mlesearch is imported here), by `supervisor.py`, with the numbers of two
descriptors, for requests and for answers, and the folder of prepared competitions. What is printed goes to standard
error: the descriptors are the protocol's alone. A request is `{"n": 3, "do": "grade", ...}`; its answer has the same
number and its fields, or `error` and `kind` where this process, its data or the package are to blame. A submission that
cannot be graded is no error: it is invalid, and the answer says why.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata, util
from pathlib import Path
from types import ModuleType
from typing import Any

REASON_CHARS = 4_000
"""How much of a grader's message is handed on: head and tail."""
LIBRARIES = ("pandas", "numpy", "scikit-learn")
SOURCE = "mlebench-source.json"
"""Beside the package: what `mlesearch mlebench install` knows of where it came from."""
LFS_START = b"version https://git-lfs"
SPLIT = "train_test_split"
"""As the preparations name scikit-learn's function; its `random_state` decides the split."""
DEFAULTS = {"reason": "", "ends_batch": "", "aligned_score": None}


class RequestRefused(Exception):
    """A request that can't be carried out; the submission is not to blame.

    Args:
        kind: package, unknown, unprepared, board, data or memory.
        text: in words.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def said(error: BaseException) -> str:
    """An exception's own words, bounded; its type where it has none."""
    try:
        words = str(error).strip()
    except Exception:
        words = ""
    return bounded(words) or type(error).__name__


def with_type(error: BaseException) -> str:
    """An exception's type and words."""
    return f"{type(error).__name__}: {said(error)}"


def bounded(words: str) -> str:
    """Head and tail of a text."""
    if len(words) <= REASON_CHARS:
        return words
    half = REASON_CHARS // 2
    return f"{words[:half]} [... {len(words) - 2 * half:,} characters ...] {words[-half:]}"


def travelling(score: Any) -> Any:
    """A number as JSON has room for it: NaN and infinities as words, those of numpy as plain ones."""
    if score is None:
        return None
    value = float(score)
    return value if value - value == 0 else repr(value)


def neighbours(median: float) -> tuple[float, float]:
    """Two short decimals whose mean is a median, in floating point too; that itself twice where there are none.

    The package reads boards by a parser that is exact for short decimals, as real scores are, and not for long ones.
    """
    for digits in range(1, 10):
        for steps in range(8):
            apart = steps * 10.0**-digits / 2
            low, high = round(median - apart, digits), round(median + apart, digits)
            if (low + high) / 2 == median:
                return low, high
    return median, median


class OfficialWorker:
    """The package, and the competitions that were asked for."""

    def __init__(self, data_dir: Path) -> None:
        """Import the package.

        Raises:
            RequestRefused: it can't be imported.
        """
        try:
            from mlebench import grade, registry, utils
        except Exception as error:
            raise RequestRefused("package", f"mlebench can't be imported ({with_type(error)})") from error
        self._grade: ModuleType = grade
        self._read: Callable[[Path], Any] = utils.read_csv
        self._data_dir = data_dir
        self._registry: Any = registry.registry.set_data_dir(data_dir)
        self._package = Path(registry.__file__).parent
        self._competitions: dict[tuple[str, Path], Any] = {}
        self._alignment = _beside("alignment").Alignment()

    # requests

    def hello(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What is here."""
        versions = {}
        for name in LIBRARIES:
            with contextlib.suppress(metadata.PackageNotFoundError):
                versions[name] = metadata.version(name)
        return {
            "commit": self._commit(),
            "digest": self._digest(),
            "python": sys.version.split()[0],
            "versions": versions,
            "competitions": sorted(self._registry.list_competition_ids()),
        }

    def describe(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Where a competition's files are, and what it is."""
        found = self._competition(asked["competition"])
        places = ("public_dir", "private_dir", "raw_dir", "answers", "sample_submission", "checksums", "leaderboard")
        declared = found.gold_submission != found.answers
        folder = self._registry.get_competitions_dir() / found.id
        board = self._board(found)
        return {
            "id": found.id,
            "title": found.name,
            "description": found.description,
            "metric": found.grader.name,
            **{name: str(getattr(found, name)) for name in places},
            "gold_submission": str(found.gold_submission) if declared else None,
            "config": str(folder / "config.yaml"),
            "grader": _file_of(found.grader.grade_fn),
            "lower_is_better": found.grader.is_lower_better(self._read(found.leaderboard)) if board == "real" else None,
            "board": board,
            "why_unprepared": self._missing(found),
        }

    def grade(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The report of one submission, and what its aligned copy scores where that differs."""
        competition = self._competition(asked["competition"], asked.get("data_dir"))
        if missing := self._missing(competition):
            raise RequestRefused("unprepared", missing)
        board = self._board(competition)
        if board != "real":
            competition = self._with_board(competition, asked["thresholds"])
        submission = Path(asked["submission"])
        begun = time.monotonic()
        report = self._report(competition, submission)
        if asked["aligned"] and report["submission_exists"] and not report["ends_batch"]:
            aligned = submission.with_name("aligned.csv")
            if self._alignment.write(submission, competition.sample_submission, competition.answers, aligned):
                other = self._report(competition, aligned)["score"]
                aligned.unlink()
                if other is not None and other != report["score"]:
                    report["aligned_score"] = other
        return {**report, "board": board, "seconds": time.monotonic() - begun}

    def prepare(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Run the package's own preparation from one folder into two others."""
        competition = self._competition(asked["competition"])
        try:
            with _random_state(competition.prepare_fn, asked.get("random_state")):
                competition.prepare_fn(*(Path(asked[name]) for name in ("raw", "public", "private")))
        except RequestRefused:
            raise
        except MemoryError as error:
            raise RequestRefused("memory", "it ran out of memory") from error
        except Exception as error:
            raise RequestRefused("data", with_type(error)) from error
        return {}

    # grading

    def _report(self, competition: Any, submission: Path) -> dict[str, Any]:
        raised: list[BaseException] = []
        entered: list[bool] = []
        with _noted(competition.grader, entered, raised):
            try:
                official = self._grade.grade_csv(submission, competition).to_dict()
            except BaseException as error:
                self._check_memory(error)
                return self._ended(competition, submission, error, graded=bool(entered))
        for noted in raised:
            self._check_memory(noted)
        report = {**official, **DEFAULTS, "score": travelling(official["score"])}
        if not official["valid_submission"]:
            report["reason"] = said(raised[-1]) if raised else self._why_unread(submission)
        return report

    def _ended(self, competition: Any, submission: Path, error: BaseException, *, graded: bool) -> dict[str, Any]:
        """The report where `grade_csv` raised: the package's own command would have ended here.

        Raises:
            RequestRefused: it was not the submission.
        """
        why = error if graded else self._unreadable(submission)
        if why is None:
            raise RequestRefused("data", with_type(error)) from error
        official = self._grade.grade_csv(submission.with_name("absent.csv"), competition).to_dict()
        told = {"reason": said(why), "ends_batch": type(why).__name__, "submission_exists": True}
        return {**official, **DEFAULTS, **told}

    def _unreadable(self, submission: Path) -> Exception | None:
        """What reading a submission raises; None where it can be read."""
        try:
            self._read(submission)
        except Exception as error:
            self._check_memory(error)
            return error
        return None

    @staticmethod
    def _check_memory(error: BaseException) -> None:
        if isinstance(error, MemoryError):
            raise RequestRefused("memory", "it ran out of memory") from error

    @staticmethod
    def _why_unread(submission: Path) -> str:
        if not submission.is_file():
            return "there is no submission"
        return f"the name of a submission has to end in .csv, not {submission.suffix or 'in nothing'}"

    # the package

    def _competition(self, name: str, data_dir: str | None = None) -> Any:
        key = name, self._data_dir if data_dir is None else Path(data_dir)
        if key not in self._competitions:
            if name not in self._registry.list_competition_ids():
                raise RequestRefused("unknown", f"the installed package knows no competition {name!r}")
            try:
                self._competitions[key] = self._registry.set_data_dir(key[1]).get_competition(name)
            except Exception as error:
                raise RequestRefused("package", f"{name} can't be loaded ({with_type(error)})") from error
        return self._competitions[key]

    @staticmethod
    def _missing(competition: Any) -> str:
        """What grading lacks, in words; empty where nothing."""
        folder, answers = competition.private_dir, competition.answers
        if not folder.is_dir() or not any(folder.iterdir()):
            return f"{competition.id} is not prepared: nothing is in {folder}"
        return "" if answers.is_file() else f"{competition.id} is not prepared: there are no answers at {answers}"

    @staticmethod
    def _board(competition: Any) -> str:
        """`real`, or `table` where the board is missing or a Git-LFS pointer."""
        try:
            with open(competition.leaderboard, "rb") as file:
                return "table" if file.read(len(LFS_START)) == LFS_START else "real"
        except FileNotFoundError:
            return "table"

    @staticmethod
    def _with_board(competition: Any, thresholds: dict[str, Any] | None) -> Any:
        """The competition with a board whose medal places have the given thresholds, for the package's own rules.

        Raises:
            RequestRefused: none are given.
        """
        if thresholds is None:
            what = f"{competition.leaderboard} is missing or a Git-LFS pointer"
            raise RequestRefused("board", f"{what}; fetch it with `git lfs pull` in the repository and install that")
        places, worse = thresholds["places"], 1.0 if thresholds["lower_is_better"] else -1.0
        gold, silver, bronze, median = (thresholds[name] for name in ("gold", "silver", "bronze", "median"))
        scores = [gold] * places[0] + [silver] * (places[1] - places[0]) + [bronze] * (places[2] - places[1])
        half, left = thresholds["teams"] // 2, thresholds["teams"] - len(scores)
        low, high = neighbours(median) if left > half and thresholds["teams"] % 2 == 0 else (median, median)
        better, other = (low, high) if thresholds["lower_is_better"] else (high, low)
        scores += [better] * max(0, left - half) + [other] * min(left, half)
        scores[-1] = median + worse * (1.0 + abs(median))  # the package tells the direction by the first and the last
        path = Path(f"board-{competition.id}.csv").absolute()
        path.write_text("score\n" + "".join(f"{score!r}\n" for score in scores), encoding="utf-8")
        return dataclasses.replace(competition, leaderboard=path)

    def _commit(self) -> str:
        """Of the package's repository: as an installation noted it, or as git does beside an editable one."""
        with contextlib.suppress(Exception):
            (noted,) = self._package.parent.glob("mlebench-*.dist-info/direct_url.json")
            return str(json.loads(noted.read_text(encoding="utf-8"))["vcs_info"]["commit_id"])
        with contextlib.suppress(Exception):
            noted = self._package.parent / SOURCE
            return str(json.loads(noted.read_text(encoding="utf-8"))["commit"])
        with contextlib.suppress(Exception):
            git = self._package.parent / ".git"
            head = (git / "HEAD").read_text(encoding="utf-8").strip()
            name = head.removeprefix("ref: ")
            if name == head:
                return head
            if (git / name).is_file():
                return (git / name).read_text(encoding="utf-8").strip()
            packed = (git / "packed-refs").read_text(encoding="utf-8").splitlines()
            return next(line.split()[0] for line in packed if line.endswith(f" {name}"))
        return ""

    def _digest(self) -> str:
        total = hashlib.sha256()
        for path in sorted(self._package.rglob("*")):
            if path.suffix == ".py" or path.name == "config.yaml":
                total.update(f"{path.relative_to(self._package)}\0{path.stat().st_size}\0".encode())
                total.update(path.read_bytes())
        return total.hexdigest()


def _file_of(function: Any) -> str:
    return str(sys.modules[function.__module__].__file__)


def _beside(name: str) -> ModuleType:
    """A module that lies beside this file, which knows its own path alone."""
    spec = util.spec_from_file_location(f"_mlesearch_{name}", Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _random_state(prepare: Callable[..., Any], random_state: int | None) -> Iterator[None]:
    """While a competition is prepared: another random state in place of the one that its preparation names.

    Raises:
        RequestRefused: it splits by something else than `train_test_split`.
    """
    if random_state is None:
        yield
        return
    module: Any = sys.modules[prepare.__module__]
    split = getattr(module, SPLIT, None)
    if split is None:
        raise RequestRefused("data", f"its preparation has no {SPLIT}, so it gives one split only")
    setattr(module, SPLIT, lambda *arrays, **named: split(*arrays, **{**named, "random_state": random_state}))
    try:
        yield
    finally:
        setattr(module, SPLIT, split)


@contextlib.contextmanager
def _noted(grader: Any, entered: list[bool], raised: list[BaseException]) -> Iterator[None]:
    """While a submission is graded: whether the grader was reached, and what it raised, which the package only logs.

    A score of numpy becomes a plain one: the package's rules on medals take no other.
    """
    function = grader.grade_fn

    def noting(submission: Any, answers: Any) -> Any:
        entered.append(True)
        try:
            score = function(submission, answers)
        except BaseException as error:
            raised.append(error)
            raise
        plain = getattr(score, "item", None)
        return plain() if plain is not None and not isinstance(score, float) else score

    noting.__module__ = function.__module__
    grader.grade_fn = noting
    try:
        yield
    finally:
        grader.grade_fn = function


def main() -> None:
    """Answer requests until the descriptor ends."""
    asked_fd, answers_fd, data_dir = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    for number in (asked_fd, answers_fd):
        os.set_inheritable(number, False)
    worker: OfficialWorker | None = None
    with open(asked_fd, "rb") as requests, open(answers_fd, "wb") as answers:
        for line in requests:
            asked = json.loads(line)
            try:
                worker = worker or OfficialWorker(data_dir)
                answer = getattr(worker, asked["do"])(asked)
            except RequestRefused as refused:
                answer = {"error": str(refused), "kind": refused.kind}
            except Exception as error:
                answer = {"error": with_type(error), "kind": "data"}
            answers.write(json.dumps({**answer, "n": asked["n"]}).encode("ascii") + b"\n")
            answers.flush()


if __name__ == "__main__":
    main()
