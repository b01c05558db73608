"""Malformed submissions: graded as the official rule says, or refused with a message to act on; never much memory.

What MLE-bench does with each stands beside it. It was found by the grader of dogs-vs-cats-redux-kernels-edition (commit
783b15a; pandas 2.3.3, scikit-learn 1.9.1) on the same bytes and the same answers: a score, `invalid`, or `aborts` where
reading the file raises, which ends the grading of a whole batch there.
"""

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mlesearch.tasks import folder
from mlesearch.tasks.grading import grade_test
from mlesearch.tasks.protocol import Task
from tests.support.malformed import TRUTH, variants
from tests.support.paths import ROOT
from tests.support.task_maker import make_task, write_csv

FINE = 0.2231435513142097
WRONG, CELL = "expected exactly: id,label", "must hold a finite number in every row, but 1 do not; the first is "

EXPECTED: dict[str, tuple[float | str, float | str]] = {
    # what is odd: (MLE-bench's grade, ours or what the message says)
    "as it should be": (FINE, FINE),
    "rows reordered": (FINE, FINE),
    "columns reordered": (FINE, FINE),
    "CRLF": (FINE, FINE),
    "CR": (FINE, FINE),
    "blank lines": (FINE, FINE),
    "quoted cells": (FINE, FINE),
    "no last line end": (FINE, FINE),
    "ids as floats": (FINE, FINE),
    "byte-order mark": (FINE, FINE),
    "booleans": (2.220446049250313e-16, 0.0),  # rounded
    # valid there, refused here: what is in the file is not what was asked for
    "an index column": (FINE, f"not expected: ''.*without its index.*{WRONG}"),
    "an extra column": (FINE, f"not expected: 'note'; {WRONG}"),
    "column twice": (FINE, f"more than once: 'label'; {WRONG}"),
    "NUL bytes": (FINE, "holds NUL bytes, so it is no text; expected the columns id,label as a UTF-8 CSV"),
    # invalid there and here
    "spaces in the header": ("invalid", f"missing: 'label'; not expected: ' label'; {WRONG}"),
    "semicolons": ("invalid", rf"\(separate cells by commas, not by ';'\); {WRONG}"),
    "tabs": ("invalid", r"\(separate cells by commas, not by '\\t'\)"),
    "decimal commas": ("invalid", "the first row has 3 cells; expected 2, as the header has"),
    "other column name": ("invalid", f"missing: 'label'; not expected: 'probability'; {WRONG}"),
    "no header": ("invalid", f"missing: 'id', 'label'; not expected: '7', '0.8'; {WRONG}"),
    "header alone": ("invalid", "13 values of id are missing: 7, 8, 9 and 10 more"),
    "header twice": ("invalid", "1 values of id are no numbers: 'id'; expected those of sample_submission.csv"),
    "an id missing": ("invalid", "1 values of id are missing: 9; expected"),
    "an id unknown": ("invalid", "1 values of id are unknown: 99; id takes the 13 values of sample_submission.csv"),
    "an id too many": ("invalid", "1 values of id are unknown: 99"),
    "an id twice": ("invalid", "1 values of id occur more than once: 9; expected once"),
    "an id twice, another missing": ("invalid", "1 values of id occur more than once: 9; expected once"),
    "no id in a row": ("invalid", "1 rows have no id; expected one row for each id"),
    "ids as texts": ("invalid", "1 values of id are no numbers: 'seven'; expected those of sample_submission.csv"),
    "an empty cell": ("invalid", f"{CELL}missing, for id 13"),
    "NaN": ("invalid", f"{CELL}'nan', for id 13"),
    "infinity": ("invalid", f"{CELL}'inf', for id 13"),
    "minus infinity": ("invalid", f"{CELL}'-inf', for id 13"),
    "overflow": ("invalid", f"{CELL}'inf', for id 13"),
    "a whole number of 400 digits": ("invalid", f"{CELL}'inf', for id 13"),
    "a word among numbers": ("invalid", f"{CELL}'high', for id 13"),
    "above 1": ("invalid", "expects predictions from 0 to 1, but 1 are outside, the first is 1.0000001; bring them"),
    "below 0": ("invalid", "expects predictions from 0 to 1, but 1 are outside, the first is -0.1; bring them"),
    "percent": ("invalid", f"{CELL}'80%', for id 13"),
    "two tables": ("invalid", "1 values of id are no numbers: 'id'"),
    "empty": ("invalid", "is empty; expected the columns id,label"),
    "white space": ("invalid", "is empty; expected the columns id,label"),
    "JSON": ("invalid", WRONG),
    "a web page": ("invalid", WRONG),
    "a formula": ("invalid", f"{CELL}'=1/2', for id 13"),
    "a comment first": ("invalid", f"not expected: '# my submission'; {WRONG}"),
    # reading it raises there
    "an open quote": ("aborts", "is no well-formed CSV .*EOF inside string starting at row 7.*expected the columns"),
    "longer rows": ("aborts", "is no well-formed CSV .*Expected 2 fields in line 15, saw 3.*expected the columns"),
    "UTF-16": ("aborts", "is UTF-16 or UTF-32; expected the columns id,label as a UTF-8 CSV"),
    "UTF-32": ("aborts", "is UTF-16 or UTF-32; expected the columns id,label as a UTF-8 CSV"),
    "Latin-1": ("aborts", "is not UTF-8 text; expected the columns id,label as a UTF-8 CSV"),
    "a zip": ("aborts", "holds NUL bytes, so it is no text"),
    "a picture": ("aborts", "holds NUL bytes, so it is no text"),
}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    root = tmp_path_factory.mktemp("malformed") / "task"
    make_task(root, metric="log_loss", metric_rules="mlebench", validation="reported")
    write_csv(root / "private" / "test.csv", "id,label", [f"{i},{label}" for i, label in TRUTH.items()])
    write_csv(root / "public" / "sample_submission.csv", "id,label", [f"{i},0.5" for i in TRUTH])
    return folder.load(root)


def test_there_are_more_than_forty() -> None:
    assert set(EXPECTED) == set(variants())
    assert len(EXPECTED) >= 50


@pytest.mark.parametrize("odd", EXPECTED)
def test_graded_as_officially_or_refused_in_words(task: Task, tmp_path: Path, odd: str) -> None:
    official, ours = EXPECTED[odd]
    path = tmp_path / "submission.csv"
    path.write_bytes(variants()[odd])
    grade = grade_test(task, path)
    if isinstance(ours, float):
        assert isinstance(official, float)
        assert (grade.score, grade.problem) == (pytest.approx(official, abs=5e-6), "")
    else:
        assert not grade.valid
        assert re.search(ours, grade.problem), grade.problem
        assert "\n" not in grade.problem
        assert len(grade.problem) < 500


def test_a_file_that_is_swapped_while_it_is_read_is_never_another_one(task: Task, tmp_path: Path) -> None:
    path, whole = tmp_path / "submission.csv", variants()["as it should be"]
    answers, done = task.private_dir / "test.csv", threading.Event()

    def swap() -> None:
        for n in range(100_000):
            if done.is_set():
                return
            new = tmp_path / f"new{n % 2}"
            new.unlink(missing_ok=True)
            if n % 2:
                new.symlink_to(answers)
            else:
                new.write_bytes(whole)
            new.replace(path)

    path.write_bytes(whole)
    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        grades = [grade_test(task, path) for _ in range(150)]
    finally:
        done.set()
        swapping.join()
    assert {g.score for g in grades} <= {0.22314, None}
    assert {g.problem for g in grades} <= {
        "",
        "submission.csv is a symbolic link; expected a regular file",
        "submission.csv cannot be opened (Too many levels of symbolic links); expected a regular file",
    }


MEASURED = """
import sys
from pathlib import Path
from mlesearch.tasks import folder
from mlesearch.tasks.grading import grade_test
task, path = folder.load(sys.argv[1]), Path(sys.argv[2])
path.write_text("id,label\\n7,1\\n")
grade_test(task, path)
limit = task.max_submission_bytes
def peak_kib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak_kib()
for start, part in (
    (b"id,label\\n", b"7,1\\n"), (b"id,label\\n", b"\\n"), (b"id,label\\r", b"7,1\\r"), (b"id,label\\n", b'"",""\\n'),
    (b"id,", b"label,"), (b"id,label\\n7,", b"9"), (b"id,label\\n7", b",1"), (b"", b"\\0"),
    (b"id,label\\n7,\\"", b"x\\n"),
):
    path.write_bytes(start + part * ((limit - len(start)) // len(part)))
    assert not grade_test(task, path).valid
print((peak_kib() - before) // 1024)
"""


def test_the_largest_files_that_are_read_take_less_than_200_mb(task: Task, tmp_path: Path) -> None:
    words = [sys.executable, "-c", MEASURED, str(task.public_dir.parent), str(tmp_path / "submission.csv")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    print(f"{done.stdout.strip()} MiB more")
    assert int(done.stdout) < 200
