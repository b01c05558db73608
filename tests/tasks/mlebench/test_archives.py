"""Archives of public data: unpacked where they hold files, refused where they hold more."""

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from mlesearch.tasks.mlebench import archives
from mlesearch.tasks.mlebench.archives import extract, is_archive, stem, unpack, zip_contents
from mlesearch.types import ConfigError
from tests.support.competitions import write_zip


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as packed:
        for info, content in members:
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return path


def test_one_file_or_folder_comes_in_place_and_several_in_a_folder_of_the_archives_name(tmp_path: Path) -> None:
    write_zip(tmp_path / "en_train.csv.zip", {"en_train.csv": b"a\n"})
    write_zip(tmp_path / "train.zip", {"1.jpg": b"x", "2.jpg": b"y", "__MACOSX/1.jpg": b"litter"})
    tar(tmp_path / "test.tar.gz", (tarfile.TarInfo("./test/1.jpg"), b"z"), (tarfile.TarInfo("./test/2.jpg"), b"w"))
    assert all(unpack(path, tmp_path) for path in sorted(tmp_path.iterdir()))
    found = {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    unpacked = {name: content for name, content in found.items() if not is_archive(name)}
    assert unpacked == {
        "en_train.csv": b"a\n",
        "train/1.jpg": b"x",
        "train/2.jpg": b"y",
        "test/1.jpg": b"z",
        "test/2.jpg": b"w",
    }


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    write_zip(tmp_path / "train.zip", {"train.json": b"[1]"})
    (tmp_path / "train.json").write_bytes(b"[2]")
    assert unpack(tmp_path / "train.zip", tmp_path)
    assert (tmp_path / "train.json").read_bytes() == b"[2]"
    (tmp_path / "train.json").write_bytes(b"other, and longer")
    assert not unpack(tmp_path / "train.zip", tmp_path)


def linked() -> tarfile.TarInfo:
    info = tarfile.TarInfo("answers.csv")
    info.type, info.linkname = tarfile.SYMTYPE, "../private/test.csv"
    return info


def pipe() -> tarfile.TarInfo:
    info = tarfile.TarInfo("pipe")
    info.type = tarfile.FIFOTYPE
    return info


@pytest.mark.parametrize(
    ("info", "why"),
    [
        (linked(), "link"),
        (pipe(), "device"),
        (tarfile.TarInfo("../out.csv"), "leads out"),
        (tarfile.TarInfo("/etc/out.csv"), "leads out"),
        (tarfile.TarInfo("a\\..\\b"), "leads out"),
    ],
)
def test_hostile_members_are_refused_and_nothing_is_written(tmp_path: Path, info: tarfile.TarInfo, why: str) -> None:
    (tmp_path / "public").mkdir()
    path = tar(tmp_path / "x.tar.gz", (tarfile.TarInfo("good.csv"), b"a"), (info, b""))
    with pytest.raises(ConfigError, match=why):
        unpack(path, tmp_path / "public")
    assert list((tmp_path / "public").iterdir()) == []
    assert sorted(os.listdir(tmp_path)) == ["public", "x.tar.gz"]


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(info, "/etc/passwd")
    with pytest.raises(ConfigError, match="link"):
        unpack(tmp_path / "x.zip", tmp_path)


@pytest.mark.parametrize("damage", [b"", b"no archive", b"PK\x03\x04 torn"])
@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_damaged_ones_are_refused_in_one_line(tmp_path: Path, name: str, damage: bytes) -> None:
    (tmp_path / name).write_bytes(damage)
    with pytest.raises(ConfigError, match=r"can't be unpacked .*mlebench.unpack=off"):
        extract(tmp_path / name, tmp_path)


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_zip(tmp_path / "x.zip", {"a.csv": b"a" * 1000})
    monkeypatch.setattr(archives, "SPARE_BYTES", 1 << 60)
    with pytest.raises(ConfigError, match="GB free; make"):
        unpack(tmp_path / "x.zip", tmp_path)
    assert os.listdir(tmp_path) == ["x.zip"]


def test_contents_of_a_zip_do_not_tell_when_it_was_packed(tmp_path: Path) -> None:
    for name, year in (("a.zip", 2020), ("b.zip", 2026)):
        write_zip(tmp_path / name, {"1.jpg": b"x", "2.jpg": b"y"}, (year, 1, 1, 0, 0, 0))
    assert (tmp_path / "a.zip").read_bytes() != (tmp_path / "b.zip").read_bytes()
    assert zip_contents(tmp_path / "a.zip") == zip_contents(tmp_path / "b.zip")
    write_zip(tmp_path / "b.zip", {"1.jpg": b"x", "2.jpg": b"z"})
    assert zip_contents(tmp_path / "a.zip") != zip_contents(tmp_path / "b.zip")


def test_names() -> None:
    assert [stem(n) for n in ("train.zip", "a.tar.gz", "b.csv.7z", "c.csv")] == ["train", "a", "b.csv", "c.csv"]
    assert is_archive("X.ZIP")
    assert not is_archive("zip")
