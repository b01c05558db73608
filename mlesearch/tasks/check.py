"""The preflight of a task: what must hold before a search on it is worth money."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlesearch.tasks import files, folder, grading, leaderboard, leaks
from mlesearch.tasks.answers import answers as read_answers
from mlesearch.tasks.protocol import Grade, Medal, Task, Validity
from mlesearch.types import ConfigError, Direction, Finding, Level

if TYPE_CHECKING:
    import pandas as pd

ODD, FAR = 0.95, 0.99
"""The sample submission and the answers show the grader's scale. A board whose worst entry has closed more than `ODD`
of the way from the one to the other is worth a look; more than `FAR` means that the board is on another scale."""

SAME = 1e-9

_UNLABELLED = {"test", "validation", "valid", "val"}
"""Public tables of these names hold rows to predict. Any other table may have labels, of other rows: `leaks` looks."""


def check(task: Task | str | Path) -> list[Finding]:
    """Check a task; an empty list means that nothing was found.

    Checked: the answers earn gold; the sample submission earns no medal; shuffled rows score the same; the board
    spans the sample's score, agrees with the direction and is no Git-LFS pointer; public files hold no answers,
    under whatever name, and have the parts and ids that are asked for; files are those whose sha256 task.yaml
    records. Findings of the level ok are notes: no board, thresholds that coincide, a grader declared to compare by
    position.

    Args:
        task: a loaded task, or what `folder.load` takes. What that refuses is a finding, too.
    """
    if not isinstance(task, Task):
        try:
            task = folder.load(task)
        except ConfigError as error:
            return [Finding(Level.ERROR, "load", str(error))]
    if task.official is not None:
        return []  # its own preflight is `mlesearch.tasks.mlebench.preflight`, which asks who grades it
    try:
        if task.ungraded is not None:
            return [*_recorded(task), *_ungraded(task)]
        read_answers(task)
        return [
            *_recorded(task),
            *_public(task),
            *leaks.check(task),
            *_without_board(task),
            *_distinct(task),
            *_order(task),
            *_scores(task),
            *_shuffled(task),
        ]
    except ConfigError as error:
        return [Finding(Level.ERROR, "load", str(error))]


def _recorded(task: Task) -> Iterator[Finding]:
    """Files that differ from the sha256 in task.yaml."""
    root = task.public_dir.parent
    if not (root / folder.DECLARED).is_file():
        return
    for name, digest in folder.declared(root).get("sha256", {}).items():
        path = root / name
        if not path.is_file():
            yield Finding(Level.ERROR, "recorded", f"{name} is missing, but {folder.DECLARED} records its sha256")
        elif _sha256(path).hex() != digest:
            text = f"{name} is not the file that {folder.DECLARED} records: make it again, or record its sha256"
            yield Finding(Level.ERROR, "recorded", text)


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _public(task: Task) -> Iterator[Finding]:
    """Answers among the public files: target columns outside train, copies of and links to the private files."""
    private = {(path.stat().st_size, _sha256(path)): path.name for path in files.files(task.private_dir, litter=True)}
    sizes = {size for size, _ in private}
    for path in files.files(task.public_dir, litter=True):
        name = f"public/{files.shown(str(path.relative_to(task.public_dir)))}"
        size = path.stat().st_size
        same = private.get((size, _sha256(path))) if size in sizes else None
        if same:
            yield Finding(Level.ERROR, "public", f"{name} is a copy of private/{same}; remove it")
        elif path.suffix == ".csv" and path.stem.lower() in _UNLABELLED:
            held = [column for column in task.target_columns if column in folder.header(path)]
            if held:
                text = f"{name} holds the target column {held[0]!r}; a table of rows to predict may not"
                yield Finding(Level.ERROR, "public", text)


def _ungraded(task: Task) -> Iterator[Finding]:
    """What can be said without answers: whether there are data, and whether the sample submission is valid."""
    yield Finding(Level.OK, "ungraded", "there are no test answers, so runs have no test score and no medal")
    if all(path == task.public_dir / task.sample for path in files.files(task.public_dir)):
        yield Finding(
            Level.ERROR, "parts", f"there is nothing but {task.sample or 'an empty folder'}; put the data there"
        )
    if task.ungraded is Validity.SAMPLE:
        whole = grading.read_submission(task.public_dir / task.sample, task)
        if whole.problem and not _is_form(task):
            yield Finding(Level.ERROR, "sample", f"the sample submission is invalid: {whole.problem}")


def _is_form(task: Task) -> bool:
    """Whether a target of the sample submission has no value at all, since it is to be filled in."""
    return bool(read_answers(task).test[list(task.target_columns)].isna().all().any())


def _without_board(task: Task) -> Iterator[Finding]:
    if task.board is None:
        text = f"there is no {leaderboard.BOARD}, so runs are scored and win no medal; add one if medals are wanted"
        yield Finding(Level.OK, "leaderboard", text)


def _distinct(task: Task) -> Iterator[Finding]:
    """Thresholds that coincide, as on crowded boards, so that medals tell strategies apart less well."""
    if task.board is None:
        return
    limits = task.thresholds
    named = [("gold", limits.gold), ("silver", limits.silver), ("bronze", limits.bronze), ("median", limits.median)]
    for (better, high), (worse, low) in itertools.pairwise(named):
        if not task.direction.better(high, low):
            text = f"the {better} threshold {high:.6g} is not strictly better than {worse} {low:.6g}"
            yield Finding(Level.OK, "thresholds", f"{text}: the board is small, flat or crowded")


def _board(task: Task) -> tuple[float, ...]:
    """Scores of the board in the file's order; the thresholds where there are only these."""
    if task.board is not None and task.board.name == leaderboard.BOARD:
        return leaderboard.scores(task.board)
    limits = task.thresholds
    return (limits.gold, limits.silver, limits.bronze, limits.median)


def _order(task: Task) -> Iterator[Finding]:
    """A board that is sorted the other way round."""
    if task.board is None:
        return
    scores = _board(task)
    pairs = list(itertools.pairwise(scores))
    worse_first = not any(task.direction.better(a, b) for a, b in pairs)
    if worse_first and task.direction.better(scores[-1], scores[0]):
        text = (
            f"the board runs from {scores[0]:.6g} to {scores[-1]:.6g}, as if the metric were not to {task.direction}; "
            "correct the direction, or sort the board best first"
        )
        yield Finding(Level.ERROR, "direction", text)


def _scores(task: Task) -> Iterator[Finding]:
    """What the sample submission and the answers themselves would be graded."""
    answers = _grade_answers(task)
    sample = grading.grade_test(task, task.public_dir / task.sample)
    whole = grading.read_submission(task.public_dir / task.sample, task)
    if whole.problem or sample.problem:
        yield Finding(Level.ERROR, "sample", f"the sample submission is invalid: {whole.problem or sample.problem}")
    if sample.medal is not Medal.NONE:
        text = (
            f"the sample submission scores {sample.score:.6g} and earns {sample.medal}; is the board on another scale?"
        )
        yield Finding(Level.ERROR, "sample", text)
    elif sample.score is not None and task.board is not None:
        yield from _span(task, sample.score, answers.score if answers else None)
    if answers is None:
        text = "private/test.csv lacks target columns, so it cannot be checked that right answers earn gold"
        yield Finding(Level.WARNING, "answers", text)
    elif answers.score is None:
        yield Finding(Level.ERROR, "answers", f"the answers themselves are an invalid submission: {answers.problem}")
    elif answers.medal is not Medal.GOLD and task.board is not None:
        text = f"the answers themselves score {answers.score:.6g} and earn {answers.medal}, not gold"
        yield Finding(
            Level.ERROR, "answers", f"{text} (from {task.thresholds.gold:.6g}); direction, board and grader disagree"
        )
    elif sample.score is not None and not task.direction.better(answers.score, sample.score):
        text = f"the answers score {answers.score:.6g}, no better than the sample's {sample.score:.6g}"
        yield Finding(Level.ERROR, "direction", f"{text}, with direction {task.direction}")


def _span(task: Task, sample: float, perfect: float | None) -> Iterator[Finding]:
    """A board on another scale than the grader: it lies on the wrong side of the sample, or all of it at perfection.

    The latter is seen on a whole board only: thresholds alone lie near perfection wherever most teams did well.
    """
    if task.direction.better(sample, task.thresholds.median):
        text = f"the sample submission scores {sample:.6g}, above the median {task.thresholds.median:.6g}"
        yield Finding(Level.ERROR, "span", f"{text}; is the board on another scale than the grader?")
        return
    if perfect is None or perfect == sample or task.board is None or task.board.name != leaderboard.BOARD:
        return
    board = sorted(_board(task), reverse=task.direction is Direction.MAXIMIZE)
    closed = (board[-1] - sample) / (perfect - sample)
    text = (
        f"the board spans {board[-1]:.6g} to {board[0]:.6g}, but the sample submission scores {sample:.6g} and the "
        f"answers {perfect:.6g}"
    )
    if closed > FAR:
        yield Finding(Level.ERROR, "span", f"{text}: the board is on another scale than the grader")
    elif closed > ODD:
        yield Finding(Level.WARNING, "span", f"{text}; is the board on the grader's scale?")


def _columns(task: Task) -> list[str]:
    return [task.id_column, *task.target_columns]


def _answer_frame(task: Task) -> pd.DataFrame | None:
    """The test answers as a submission; None where they have another form than a submission."""
    test = read_answers(task).test
    columns = _columns(task)
    return test[columns] if set(columns) <= set(test.columns) else None


def _grade_answers(task: Task) -> Grade | None:
    """The grade of the answers, by the way that every submission goes: through a file."""
    frame = _answer_frame(task)
    if frame is None:
        return None
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "submission.csv"
        frame.to_csv(path, index=False)
        return grading.grade_test(task, path)


def _shuffled(task: Task) -> Iterator[Finding]:
    """A grader that compares rows by position: scored with rows in another order, without aligning them first."""
    frame = _answer_frame(task)
    if task.positional:
        text = "the official grader compares rows by position, so a submission in another order is refused"
        yield Finding(Level.OK, "shuffled", f"{text}; say so in description.md")
        return
    if frame is None or task.grader is None:
        return  # a named metric sees aligned rows only
    truth = read_answers(task).test
    order: Any = np.random.default_rng(0).permutation(len(frame))
    straight = grading.score_frame(task, frame, truth)
    shuffled = grading.score_frame(task, frame.iloc[order].reset_index(drop=True), truth)
    if straight.score is None:
        return  # reported by the check of the answers
    if shuffled.score is None or abs(shuffled.score - straight.score) > SAME:
        got = shuffled.problem or f"{shuffled.score:.6g}"
        text = f"grade.py compares rows by position: with the rows shuffled the answers score {got} instead of"
        yield Finding(
            Level.ERROR,
            "shuffled",
            f"{text} {straight.score:.6g}; match rows by {task.id_column!r}, or declare `positional: true`",
        )
