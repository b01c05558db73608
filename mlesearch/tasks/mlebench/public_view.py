"""The public folder as programs see it: as it is, or beside it one with archives unpacked and the sample in its place.

A folder of hard links takes no space; only what is unpacked does. It is made once, whole or not at all, and made anew
where the data have changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mlesearch.tasks.files import is_litter
from mlesearch.tasks.mlebench.archives import is_archive, unpack
from mlesearch.tasks.mlebench.prepared import Prepared, kept_folder

PLACED_SAMPLE = "sample_submission.csv"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class PublicView:
    """What programs read.

    Attributes:
        folder: mounted read-only as `input/`.
        sample: name of the sample submission in it.
        unpacked: names of the archives that were unpacked.
    """

    folder: Path
    sample: str
    unpacked: tuple[str, ...] = ()


def archives(public: Path) -> list[str]:
    """The archives in a public folder itself, sorted."""
    with os.scandir(public) as entries:
        return sorted(e.name for e in entries if is_archive(e.name) and not is_litter(e.name) and e.is_file())


def view(found: Prepared, *, unpacks: bool, python: Path | None = None) -> PublicView:
    """The public folder of a competition, made ready where it has to be.

    Args:
        found: the competition.
        unpacks: whether its archives are unpacked.
        python: MLE-bench's interpreter, for 7z.

    Raises:
        ConfigError: an archive can't be unpacked, or the disk is too small.
    """
    packed = archives(found.public) if unpacks else []
    inside = found.sample.is_relative_to(found.public)
    sample = found.sample.relative_to(found.public).as_posix() if inside else PLACED_SAMPLE
    if not packed and inside:
        return PublicView(found.public.resolve(), sample)
    place = kept_folder(found) / f"public-{_stamp(found, packed, inside)}"
    if not place.is_dir():
        _make(found, packed, inside, place, python)
    return PublicView(place.resolve(), sample, tuple(name for name in packed if not (place / name).exists()))


def _stamp(found: Prepared, packed: list[str], inside: bool) -> str:
    """What a folder was made from: another one is made where that has changed."""
    sources = [found.public / name for name in packed] + ([] if inside else [found.sample])
    stamps = [(path.name, (status := path.stat()).st_size, status.st_mtime_ns) for path in sources]
    stamps.append((".", 0, found.public.stat().st_mtime_ns))
    return hashlib.sha256(repr((_FORMAT, stamps)).encode()).hexdigest()[:12]


def _make(found: Prepared, packed: list[str], inside: bool, place: Path, python: Path | None) -> None:
    temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=".making-"))
    try:
        folder = temporary / "public"
        shutil.copytree(found.public, folder, copy_function=_link, ignore=_litter)
        for name in packed:
            if unpack(folder / name, folder, python):
                (folder / name).unlink()
        if not inside and not (folder / PLACED_SAMPLE).exists():
            shutil.copyfile(found.sample, folder / PLACED_SAMPLE)
        _open_to_all(folder)
        with contextlib.suppress(OSError):  # another process was first
            folder.rename(place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _link(source: str, target: str) -> None:
    """A hard link where the file system allows one."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _litter(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if is_litter(name)}


def _open_to_all(folder: Path) -> None:
    """Let every user read what was made here: programs may run as another one. Linked files keep their rights."""
    for root, folders, names in os.walk(folder):
        os.chmod(root, 0o755)
        for name in names:
            path = os.path.join(root, name)
            if os.stat(path).st_nlink == 1:
                os.chmod(path, 0o644)
        folders.sort()
