"""The preview: what it says, its bounds, and what it must not say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlesearch.tasks import folder
from mlesearch.tasks.preview import MAX_CHARS, TREE_LINES, preview


def test_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("id,size,kind,note,flag,y\n1,1.5,a,x1,True,0\n2,,b,x2,False,1\n3,4,a,,True,1\n")
    (tmp_path / "test.csv").write_text("id,size,kind,note,flag\n4,2,a,z,True\n")
    (tmp_path / "sample_submission.csv").write_text("id,y\n4,0\n")
    (tmp_path / "shops.csv").write_text("id,town\n1,Ulm\n")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(b"x" * 2500)
    assert preview(tmp_path).splitlines() == [
        "Files:",
        "train.csv (73 bytes)",
        "test.csv (36 bytes)",
        "sample_submission.csv (9 bytes)",
        "shops.csv (14 bytes)",
        "images/",
        "  1.png (2.5 kB)",
        "",
        "train.csv: 3 rows, 6 columns",
        "- id: whole number, 1 to 3, median 2, 3 different",
        "- size: number, 1.5 to 4, median 2.75, 2 different, 33.3% missing",
        "- kind: text, values a (2), b (1)",
        "- note: text, values x1 (1), x2 (1), 33.3% missing",
        "- flag: text, values True (2), False (1)",
        "- y: whole number, 0 to 1, median 1, 2 different",
        "",
        "test.csv: 1 rows, 5 columns: those of train.csv without y",
        "",
        "sample_submission.csv: 1 rows, 2 columns: id, y",
        "",
        "shops.csv: 1 rows, 2 columns",
        "- id: whole number, 1 to 1, median 1, 1 different",
        "- town: text, values Ulm (1)",
    ]


def test_similar_columns_take_one_line(tmp_path: Path) -> None:
    names = [f"p{i:03d}" for i in range(256)]
    rows = [",".join(["1", *[str((i + r) % 7) for i in range(256)], "5"]) for r in range(4)]
    (tmp_path / "train.csv").write_text("\n".join([",".join(["id", *names, "digit"]), *rows]))
    lines = preview(tmp_path).splitlines()
    assert "- p000 ... p255 (256 columns): whole number, 0 to 6" in lines
    assert sum(line.startswith("- p") for line in lines) == 1


def test_runs_of_other_kinds_and_short_runs_stay_apart(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a1,a2,a3,a4,b1,b2,b3,b4,b5,b6\n1,2,3,4,1,2,3,4,5.5,x\n")
    text = preview(tmp_path)
    assert all(f"- a{i}:" in text for i in (1, 2, 3, 4))
    assert "- b1 ... b5 (5 columns): number, 1 to 5.5" in text
    assert "- b6: text" in text


@pytest.mark.parametrize("max_chars", [1, 40, 200, 900])
def test_never_longer_than_allowed(max_chars: int) -> None:
    root = folder.MINI / "rentals" / "public"
    text = preview(root, max_chars)
    assert len(text) <= max(max_chars, len("\n[preview cut here]"))
    assert text.endswith("[preview cut here]")
    assert preview(root).startswith(text.removesuffix("[preview cut here]").rstrip())


def test_a_huge_table_is_read_in_part_and_says_so(tmp_path: Path) -> None:
    with (tmp_path / "train.csv").open("w") as file:
        file.write("id,y\n" + "".join(f"{i},1\n" for i in range(50_000)))
    text = preview(tmp_path, max_table_bytes=10_000)
    assert "train.csv: 2 columns; only its first " in text
    assert "of the file) were read" in text
    (tmp_path / "train.csv").write_text("x" * 20_000)
    assert "not readable as a CSV (its first line is longer" in preview(tmp_path, max_table_bytes=10_000)


def test_many_files_folders_and_tables_are_bounded(tmp_path: Path) -> None:
    for i in range(30):
        (tmp_path / f"a{i:02d}.csv").write_text("a\n1\n")
        (tmp_path / f"many{i:02d}").mkdir()
        for j in range(12):
            (tmp_path / f"many{i:02d}" / f"{j:02d}.txt").touch()
    (tmp_path / "train.csv").write_text("b\n1\n")
    lines = preview(tmp_path).splitlines()
    assert lines[1] == "train.csv (4 bytes)"
    assert lines[2] == "a00.csv (4 bytes)"
    assert "... and 21 more files" in lines
    assert "  ... and 2 more files" in lines
    assert "(more files and folders are not listed)" in lines
    assert lines.index("") <= TREE_LINES + 1
    assert lines[-1] == "(more CSV files are not described)"


def test_deep_folders_are_not_followed_for_ever(tmp_path: Path) -> None:
    deep = tmp_path
    for i in range(8):
        deep = deep / f"level{i}"
        deep.mkdir()
    assert preview(tmp_path).splitlines() == ["Files:", *(f"{'  ' * i}level{i}/" for i in range(4))]


def test_odd_files_do_not_stop_it(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    (tmp_path / "blank.csv").write_text("a,b\n,\n,\n")
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    (tmp_path / "none.csv").write_text("a,b\n")
    text = preview(tmp_path)
    assert "empty.csv: not readable as a CSV" in text
    assert "- a: empty, no values, 100.0% missing" in text
    assert "root:" not in text


@pytest.mark.parametrize("name", folder.names())
def test_the_same_at_every_call_and_without_paths_of_the_host(name: str) -> None:
    root = folder.MINI / name / "public"
    text = preview(root)
    assert text == preview(root)
    assert str(folder.MINI) not in text
    assert "private" not in text
    assert len(text) < 4000


def test_a_folder_of_five_gigabytes_takes_little_memory(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i * 0.5},text {i % 7}\n" for i in range(50_000))
    for name, size in (("train.csv", 3 * 2**30), ("test.csv", 2**30)):
        (tmp_path / name).write_text("id,x,kind\n" + rows)
        os.truncate(tmp_path / name, size)  # sparse: the rest reads as zeros
    (tmp_path / "images").mkdir()
    for i in range(1000):
        (tmp_path / "images" / f"{i}.png").touch()
        os.truncate(tmp_path / "images" / f"{i}.png", 2**20)
    script = (
        "import resource, sys, pathlib, pandas\n"
        "from mlesearch.tasks.preview import preview\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "text = preview(pathlib.Path(sys.argv[1]))\n"
        "print(len(text), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, text)"
    )
    out = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, timeout=120, check=True
    )
    length, mebibytes, text = out.stdout.split(" ", 2)
    assert int(length) <= MAX_CHARS
    assert int(mebibytes) < 150
    assert "train.csv (3.2 GB)" in text
    assert "kind" in text
