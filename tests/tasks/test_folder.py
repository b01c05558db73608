"""Loading task folders: whole ones, and what is said of broken ones."""

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mlesearch.cli.catalogue import task_rows
from mlesearch.tasks import digests, files, folder, grading
from mlesearch.tasks.check import check
from mlesearch.tasks.preview import preview
from mlesearch.tasks.protocol import Modality, Validation
from mlesearch.tasks.public_copy import copy_public
from mlesearch.types import ConfigError, Direction
from tests.support.task_maker import BOARD, make_task, predictions, write_csv, write_submission


def test_a_whole_folder(tmp_path: Path) -> None:
    task = folder.load(make_task(tmp_path, tags=["tiny"], known_issues=["none known"]))
    assert (task.id, task.title, task.metric, task.suite) == ("small", "A small task", "rmse", "own")
    assert (task.direction, task.validation) == (Direction.MINIMIZE, Validation.HARNESS)
    assert (task.id_column, task.target_columns) == ("id", ("y",))
    assert task.version.startswith("3-")
    assert (task.program_time_s, task.tags, task.known_issues) == (30.0, ("tiny",), ("none known",))
    assert task.description == "Predict y.\n"
    assert task.thresholds.teams == len(BOARD)
    assert (task.thresholds.gold, task.thresholds.silver, task.thresholds.bronze) == (0.5, 0.6, 0.8)
    assert task.public_dir.is_absolute()
    assert hash(task) == hash(folder.load(tmp_path))


@pytest.mark.parametrize(
    "name",
    [
        "private/test.csv",
        "private/validation.csv",
        "leaderboard.csv",
        "description.md",
        "public/train.csv",
        "task.yaml",
    ],
)
def test_the_version_changes_with_every_file_that_matters(tmp_path: Path, name: str) -> None:
    before = folder.load(make_task(tmp_path)).version
    path = tmp_path / name
    extra = {"leaderboard.csv": "2.0\n", "task.yaml": "tags: [other]\n"}.get(name, "\n")
    path.write_text(path.read_text() + extra)
    after = folder.load(tmp_path).version
    assert after != before
    assert folder.load(tmp_path).version == after


def test_a_category_is_read_and_changes_no_version(tmp_path: Path) -> None:
    make_task(tmp_path)
    before, path = folder.load(tmp_path), tmp_path / "task.yaml"
    text = path.read_text()
    path.write_text(text + "category: tabular\n")
    after = folder.load(tmp_path)
    assert (before.category, after.category) == ("", "tabular")
    assert after.version == before.version
    path.write_text(text + "category: tabular\ntags: [other]\n")
    assert folder.load(tmp_path).version != before.version
    for wrong in ('""', "3", '"two\\nlines"'):
        path.write_text(text + f"category: {wrong}\n")
        with pytest.raises(ConfigError, match="category is"):
            folder.load(tmp_path)


def test_large_public_files_enter_the_version_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_task(tmp_path)
    monkeypatch.setattr(digests, "HASHED_WHOLE_BYTES", 10)
    before = folder.load(tmp_path).version
    train = tmp_path / "public" / "train.csv"
    train.write_text(train.read_text() + "7,7,7\n")
    assert folder.load(tmp_path).version != before


def test_thresholds_instead_of_a_board(tmp_path: Path) -> None:
    make_task(tmp_path)
    (tmp_path / "leaderboard.csv").unlink()
    write_csv(tmp_path / "thresholds.csv", "gold,silver,bronze,median,teams", ["0.1,0.2,0.3,0.5,200"])
    limits = folder.load(tmp_path).thresholds
    assert (limits.gold, limits.silver, limits.bronze, limits.median, limits.teams) == (0.1, 0.2, 0.3, 0.5, 200)


def test_a_task_that_reports_needs_no_validation_answers(tmp_path: Path) -> None:
    make_task(tmp_path, validation="reported")
    (tmp_path / "private" / "validation.csv").unlink()
    assert folder.load(tmp_path).validation is Validation.REPORTED


def test_what_a_task_may_say_beside(tmp_path: Path) -> None:
    task = folder.load(make_task(tmp_path / "plain"))
    assert (task.modality, task.reported_split, task.eda) == (Modality.TABULAR, "", "")
    declared = {"validation": "reported", "modality": "image", "reported_split": "by patient,\n  five folds"}
    root = make_task(tmp_path / "said", **declared)
    (root / "eda.md").write_text("\nAll 96 x 96.\n")
    task = folder.load(root)
    assert (task.modality, task.reported_split, task.eda) == (Modality.IMAGE, "by patient, five folds", "All 96 x 96.")


def test_without_its_board_no_threshold_is_a_number(tmp_path: Path) -> None:
    make_task(tmp_path)
    (tmp_path / "leaderboard.csv").unlink()
    task = folder.load(tmp_path, board=False)
    assert task.board is None
    assert math.isnan(task.thresholds.gold)


def _write(name: str, text: str) -> Callable[[Path], None]:
    return lambda root: (root / name).write_text(text) and None


def _bytes(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda root: (root / name).write_bytes(data) and None


def _link(name: str, target: str) -> Callable[[Path], None]:
    """A link in the task's folder, in place of what is there; beside the task lies a folder `shared`."""

    def link(root: Path) -> None:
        shared = root.parent / "shared"
        shared.mkdir(exist_ok=True)
        (shared / "train.csv").write_text("id,x,y\n1,2,3\n")
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target.format(public=root / "public"))

    return link


def _remove(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


BROKEN: dict[str, tuple[dict[str, object], Callable[[Path], None] | None, str]] = {
    "no yaml": ({}, _remove("task.yaml"), "no task.yaml in it"),
    "no answers": ({}, _remove("private/test.csv"), r"private/test.csv is missing; expected there: the answers"),
    "no validation answers": ({}, _remove("private/validation.csv"), "private/validation.csv is missing.*harness"),
    "no sample": ({}, _remove("public/sample_submission.csv"), "public/sample_submission.csv is missing"),
    "no description": ({}, _remove("description.md"), "description.md is missing"),
    "teams without a board": ({"leaderboard": {"teams": 9}}, _remove("leaderboard.csv"), "leaderboard.teams is 9, but"),
    "another encoding": (
        {},
        _bytes("description.md", "Größe".encode("latin-1")),
        "description.md: not readable as UTF-8",
    ),
    "utf-16": ({}, _bytes("public/sample_submission.csv", "id,y\n7,1".encode("utf-16")), "its header is no UTF-8 text"),
    "utf-16 words": ({}, _bytes("description.md", "Predict y.".encode("utf-16-le")), "it holds NUL bytes"),
    "board in utf-16": ({}, _bytes("leaderboard.csv", "score\n1".encode("utf-16")), "leaderboard.csv: not readable as"),
    "a column twice": ({}, _write("public/sample_submission.csv", "id,y,y\n7,1,1\n"), "a column occurs twice"),
    "a long header": ({}, _write("public/sample_submission.csv", "x" * 200_000), "its first line is no line of a CSV"),
    "a link out": (
        {},
        _link("public/train.csv", "../../shared/train.csv"),
        "is a link to .*programs can't follow.*cp -rL",
    ),
    "a folder out": ({}, _link("public/images", "../../shared"), "public/images is a link to .*can't follow"),
    "an absolute link": ({}, _link("public/more", "{public}/train.csv"), "public/more is a link to .*a relative one"),
    "a link up and back": ({}, _link("public/more", "../public/test.csv"), "public/more is a link to .*a relative one"),
    "a dangling link": ({}, _link("public/more", "gone.csv"), "is a link that leads nowhere"),
    "a link to answers": ({}, _link("public/more", "../private"), "is a link into the private folder"),
    "direction": ({"direction": "maximise"}, None, "'maximise'; allowed: maximize, minimize; did you mean 'maximize'"),
    "direction against metric": ({"direction": "maximize"}, None, "direction is 'maximize', but RMSE is to minimize"),
    "metric": ({"metric": "rmsl"}, None, r"metric .*'rmsl' \(did you mean 'rmsle'\?\); there are: accuracy, "),
    "validation": ({"validation": "cv"}, None, "validation is 'cv'; allowed: harness, reported"),
    "typo": ({"metrics": "rmse"}, None, r"unknown key 'metrics'; did you mean 'metric'\? \(allowed: id, "),
    "missing key": ({"direction": None}, None, "key 'direction' is missing"),
    "type": ({"program_time_s": "long"}, None, "program_time_s is 'long'; expected int or float"),
    "bool": ({"program_time_s": True}, None, "program_time_s is True; expected int or float"),
    "negative time": ({"program_time_s": -1}, None, "program_time_s is -1; expected a number greater than 0"),
    "id": ({"id": "../up"}, None, "id is '../up'; expected letters"),
    "tags": ({"tags": [1]}, None, "tags is .*expected a list of texts"),
    "targets": ({"target_columns": ["z"]}, None, r"target_columns \['z'\] do not match the columns of public/sample"),
    "two labels": (
        {"metric": "accuracy", "direction": "maximize"},
        _write("public/sample_submission.csv", "id,y,z\n7,1,1\n"),
        "accuracy takes one target column, not y, z",
    ),
    "no mapping": ({}, _write("task.yaml", "- a\n"), "expected keys and values"),
    "bad yaml": ({}, _write("task.yaml", "a: [1\n"), "not readable as YAML"),
    "teams": ({"leaderboard": {"teams": 99}}, None, "leaderboard.teams is 99, but leaderboard.csv has 12"),
    "lfs": ({}, _write("leaderboard.csv", "version https://git-lfs.github.com/spec/v1\noid x\n"), "a Git-LFS pointer"),
    "board column": ({}, _write("leaderboard.csv", "points\n1\n"), "no column 'score'.*found points"),
    "board value": ({}, _write("leaderboard.csv", "score\n1\nfast\n"), "line 3: score is 'fast'; expected a finite"),
    "board nan": ({}, _write("leaderboard.csv", "score\n1\nnan\n"), "line 3: score is 'nan'"),
    "board empty": ({}, _write("leaderboard.csv", "score\n"), "no row below the header"),
    "answer column": ({}, _write("private/test.csv", "id,z\n1,1\n"), "private/test.csv: no column 'y'"),
    "modality": ({"modality": "images"}, None, "'images'; allowed: tabular, image, text, audio; did you mean 'image'"),
    "split of the harness": (
        {"reported_split": "by group"},
        None,
        "reported_split is declared, but validation is 'harne",
    ),
    "long findings": ({}, _write("eda.md", "x" * 4001), "eda.md: 4,001 characters; at most 4,000 are allowed"),
    "sample empty": ({}, _write("public/sample_submission.csv", ""), "sample_submission.csv: empty"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_folders_get_one_clear_line(tmp_path: Path, case: str) -> None:
    declared, damage, expected = BROKEN[case]
    root = make_task(tmp_path / "task", **declared)
    if damage:
        damage(root)
    with pytest.raises(ConfigError, match=expected) as caught:
        folder.load(root)
    assert "\n" not in str(caught.value)
    assert str(root) in str(caught.value)


def test_a_task_without_a_board_has_scores_and_no_medals(tmp_path: Path) -> None:
    root = make_task(tmp_path / "task")
    (root / "leaderboard.csv").unlink()
    task = folder.load(root)
    assert (task.board, task.thresholds.teams) == (None, 0)
    grade = grading.grade_test(task, write_submission(tmp_path / "s.csv", predictions(0.25)))
    assert (grade.score, grade.medal, grade.above_median, grade.percentile) == (0.25, "none", False, None)
    assert grading.report(task, tmp_path / "s.csv")["gold_threshold"] is None


LITTER = [
    *(".DS_Store", "._train.csv", "__MACOSX/train.csv", "Thumbs.db", "desktop.ini", ".nfs000000000012ab", "train.csv~"),
    *(
        "__pycache__/a.pyc",
        ".ipynb_checkpoints/x.ipynb",
        ".train.csv.swp",
        ".#train.csv",
        "#train.csv#",
        "train.csv.bak",
    ),
]


def test_litter_is_no_part_of_a_task(tmp_path: Path) -> None:
    root = make_task(tmp_path / "task")
    task = folder.load(root)
    seen = preview(task.public_dir)
    for place in ("public", "private", "public/images"):
        for name in LITTER:
            path = root / place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("left here")
    assert folder.load(root).version == task.version
    assert preview(task.public_dir).replace("images/\n", "") == seen
    copy_public(task.public_dir, tmp_path / "copy", set())
    assert sorted(p.name for p in (tmp_path / "copy").iterdir()) == sorted(
        ["images", *(p.name for p in files.files(task.public_dir))]
    )
    (root / "public" / "data.bak.csv").write_text("a,b\n1,2\n")
    assert folder.load(root).version != task.version


def test_links_within_public_and_to_the_whole_folder_are_followed(tmp_path: Path) -> None:
    root = make_task(tmp_path / "task")
    (root / "public").rename(tmp_path / "data")
    (root / "public").symlink_to(tmp_path / "data")
    (root / "private" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data" / "tables").mkdir()
    (tmp_path / "data" / "tables" / "names.csv").write_text("key,name\n1,a\n")
    (tmp_path / "data" / "link.csv").symlink_to("tables/names.csv")
    (tmp_path / "data" / "again").symlink_to("tables")
    (tmp_path / "data" / "tables" / "round").symlink_to("..")
    task = folder.load(root)
    text = preview(task.public_dir)
    assert "link.csv (13 bytes)" in text
    assert "link.csv: 1 rows, 2 columns" in text
    assert "again/\n" in text
    versions = {task.version}
    (tmp_path / "elsewhere" / "mask.npy").write_bytes(b"1")
    versions.add(folder.load(root).version)
    (tmp_path / "elsewhere" / "mask.npy").write_bytes(b"2")
    versions.add(folder.load(root).version)
    (tmp_path / "data" / "tables" / "names.csv").write_text("key,name\n1,b\n")
    versions.add(folder.load(root).version)
    (tmp_path / "data" / "again").unlink()
    versions.add(folder.load(root).version)
    assert len(versions) == 5


def test_byte_order_marks_line_ends_and_odd_names(tmp_path: Path) -> None:
    root = make_task(tmp_path / "task")
    for name in ("task.yaml", "description.md", "leaderboard.csv", "private/test.csv", "public/sample_submission.csv"):
        path = root / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    (root / "private" / "validation.csv").write_bytes(
        (root / "private" / "validation.csv").read_bytes().replace(b"\n", b"\r")
    )
    odd = os.fsencode(root / "public") + b"/caf\xe9.csv"
    Path(os.fsdecode(odd)).write_text("a,b\n1,2\n")
    (root / "public" / "line\nbreak\x1b[2J.txt").touch()
    (root / "public" / "latin.csv").write_bytes("id,größe\n1,ü\n".encode("latin-1"))
    task = folder.load(root)
    assert task.description == "Predict y.\n"
    text = preview(task.public_dir)
    assert "caf?.csv: 1 rows, 2 columns" in text
    assert "line?break?[2J.txt" in text
    text.encode()
    grade = grading.grade_test(task, write_submission(tmp_path / "s.csv", predictions(0.25)))
    assert (grade.score, grade.problem) == (0.25, "")
    assert [f for f in check(root) if f.level == "error"] == []


def test_a_grader_may_have_empty_answers_and_a_metric_may_not(tmp_path: Path) -> None:
    """Of masks, an empty cell means that there is none."""
    root = make_task(tmp_path / "task", metric="dice")
    for name, start in (("validation", 7), ("test", 12)):
        ids = range(start, start + {"validation": 5, "test": 8}[name])
        write_csv(root / "private" / f"{name}.csv", "id,y", [f"{i},{'' if i % 2 else '1 3 7 2'}" for i in ids])
    code = "def grade(s, a):\n    both = a.merge(s, on='id')\n"
    code += "    return float((both['y_x'].fillna('') == both['y_y'].fillna('')).mean())\n"
    (root / "grade.py").write_text(code)
    task = folder.load(root)
    path = write_csv_of(tmp_path / "s.csv", [f"{i},{'' if i % 2 else '1 3 7 2'}" for i in range(7, 20)])
    assert grading.score_validation(task, path).score == 1.0
    assert grading.grade_test(task, path).score == 1.0
    long = write_csv_of(tmp_path / "s.csv", [f"{i},{'1 2 ' * 100_000}" for i in range(7, 20)])
    assert grading.grade_test(task, long).score == 0.0
    (root / "grade.py").unlink()
    declared = yaml.safe_load((root / "task.yaml").read_text()) | {"metric": "accuracy", "direction": "maximize"}
    (root / "task.yaml").write_text(yaml.safe_dump(declared))
    with pytest.raises(ConfigError, match=r"missing values; every answer must be there, unless a grade\.py says"):
        grading.grade_test(folder.load(root), path)


def write_csv_of(path: Path, rows: list[str]) -> Path:
    write_csv(path, "id,y", rows)
    return path


def test_thresholds_in_the_wrong_order(tmp_path: Path) -> None:
    make_task(tmp_path)
    (tmp_path / "leaderboard.csv").unlink()
    write_csv(tmp_path / "thresholds.csv", "gold,silver,bronze,median,teams", ["0.9,0.8,0.7,0.5,200"])
    with pytest.raises(ConfigError, match="not in the order of direction minimize"):
        folder.load(tmp_path)


@pytest.mark.parametrize("name", ["canvass", "no-such-thing", "some/where/else", "mlebench/spooky"])
def test_unknown_tasks(name: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown task '{name}'.*tasks: canvas, demand, digits, friedman, rentals, "):
        folder.load(name)


def test_unknown_task_names_the_closest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'rentals'"):
        folder.load("rental")


def test_names_wins_over_a_folder_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_task(tmp_path / "canvas")
    monkeypatch.chdir(tmp_path)
    assert folder.locate("canvas") == folder.MINI / "canvas"
    assert folder.load("./canvas").id == "small"


def test_listing_reads_task_yaml_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in folder.names():
        (tmp_path / name).mkdir()
        shutil.copy(folder.MINI / name / "task.yaml", tmp_path / name)
    monkeypatch.setattr(folder, "MINI", tmp_path)
    monkeypatch.setenv("MLEBENCH_DATA_DIR", str(tmp_path / "absent"))
    listed = task_rows()
    rows, others = listed[: len(folder.names())], listed[len(folder.names()) :]
    suites, competitions = others[:3], others[3:]
    assert [row["id"] for row in suites] == ["synthetic:easy", "synthetic:medium", "synthetic:hard"]
    assert len(competitions) == 82
    assert all(str(row["id"]).startswith("mlebench:") for row in competitions)
    assert all(str(row["suite"]).endswith(", unprepared") for row in competitions)
    assert [row["id"] for row in rows] == list(folder.names())
    assert {row["direction"] for row in rows} == {"maximize", "minimize"}
    assert all(row["suite"] == "mini" and row["validation"] == "harness" for row in rows)
    assert rows[0]["rows"] == "1750/750/2000"


def test_importing_and_listing_load_nothing_heavy() -> None:
    code = (
        "import sys, json; from mlesearch.tasks import check, grading, preview; "
        "from mlesearch.cli.catalogue import task_rows; task_rows(); "
        "print(json.dumps([m for m in ('pandas', 'sklearn', 'scipy', 'hydra') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
