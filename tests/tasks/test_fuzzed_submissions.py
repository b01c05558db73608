"""Submissions that nobody would write: whatever stands in one, scoring returns a score or a problem, never raises."""

import errno
import math
import random
import re
import time
from pathlib import Path

import pytest
import yaml

from mlesearch.engine import scoring
from mlesearch.engine.scoring import TaskScorer, judge, judge_sample
from mlesearch.tasks import folder
from mlesearch.tasks.grading import grade_test, score_validation
from mlesearch.tasks.metrics import METRICS
from mlesearch.tasks.protocol import Grade, Scored, Task
from mlesearch.types import Artefact, Captured, ConfigError, ExecResult, ExecStatus, Status
from tests.support.task_maker import make_task, write_csv

IDS = range(7, 20)
GRADER = """
def grade(submission, answers):
    both = answers.merge(submission, on="id")
    return float((both["y_x"] - both["y_y"]).abs().mean())
"""


def _task(root: Path, name: str, answers: dict[str, list[object]], metric: str, direction: str) -> Task:
    """A task with these answers, one list a target column, validation rows first."""
    make_task(root / name, id=name)
    columns = list(answers)
    rows = [f"{i},{','.join(str(answers[c][n]) for c in columns)}" for n, i in enumerate(IDS)]
    for part, chosen in (("validation", rows[:5]), ("test", rows[5:])):
        write_csv(root / name / "private" / f"{part}.csv", f"id,{','.join(columns)}", chosen)
    write_csv(root / name / "public" / "sample_submission.csv", f"id,{','.join(columns)}", rows)
    path = root / name / "task.yaml"
    content = yaml.safe_load(path.read_text()) | {"metric": metric, "direction": direction, "max_submission_mb": 0.2}
    path.write_text(yaml.safe_dump(content))
    (root / name / "leaderboard.csv").unlink()
    return folder.load(root / name)


def tasks(root: Path) -> list[Task]:
    """One for each metric, some with several targets, texts, or a grader of their own."""
    binary: list[object] = [n % 2 for n in range(13)]
    numbers: list[object] = [0.5 + n * 1.25 for n in range(13)]
    levels: list[object] = [n % 4 for n in range(13)]
    names: list[object] = [["NA", "cat", "dög", "1_0"][n % 4] for n in range(13)]
    one_hot: dict[str, list[object]] = {c: [int(n % 3 == k) for n in range(13)] for k, c in enumerate("abc")}
    answers = {
        "accuracy": levels,
        "macro_f1": levels,
        "auc": binary,
        "quadratic_kappa": levels,
        "log_loss": binary,
        "rmse": numbers,
        "rmsle": numbers,
        "mae": numbers,
    }
    assert set(answers) == set(METRICS)
    made = [_task(root, n, {"y": a}, n, METRICS[n].direction.value) for n, a in answers.items()]
    made += [_task(root, f"{n}-texts", {"y": names}, n, "maximize") for n in ("accuracy", "macro_f1")]
    made.append(_task(root, "log_loss-3", one_hot, "log_loss", "minimize"))
    made.append(_task(root, "rmse-2", {"y": numbers, "z": [*reversed(numbers)]}, "rmse", "minimize"))
    own = _task(root, "own", {"y": numbers}, "mae", "minimize")
    (own.public_dir.parent / "grade.py").write_text(GRADER)
    return [*made, folder.load(own.public_dir.parent)]


CELLS = [
    *("9" * 400, "9" * 25, "9" * 5000, "-" + "9" * 400, "18446744073709551615", "-9223372036854775809", "1_0", "0x10"),
    *(
        "1e400",
        "-1e400",
        "1e308",
        "-1e308",
        "5e-324",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "Infinity",
        "NA",
        "None",
        "null",
        "",
    ),
    *("True", "False", " 1 ", "1,5", "1.5.2", "²", "٣", "1e", "+5", "-0", "1+2j", "2020-01-01", "=1+1", "'", '"', "\\"),
    *("0", "1", "2", "3", "-1", "0.5", "1.0", "1e0", "cat", "dög", "\ufeff", "\u202e", "a\tb", "x" * 3000, "é" * 100),
    *("1" + "0" * 308 + ".5", "0" * 500 + "1", "1e-400", "0.1e1", "1d5", "#N/A", "<NA>", "NaT", "\x1b[2J", "\x7f"),
]
IDS_ODD = ["7", "7.0", "7e0", "07", "-7", "8", "99", "", "nan", "inf", "9" * 400, "x", "7 ", "True", "0x7", "7\u0301"]


def mutate(r: random.Random, whole: str) -> bytes:
    """A submission with one thing or several things wrong in it."""
    rows = [line.split(",") for line in whole.splitlines()]
    for _ in range(r.choice([1, 1, 1, 2, 5])):
        row = r.randrange(1, len(rows))
        match r.randrange(14):
            case 0 | 1 | 2 | 3:
                rows[row][r.randrange(len(rows[row]))] = r.choice(CELLS)
            case 4:
                column, cell = r.randrange(len(rows[0])), r.choice(CELLS)
                rows = [rows[0], *([*o[:column], cell, *o[column + 1 :]] for o in rows[1:])]
            case 5:
                rows[row][0] = r.choice(IDS_ODD)
            case 6:
                rows.append([*rows[row]])
            case 7:
                del rows[row]
                rows.append(["1"])
            case 8:
                rows[row].append(r.choice(CELLS))
            case 9:
                rows[0] = r.choice(
                    [["id"], ["y", "id"], ["id", "y", "y"], ["ID", "y"], [""], ["id", " y"], ["id"] * 300]
                )
            case 10:
                r.shuffle(rows)
            case 11:
                for o in rows[1:]:
                    o[-1] = repr(
                        r.choice([r.random(), r.gauss(0, 1e200), r.randrange(4), 10.0 ** r.randrange(-320, 308)])
                    )
            case 12:
                for o in rows[1:]:
                    o[0] = r.choice([f"{o[0]}.0", f" {o[0]}", o[0]])
            case 13:
                rows[row] = [f'"{cell}' for cell in rows[row]]
        rows = [o or [""] for o in rows]
    data = r.choice(["\n", "\n", "\n", "\r\n", "\r"]).join(",".join(o) for o in rows).encode("utf-8", "replace")
    match r.randrange(12):
        case 0:
            data = bytearray(data or b"x")  # type: ignore[assignment]  # its bytes are changed one by one
            for _ in range(r.randrange(1, 6)):
                data[r.randrange(len(data))] = r.randrange(256)  # type: ignore[index]
        case 1:
            data = data.decode().encode(r.choice(["utf-16", "utf-8-sig", "utf-32", "utf-16-le"]))
        case 2:
            data = data[: r.randrange(len(data) + 1)]
        case 3:
            data = r.randbytes(r.randrange(400))
    return bytes(data)


def _fuzz(root: Path, count: int, seed: int) -> dict[str, int]:
    """Scores so many submissions by every task in turn; returns what became of them."""
    r, made, found = random.Random(seed), tasks(root), {"scored": 0, "invalid": 0}
    whole = {t.id: (t.public_dir / "sample_submission.csv").read_text() for t in made}
    path = root / "submission.csv"
    for n in range(count):
        task = made[n % len(made)]
        data = mutate(r, whole[task.id])
        path.write_bytes(data)
        try:
            scored, grade = score_validation(task, path), grade_test(task, path)
        except Exception as error:
            raise AssertionError(f"{task.id}: {data!r}") from error
        assert (scored.score is None) == bool(scored.problem), data
        assert scored.score is None or math.isfinite(scored.score), data
        assert grade.valid == (grade.score is not None and math.isfinite(grade.score)), data
        for problem in (scored.problem, grade.problem):
            problem.encode()
            assert "\n" not in problem
            assert len(problem) < 1000, data
        found["scored" if scored.score is not None else "invalid"] += 1
    return found


def test_a_few_fuzzed_submissions(tmp_path: Path) -> None:
    found = _fuzz(tmp_path, 1500, 1)
    assert min(found.values()) > 100, found


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_fuzzed_submissions(tmp_path: Path) -> None:
    began = time.monotonic()
    found = _fuzz(tmp_path, 100_000, 2)
    print(f"{found} in {time.monotonic() - began:.0f} s")
    assert min(found.values()) > 5_000, found


def test_the_right_answers_score_best(tmp_path: Path) -> None:
    for task in tasks(tmp_path):
        scored = score_validation(task, task.public_dir / "sample_submission.csv")
        assert scored.score is not None, task.id
        assert scored.score == pytest.approx(1.0 if task.direction.value == "maximize" else 0.0, abs=1e-12)


class Raising:
    """A scorer that fails in every way; of plug-ins, of metrics, or of our own."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def validation(self, result: ExecResult) -> Scored:
        raise self.error

    def submission_problem(self, result: ExecResult) -> str:
        raise self.error

    def test(self, result: ExecResult) -> Grade:
        raise self.error


ERRORS = [
    *(OverflowError("int too large"), RecursionError(), MemoryError(), KeyError("x"), OSError(21, "Is a directory")),
    *(
        UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
        ZeroDivisionError(),
        ValueError("\ud800\nline"),
        AssertionError(),
    ),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_what_scoring_raises_is_an_invalid_submission(error: Exception) -> None:
    result = ExecResult(ExecStatus.OK, 0)
    judged, sample, grade = (
        judge(result, Raising(error)),
        judge_sample(result, Raising(error)),
        scoring.grade(result, Raising(error)),
    )
    assert (judged.status, judged.score) == (Status.INVALID_SUBMISSION, None)
    assert not grade.valid
    for problem in (judged.problem, sample, grade.problem):
        assert re.match(r"the submission could not be scored: \w+", problem)
        assert "\n" not in problem
        problem.encode()


def test_a_disk_that_fails_is_nobodys_submission() -> None:
    error, result = OSError(errno.ENOSPC, "No space left on device"), ExecResult(ExecStatus.OK, 0)
    for read in (judge, judge_sample, scoring.grade):
        with pytest.raises(OSError, match="No space left"):
            read(result, Raising(error))


def test_a_task_that_is_broken_still_stops_the_run() -> None:
    with pytest.raises(ConfigError):
        judge(ExecResult(ExecStatus.OK, 0), Raising(ConfigError("answers are gone")))


def test_a_number_of_400_digits_is_an_invalid_submission(tmp_path: Path) -> None:
    task = folder.load("rentals")
    text = (task.public_dir / "sample_submission.csv").read_text().splitlines()
    (tmp_path / "submission.csv").write_text("\n".join([*text[:8], f"{text[8].split(',')[0]},{'9' * 400}", *text[9:]]))
    left = {"submission.csv": Artefact("submission.csv", tmp_path / "submission.csv", 1)}
    result = ExecResult(ExecStatus.OK, 0, stdout=Captured("", "", 0), artefacts=left)
    judged = judge(result, TaskScorer(task))
    assert judged.status is Status.INVALID_SUBMISSION
    assert "must hold a finite number in every row, but 1 do not" in judged.problem
