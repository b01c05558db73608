"""Grading through workers: reports, what a submission may do, boards, and what is missing."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from mlesearch.tasks.mlebench.official import REPORT_FIELDS
from mlesearch.types import ConfigError, Direction, GraderUnavailable
from tests.support import mlebench_standin as standin
from tests.support.mlebench_standin import NEAR, TRUTH, csv_of, faulty, submission

# reports


def test_a_report_has_the_packages_fields_in_their_order(pool, tmp_path):
    path = submission(tmp_path, csv_of(NEAR))
    report = pool.grade("faults", path)
    assert tuple(report.official()) == REPORT_FIELDS
    assert report.official() | {"created_at": ""} == {
        "competition_id": "faults",
        "score": 0.5,
        "gold_threshold": 0.2,
        "silver_threshold": 0.4,
        "bronze_threshold": 0.8,
        "median_threshold": 1.05,
        "any_medal": True,
        "gold_medal": False,
        "silver_medal": False,
        "bronze_medal": True,
        "above_median": True,
        "submission_exists": True,
        "valid_submission": True,
        "is_lower_better": True,
        "created_at": "",
        "submission_path": str(path),
    }
    assert (report.reason, report.ends_batch, report.board, report.aligned_score) == ("", "", "real", None)


def test_what_a_worker_says_of_itself(pool):
    hello = pool.hello()
    assert hello.versions == standin.MET
    assert hello.pins_met
    assert hello.warnings() == []
    assert "spooky-author-identification" in hello.competitions
    assert len(hello.digest) == 64


def test_a_competition_is_described(pool, data):
    found = pool.describe("faults")
    assert (found.direction, found.board, found.prepared) == (Direction.MINIMIZE, "real", True)
    assert found.answers == data / "faults/prepared/private/test.csv"
    assert found.gold_submission is None
    assert found.grader.name == "graders.py"
    missing = pool.describe("spooky-author-identification")
    assert (missing.direction, missing.board, missing.prepared) == (None, "table", False)
    assert "not prepared" in missing.why_unprepared


def test_the_package_prepares(pool, tmp_path):
    raw, public, private = (tmp_path / name for name in ("raw", "public", "private"))
    for folder in (raw, public, private):
        folder.mkdir()
    (raw / "train.csv").write_text(csv_of(TRUTH))
    pool.prepare("faults", raw=raw, public=public, private=private, timeout_s=60)
    assert (private / "test.csv").read_text() == "id,y\nr3,3.0\nr4,4.0\n"
    (raw / "train.csv").unlink()
    with pytest.raises(GraderUnavailable, match="FileNotFoundError"):
        pool.prepare("faults", raw=raw, public=public, private=private, timeout_s=60)


# what a submission brings about

OFTEN = {
    "noise": 0.5,
    "child": 0.5,
    "inf": math.inf,
    "-inf": -math.inf,
    "scalar": 0.12346,
    "integer": 3.0,
}


@pytest.mark.parametrize("fault", OFTEN)
def test_a_grader_may_do_odd_things_and_give_a_score(pool, tmp_path, fault):
    for _ in range(2):
        report = pool.grade("faults", faulty(tmp_path, fault))
        assert (report.score, report.valid_submission, report.reason) == (OFTEN[fault], True, "")
        assert report.gold_medal == (OFTEN[fault] < 0.2)


def test_a_score_of_nan_is_valid_and_wins_nothing(pool, tmp_path):
    report = pool.grade("faults", faulty(tmp_path, "nan"))
    assert report.score is not None
    assert math.isnan(report.score)
    assert (report.nan, report.valid_submission, report.any_medal, report.above_median) == (True, True, False, False)


@pytest.mark.parametrize(
    ("fault", "reason", "ends_batch"),
    [
        ("invalid", "a cell is empty", ""),
        ("unwritable", "broken ??? ? \x1b[31m bytes", ""),
        ("speechless", "no words", "ValueError"),
        ("SystemExit", "good-bye", "SystemExit"),
        ("None", "type NoneType doesn't define __round__ method", "TypeError"),
        ("words", "type str doesn't define __round__ method", "TypeError"),
    ],
)
def test_what_a_grader_raises_makes_a_submission_invalid(pool, tmp_path, fault, reason, ends_batch):
    report = pool.grade("faults", faulty(tmp_path, fault))
    assert (report.score, report.valid_submission, report.any_medal) == (None, False, False)
    assert report.reason.replace("???", "?") == reason.replace("???", "?")
    assert report.ends_batch == ends_batch
    assert report.submission_exists
    assert report.gold_threshold == 0.2
    assert pool.grade("faults", submission(tmp_path, csv_of(NEAR))).score == 0.5


def test_a_huge_message_is_cut(pool, tmp_path):
    reason = pool.grade("faults", faulty(tmp_path, "huge")).reason
    assert reason.startswith("first words yyy")
    assert reason.endswith("yyy last words")
    assert len(reason) < 4_100


def test_a_submission_that_can_not_be_read_would_end_the_packages_batch_and_not_ours(pool, tmp_path):
    report = pool.grade("faults", submission(tmp_path, csv_of(NEAR).encode("utf-16")))
    assert (report.valid_submission, report.submission_exists, report.ends_batch) == (False, True, "UnicodeDecodeError")
    assert "can't decode" in report.reason
    assert report.median_threshold == 1.05


@pytest.mark.parametrize(("name", "reason"), [("noext", "not in nothing"), ("submission.txt", "not .txt")])
def test_the_name_counts_as_the_package_counts_it(pool, tmp_path, name, reason):
    report = pool.grade("faults", submission(tmp_path, csv_of(NEAR), name))
    assert (report.submission_exists, report.valid_submission) == (False, False)
    assert reason in report.reason
    assert pool.grade("faults", submission(tmp_path, csv_of(NEAR), "upper.CSV")).score == 0.5


# what is handed over


def test_only_a_regular_file_is_handed_over(pool, tmp_path, data):
    answers = data / "faults/prepared/private/test.csv"
    link, fifo, folder, absent, sparse = (tmp_path / f"{n}.csv" for n in ("link", "fifo", "folder", "absent", "sparse"))
    link.symlink_to(answers)
    os.mkfifo(fifo)
    folder.mkdir()
    with sparse.open("wb") as file:
        file.truncate(1 << 40)
    said = {path.name: pool.grade("faults", path) for path in (link, fifo, folder, absent, sparse)}
    assert {name: report.reason for name, report in said.items()} == {
        "link.csv": "link.csv is a symbolic link; expected a regular file",
        "fifo.csv": "fifo.csv is a device, pipe or socket; expected a regular file",
        "folder.csv": "folder.csv is a directory; expected a regular file",
        "absent.csv": "absent.csv does not exist; expected a CSV file",
        "sparse.csv": "sparse.csv has 1,099,511,627,776 bytes; at most 1,073,741,824 are allowed",
    }
    assert not any(report.valid_submission or report.submission_exists for report in said.values())
    assert pool.grade("faults", submission(tmp_path, csv_of(NEAR)), limit_bytes=10).reason.endswith("10 are allowed")


def test_a_grader_sees_nothing_of_the_one_who_asks(make_pool, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    secret = (tmp_path / "open.txt").open("w")
    os.set_inheritable(secret.fileno(), True)
    seen = json.loads(make_pool().grade("faults", faulty(tmp_path, "tell")).reason)
    secret.close()
    assert seen["in it"] == ["cache"], "the package's own cache lands there"
    assert Path(seen["folder"]).is_relative_to(tmp_path / "scratch")
    assert seen["environment"].keys() <= {"PATH", "LD_LIBRARY_PATH", "TZ", "HOME", "TMPDIR", "LANG", "LC_CTYPE"} | {
        name for name in os.environ if name.startswith(("OPENBLAS_", "OMP_", "MKL_", "GOTO_"))
    }
    assert seen["environment"]["HOME"] == seen["folder"]
    assert seen["session"] != os.getsid(0)
    assert str(tmp_path) not in seen["path"]
    assert not [name for name in seen["descriptors"] if str(tmp_path / "open.txt") in name]


# boards and order


def test_a_board_that_is_a_pointer_is_made_from_our_table(pool, tmp_path, make_pool):
    folder = tmp_path / "data" / "spooky-author-identification" / "prepared"
    for kind in ("public", "private"):
        (folder / kind).mkdir(parents=True)
    text = "id,EAP,HPL,MWS\na,1,0,0\nb,0,1,0\n"
    (folder / "private/test.csv").write_text(text)
    (folder / "public/sample_submission.csv").write_text(text)
    report = make_pool(data_dir=tmp_path / "data").grade("spooky-author-identification", submission(tmp_path, text))
    assert (report.board, report.score, report.gold_medal, report.is_lower_better) == ("table", 0.0, True, True)
    told = (report.gold_threshold, report.silver_threshold, report.bronze_threshold, report.median_threshold)
    from mlesearch.tasks.leaderboard import mlebench_thresholds

    limits, _ = mlebench_thresholds("spooky-author-identification")
    assert told == (limits.gold, limits.silver, limits.bronze, limits.median)


def test_a_pointer_without_a_table_is_an_error(pool, tmp_path):
    with pytest.raises(GraderUnavailable, match="Git-LFS pointer"):
        pool.grade("pointer", submission(tmp_path, csv_of(NEAR)))


def test_a_board_that_disagrees_with_the_table_is_an_error(pool, tmp_path):
    with pytest.raises(ConfigError, match="by the leaderboard of the package higher scores are better"):
        pool.grade("leaf-classification", submission(tmp_path, csv_of(NEAR)))


def test_what_depends_on_the_order_of_rows_is_told(pool, tmp_path):
    header, *rows = csv_of(NEAR).splitlines()
    turned = submission(tmp_path, "\n".join([header, *reversed(rows), ""]))
    report = pool.grade("positions", turned)
    assert (report.score, report.aligned_score) == (2.0, 0.5)
    assert pool.grade("positions", turned, aligned=False).aligned_score is None
    assert pool.grade("faults", turned).aligned_score is None, "its grader looks at the ids"
    assert pool.grade("positions", submission(tmp_path, csv_of(NEAR))).aligned_score is None


# what is missing


def test_a_competition_that_is_not_prepared_names_the_command(pool, tmp_path):
    with pytest.raises(GraderUnavailable, match="mlesearch mlebench prepare spooky-author-identification"):
        pool.grade("spooky-author-identification", submission(tmp_path, csv_of(NEAR)))


def test_an_unknown_competition_names_the_closest(pool, tmp_path):
    with pytest.raises(ConfigError, match="knows no competition 'fault'; did you mean 'faults'"):
        pool.grade("fault", submission(tmp_path, csv_of(NEAR)))


def test_an_interpreter_without_the_package_names_the_command(make_pool, tmp_path):
    bare = standin.interpreter(tmp_path / "bare", package=False)
    with pytest.raises(ConfigError, match=r"No module named 'mlebench'.*mlesearch mlebench install"):
        make_pool(python=bare).hello()


def test_a_program_that_is_no_python(make_pool, tmp_path):
    with pytest.raises(GraderUnavailable, match="could not be run"):
        make_pool(python=Path("/bin/false")).hello()
    with pytest.raises(GraderUnavailable, match="can't be started"):
        make_pool(python=tmp_path).hello()


@pytest.mark.parametrize(
    ("versions", "unmet"),
    [
        ({"pandas": "3.1.0"}, ("pandas 3.1.0 (needs < 3.0)",)),
        ({"numpy": "2.4.0"}, ("numpy 2.4.0 (needs < 2.4)",)),
        ({"scikit-learn": "1.11rc1"}, ("scikit-learn 1.11rc1 (needs < 1.11)",)),
    ],
)
def test_newer_libraries_are_warned_about_with_what_they_grade_wrongly(make_pool, tmp_path, versions, unmet):
    newer = standin.interpreter(tmp_path / "newer", {**standin.MET, **versions})
    hello = make_pool(python=newer).hello()
    assert hello.unmet == unmet
    (warning,) = hello.warnings()
    assert "text-normalization-challenge-english-language" in warning
    assert len(hello.graded_wrongly) >= 8
    (one,) = hello.warnings(("tgs-salt-identification-challenge", "spooky-author-identification"))
    assert "grades 1 competitions wrongly: tgs-salt-identification-challenge" in one
