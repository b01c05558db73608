"""7z archives, by py7zr of MLE-bench's interpreter."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mlesearch.tasks.mlebench import archives
from mlesearch.tasks.mlebench.archives import unpack
from mlesearch.types import ConfigError
from tests.support.mlebench_real import real_python

pytestmark = pytest.mark.mlebench

PACK = """
import os, sys, py7zr
archive, folder, *names = sys.argv[1:]
password = "secret" if os.path.basename(archive).startswith("locked") else None
with py7zr.SevenZipFile(archive, "w", password=password) as packed:
    for name in names:
        packed.write(os.path.join(folder, name), name)
"""


def pack(archive: Path, folder: Path, *names: str) -> Path:
    subprocess.run([str(real_python()), "-I", "-c", PACK, str(archive), str(folder), *names], check=True)
    return archive


@pytest.fixture
def content(tmp_path: Path) -> Path:
    folder = tmp_path / "content"
    (folder / "train").mkdir(parents=True)
    (folder / "train.csv").write_text("id,y\na,1\n")
    (folder / "train/1.jpg").write_bytes(b"one")
    (folder / "train/2 b.jpg").write_bytes(b"two" * 100_000)
    (folder / "link").symlink_to("train.csv")
    return folder


@pytest.fixture
def public(tmp_path: Path) -> Path:
    folder = tmp_path / "public"
    folder.mkdir()
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_one_file_or_folder_comes_in_place_and_several_in_a_folder_of_the_archives_name(
    content: Path, public: Path
) -> None:
    one = pack(public / "train.csv.7z", content, "train.csv")
    whole = pack(public / "pictures.7z", content, "train/1.jpg", "train/2 b.jpg")
    mixed = pack(public / "all.7z", content, "train.csv", "train/1.jpg")
    assert all(unpack(path, public, real_python()) for path in (one, whole, mixed))
    for path in (one, whole, mixed):
        path.unlink()
    assert files(public) == {
        "all/train.csv": b"id,y\na,1\n",
        "all/train/1.jpg": b"one",
        "train.csv": b"id,y\na,1\n",
        "train/1.jpg": b"one",
        "train/2 b.jpg": b"two" * 100_000,
    }


def test_what_is_there_is_kept(content: Path, public: Path) -> None:
    archive = pack(public / "train.csv.7z", content, "train.csv")
    (public / "train.csv").write_text("id,y\nb,2\n")
    assert unpack(archive, public, real_python())
    assert (public / "train.csv").read_text() == "id,y\nb,2\n"
    (public / "train.csv").write_text("another, and longer")
    assert not unpack(archive, public, real_python())


def test_what_holds_more_than_files_or_is_damaged_is_refused(content: Path, public: Path) -> None:
    linked = pack(public / "linked.7z", content, "train.csv", "link")
    locked = pack(public / "locked.7z", content, "train.csv")
    cut = pack(public / "cut.7z", content, "train/2 b.jpg")
    cut.write_bytes(cut.read_bytes()[:-20])
    for archive, why in ((linked, "is a link"), (locked, "can't be unpacked"), (cut, "can't be unpacked")):
        with pytest.raises(ConfigError, match=why):
            unpack(archive, public, real_python())
    assert sorted(p.name for p in public.iterdir() if not p.name.endswith(".7z")) in ([], ["train.csv"])
    with pytest.raises(ConfigError, match="by MLE-bench's interpreter, and none is known"):
        unpack(linked, public)


def test_one_that_does_not_fit_on_the_disk_is_refused(
    content: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = pack(public / "pictures.7z", content, "train/1.jpg", "train/2 b.jpg")
    full = shutil.disk_usage(public)._replace(free=archives.SPARE_BYTES)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda path: full)
    with pytest.raises(ConfigError, match=r"unpacks to 0.0 GB, and .* free; make space"):
        unpack(archive, public, real_python())
    assert list(files(public)) == ["pictures.7z"]
