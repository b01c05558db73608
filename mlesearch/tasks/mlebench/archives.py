"""Unpacks archives of a competition's public data: regular files alone, inside the target, within the disk's space."""

from __future__ import annotations

import shutil
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from mlesearch.tasks.files import is_litter
from mlesearch.types import ConfigError

ZIP = (".zip",)
TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
SEVEN_ZIP = (".7z",)
SPARE_BYTES = 1 << 30
"""So much of the disk stays free."""
MAX_MEMBERS = 5_000_000
_CHUNK = 1 << 20
_SEVEN_ZIP_SCRIPT = """
import sys, py7zr
with py7zr.SevenZipFile(sys.argv[1]) as archive:
    if sys.argv[2] == "list":
        for member in archive.list():
            kind = "folder" if member.is_directory else "link" if getattr(member, "is_symlink", False) else "file"
            print(kind, member.uncompressed or 0, member.filename)
    else:
        archive.extractall(sys.argv[3])
"""


def is_archive(name: str) -> bool:
    """Whether a file of this name is an archive that can be unpacked."""
    return name.lower().endswith((*ZIP, *TAR, *SEVEN_ZIP))


def stem(name: str) -> str:
    """The name of an archive without what says that it is one."""
    endings = sorted((*ZIP, *TAR, *SEVEN_ZIP), key=len, reverse=True)
    return next((name[: -len(end)] for end in endings if name.lower().endswith(end)), name)


def unpack(archive: Path, folder: Path, python: Path | None = None) -> bool:
    """Unpack an archive into a folder: in place where it holds one file or folder, else into a folder of its name.

    What is there already is kept.

    Args:
        archive: zip, tar (packed or not) or 7z.
        folder: where to; on a disk that has the space.
        python: interpreter that has py7zr, for 7z.

    Returns:
        Whether all that it holds is in the folder now; False where something else of its name is there.

    Raises:
        ConfigError: it is damaged, encrypted, holds links or paths that lead out, or does not fit on the disk.
    """
    whole = False
    with _refusing(archive):
        members = [(name, size) for name, size in _members(archive, python) if not _is_litter(name)]
        tops = {PurePosixPath(name).parts[0] for name, _ in members}
        place = folder if len(tops) == 1 else folder / stem(archive.name)
        made = [folder / top for top in tops] if len(tops) == 1 else [place]
        if any(path.exists() for path in made):
            return all((place / name).is_file() and (place / name).stat().st_size == size for name, size in members)
        _check_space(archive, folder, sum(size for _, size in members))
        place.mkdir(exist_ok=True)
        _extract(archive, place, python, frozenset(name for name, _ in members))
        whole = True
    return whole


def extract(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar into a folder, as it is.

    Raises:
        ConfigError: as `unpack`.
    """
    with _refusing(archive):
        members = _members(archive, None)
        _check_space(archive, folder, sum(size for _, size in members))
        _extract(archive, folder, None, frozenset(name for name, _ in members))


@contextmanager
def _refusing(archive: Path) -> Iterator[None]:
    """What is wrong with an archive, in one line."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError, ValueError, NotImplementedError) as error:
        why = " ".join(str(error).split())
        raise ConfigError(
            f"{archive}: it can't be unpacked ({why}); get it again; archives of public data are left to programs "
            "with mlebench.unpack=off"
        ) from None


def _is_litter(name: str) -> bool:
    return any(is_litter(part) for part in PurePosixPath(name).parts)


def _check_space(archive: Path, folder: Path, size_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if size_bytes + SPARE_BYTES > free:
        raise ConfigError(
            f"{archive}: it unpacks to {size_bytes / 1e9:.1f} GB, and {folder} has {free / 1e9:.1f} GB free; make "
            "space, or set mlebench.unpack=off"
        )


def _checked(names: Iterable[tuple[str, int, bool]]) -> Iterator[tuple[str, int]]:
    """Names and sizes of the files of an archive; whatever is no plain file in it is an error.

    Raises:
        ValueError: a link or device, a path that leads out, or too many files.
    """
    for count, (name, size, is_file) in enumerate(names):
        path = PurePosixPath(name)
        if count >= MAX_MEMBERS:
            raise ValueError(f"more than {MAX_MEMBERS:,} files")
        if not is_file:
            raise ValueError(f"{name!r} is a link or a device")
        if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name or "\0" in name:
            raise ValueError(f"{name!r} leads out of it")
        yield name, size


def _members(archive: Path, python: Path | None) -> list[tuple[str, int]]:
    name = archive.name.lower()
    if name.endswith(ZIP):
        with zipfile.ZipFile(archive) as zipped:
            infos = [i for i in zipped.infolist() if not i.is_dir()]
            return list(_checked((i.filename, i.file_size, _is_plain(i)) for i in infos))
    if name.endswith(TAR):
        with tarfile.open(archive) as tarred:
            return list(_checked((_plain(m.name), m.size, m.isreg()) for m in tarred if not m.isdir()))
    lines = _seven_zip(archive, python, "list").splitlines()
    parts = (line.split(" ", 2) for line in lines)
    return list(_checked((text, int(size), kind == "file") for kind, size, text in parts if kind != "folder"))


def _is_plain(info: zipfile.ZipInfo) -> bool:
    """Whether a member of a zip is a regular file; many archives say nothing of it."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    return kind in (0, stat.S_IFREG)


def _plain(name: str) -> str:
    """The name of a member without a leading `./`."""
    return name.removeprefix("./")


def _extract(archive: Path, place: Path, python: Path | None, wanted: frozenset[str]) -> None:
    name = archive.name.lower()
    if name.endswith(ZIP):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                if info.filename in wanted:
                    with zipped.open(info) as source:
                        _write(source, place / info.filename, info.file_size)
    elif name.endswith(TAR):
        with tarfile.open(archive) as tarred:
            for member in tarred:
                content = tarred.extractfile(member) if _plain(member.name) in wanted else None
                if content is not None:
                    _write(content, place / _plain(member.name), member.size)
    else:
        _seven_zip(archive, python, "extract", str(place))


def _write(source: IO[bytes], path: Path, size: int) -> None:
    """Write one file, which may be no larger than was said.

    Raises:
        ValueError: it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with path.open("xb") as target:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > size:
                raise ValueError(f"{path.name!r} is larger than the archive says")
            target.write(chunk)


def _seven_zip(archive: Path, python: Path | None, *words: str) -> str:
    """What the interpreter that has py7zr says of an archive, or does with it.

    Raises:
        ConfigError: there is none.
        ValueError: it failed.
    """
    if python is None:
        raise ConfigError(f"{archive}: 7z archives are unpacked by MLE-bench's interpreter, and none is known")
    command = [str(python), "-I", "-c", _SEVEN_ZIP_SCRIPT, str(archive), *words]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        raise ValueError((done.stderr.strip().splitlines() or ["py7zr failed"])[-1])
    return done.stdout


def zip_contents(archive: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and CRCs of a zip's files: what it holds, whenever it was packed; of another archive its size.

    Raises:
        ConfigError: it is damaged.
    """
    if not archive.name.lower().endswith(ZIP):
        return [("", archive.stat().st_size, 0)]
    found: list[tuple[str, int, int]] = []
    with _refusing(archive), zipfile.ZipFile(archive) as zipped:
        found += sorted((i.filename, i.file_size, i.CRC) for i in zipped.infolist())
    return found
