"""`mlesearch clean --pack`: finished runs of a study from their folders into one file a cell, and back.

Nothing is removed before what holds it is on the disk, and then only what that holds byte by byte. So whenever it is
killed, every file is there, in its folder or in a pack, and whoever reads finds it; packed again, it is brought to its
end.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlesearch.storage.cell_store import exists
from mlesearch.storage.documents import RUN, finished_row
from mlesearch.storage.entry import StoreError
from mlesearch.storage.exclusive import alone
from mlesearch.storage.files import make_folder, sync_folder, temporary_of, write_file
from mlesearch.storage.lease_files import file_name
from mlesearch.storage.leases import Lease, check_held
from mlesearch.storage.pack_writer import PackedRun, note_packs, write_pack
from mlesearch.storage.packs import check_whole, packed_cells, packed_files, packs_of, runs_in, unpacked_bytes
from mlesearch.storage.under_way import UNDER_WAY
from mlesearch.study.clean import TEMPORARY, check_idle, held_names
from mlesearch.types import ConfigError

MAX_RUN_BYTES = 256 << 20
"""A run that is larger stays in its folder: its files are in memory together when it is packed, or read."""

_LEASE = "pack"
_NOT_OURS = "with files that this user can't read or remove"
_SPARE_BYTES = 64 << 20
_SYNC_BYTES = 256 << 20
_RUN_NAME = re.compile(r"(?!\.\.?/)[A-Za-z0-9._-]+/seed--?[0-9]+")


@dataclass(frozen=True, slots=True)
class FilesOnDisk:
    """How much something is.

    Attributes:
        files: their number.
        size_bytes: of all of them.
    """

    files: int = 0
    size_bytes: int = 0

    def __add__(self, other: FilesOnDisk) -> FilesOnDisk:
        return FilesOnDisk(self.files + other.files, self.size_bytes + other.size_bytes)


@dataclass(frozen=True, slots=True)
class Packable:
    """Runs that can be packed.

    Attributes:
        cells: by the folder of each cell: the names of its runs within it.
        before: what they are now.
        stay: how many runs that have folders are left alone, by the reason.
    """

    cells: Mapping[Path, tuple[str, ...]]
    before: FilesOnDisk
    stay: Mapping[str, int]

    @property
    def runs(self) -> int:
        """How many."""
        return sum(map(len, self.cells.values()))


def packable(study: Path) -> Packable:
    """What can be packed of a study on which nobody works: the folders of runs that have come to their end.

    Raises:
        ConfigError: there is no study in this folder; or workers are at work, or may be; or a file is damaged.
        StoreError: a pack is damaged, or gone.
    """
    check_idle(study)
    packed_cells(study)
    held = held_names(study)
    cells: dict[Path, list[str]] = {}
    before, stay = FilesOnDisk(), Counter[str]()
    for run in sorted(path for path in study.glob("*/*/*/*/seed-*") if path.is_dir()):
        why, taken = _why_not(run, study, held)
        if why:
            stay[why] += 1
        elif taken.files or not any(names for *_, names in os.walk(run)):  # folders alone: of one that was killed
            cells.setdefault(run.parent.parent, []).append(f"{run.parent.name}/{run.name}")
            before += taken
    return Packable({cell: tuple(names) for cell, names in cells.items()}, before, stay)


def _why_not(run: Path, study: Path, held: frozenset[str]) -> tuple[str, FilesOnDisk]:
    """Why a run stays in its folder, empty where it can be packed; and what it is there."""
    if not _RUN_NAME.fullmatch(f"{run.parent.name}/{run.name}"):
        return "with names that a launch gives to none", FilesOnDisk()
    if not exists(run / RUN) or finished_row(run) is None:
        return "not finished", FilesOnDisk()
    if file_name(run.relative_to(study).as_posix()) in held:
        return "leased by a worker that may be at work", FilesOnDisk()
    try:
        taken = FilesOnDisk()
        files = _files(run)
        for path in files:
            taken += FilesOnDisk(1, path.stat().st_size)
    except ValueError:
        return "with links or devices in its folder", FilesOnDisk()
    except PermissionError:
        return _NOT_OURS, FilesOnDisk()
    folders = {path.parent for path in files}
    if not (all(os.access(p, os.R_OK) for p in files) and all(os.access(p, os.W_OK | os.X_OK) for p in folders)):
        return _NOT_OURS, FilesOnDisk()
    large = taken.size_bytes > MAX_RUN_BYTES
    return f"larger than {MAX_RUN_BYTES >> 20} MiB" if large else "", taken


def pack(study: Path, found: Packable) -> FilesOnDisk:
    """Pack runs; returns what holds them now: the packs, and what was left of their folders.

    Args:
        study: its folder.
        found: of this study.

    Raises:
        OSError: the disk fails, or is full; whatever was not packed is where it was.
        StoreError: a pack is damaged.
        LeaseLost: another process packs this study now.
    """
    before = {cell: {pack.path for pack in packs_of(cell)} for cell in found.cells}
    with alone(study, _LEASE) as lease:
        for cell, names in found.cells.items():
            check_idle(study)  # the user was asked meanwhile
            check_whole(cell)
            held = held_names(study)
            free = [name for name in names if file_name((cell / name).relative_to(study).as_posix()) not in held]
            there = [name for name in free if (cell / name).is_dir()]
            known = runs_in(cell)
            new = [name for name in there if name not in known or _differs(cell, name)]
            if new:
                write_pack(cell, _contents(cell, new), lease)
            note_packs(study, cell, len(packs_of(cell)), lease)
            for name in there:
                _remove_packed(cell, name, lease)
    after = FilesOnDisk()
    for cell, names in found.cells.items():
        made = [Path(pack.path) for pack in packs_of(cell) if pack.path not in before[cell]]
        left = [path for name in names for path in _files(cell / name)]
        for path in (*made, *left):
            after += FilesOnDisk(1, path.stat().st_size)
    return after


def packed(study: Path) -> int:
    """How many runs of a study are packed.

    Raises:
        StoreError: a pack is damaged.
    """
    return sum(len(runs_in(cell)) for cell in packed_cells(study))


def unpack(study: Path) -> int:
    """Put packed runs back into folders of their own; returns how many there were.

    What lies in a run's folder already stays as it is. Packs are removed once all that they hold is on the disk.

    Raises:
        ConfigError: there is no study in this folder; or workers are at work, or may be; or there is no room.
        OSError: the disk fails, or is full; the packs are where they were.
        StoreError: a pack is damaged, or no pack of this study.
        LeaseLost: another process packs this study now.
    """
    check_idle(study)
    cells = packed_cells(study)
    needed, free = sum(map(unpacked_bytes, cells)) + _SPARE_BYTES, shutil.disk_usage(study).free
    if cells and needed > free:
        raise ConfigError(f"{study}: its packs unpack to {needed:,} bytes, and the disk has {free:,} free; make space")
    runs = 0
    with alone(study, _LEASE) as lease:
        for cell in cells:
            check_idle(study)
            packs = packs_of(cell)
            names = sorted(runs_in(cell))
            _restore(cell, names, lease)
            note_packs(study, cell, 0, lease)
            for pack in reversed(packs):  # numbers stay without a gap
                check_held(lease)
                os.unlink(pack.path)
            runs += len(names)
    return runs


def check_unpacked(run: Path) -> None:
    """Refuse to take files of a run to another program while they are in a pack.

    Raises:
        ConfigError: says how to unpack them.
    """
    if not (run / RUN).is_file() and exists(run / RUN):
        raise ConfigError(f"{run}: this run is packed; to have its files: mlesearch clean {run.parents[4]} --unpack")


def _contents(cell: Path, names: list[str]) -> Iterator[PackedRun]:
    for name in names:
        run = cell / name
        on_disk = {path.relative_to(run).as_posix(): path.read_bytes() for path in _files(run)}
        yield name, packed_files(cell, name) | on_disk


def _differs(cell: Path, name: str) -> bool:
    """Whether a run's folder holds something that no pack does."""
    run, packed = cell / name, packed_files(cell, name)
    return any(packed.get(path.relative_to(run).as_posix()) != path.read_bytes() for path in _files(run))


def _remove_packed(cell: Path, name: str, lease: Lease) -> None:
    """Remove of a run's folder what a pack holds; what differs from that stays, and is read before it."""
    run, packed = cell / name, packed_files(cell, name)
    sync_folder(cell)  # the pack may be of a process that was killed before it did so
    check_held(lease)
    for path in _files(run):
        if packed.get(path.relative_to(run).as_posix()) == path.read_bytes():
            path.unlink()
    folders = [run, *(Path(place) / inside for place, inner, _ in os.walk(run) for inside in inner)]
    for folder in (*reversed(folders), run.parent):
        with contextlib.suppress(OSError):  # something else is in it
            folder.rmdir()


def _files(run: Path) -> list[Path]:
    """The files in a run's folder, but for those of writes that were cut off.

    Raises:
        ValueError: something else is there that a pack can't hold.
        OSError: a folder can't be read.
    """
    found: list[Path] = []
    if run.is_symlink():
        raise ValueError(f"{run}: a link")
    for place, folders, names in os.walk(run, onerror=_refuse):
        paths = [Path(place) / name for name in names if not (name == UNDER_WAY or TEMPORARY.fullmatch(name))]
        if any(path.is_symlink() or not path.is_file() for path in paths):
            raise ValueError(f"{place}: not only files")
        if any((Path(place) / name).is_symlink() for name in folders):
            raise ValueError(f"{place}: a link to a folder")
        found += paths
    return sorted(found)


def _refuse(error: OSError) -> None:
    """What can't be read of a folder is not nothing; what is not there any more is."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _restore(cell: Path, names: list[str], lease: Lease) -> None:
    """Put runs into their folders; once it returns, all of their files will be there after a power cut.

    A file has its name only once it is on the disk: one that a power cut has torn would go before the pack.
    """
    written: list[tuple[Path, Path]] = []
    open_bytes = 0
    try:
        for name in names:
            check_held(lease)
            for path, data in _missing(cell, name):
                make_folder(path.parent)
                written.append((temporary_of(path.with_name("unpacked")), path))  # a name may be as long as can be
                write_file(written[-1][0], data, os.O_EXCL, durable=False, named=path)
                open_bytes += len(data)
            if open_bytes >= _SYNC_BYTES:
                _give_names(written)
                open_bytes = 0
        _give_names(written)
    finally:
        for temporary, _ in written:
            temporary.unlink(missing_ok=True)
    os.sync()


def _give_names(written: list[tuple[Path, Path]]) -> None:
    """Let files that were written have their names, now that they are on the disk."""
    os.sync()
    while written:
        temporary, path = written[-1]
        os.replace(temporary, path)
        written.pop()


def _missing(cell: Path, name: str) -> Iterator[tuple[Path, bytes]]:
    """The files of a packed run that are not in its folder."""
    if not _RUN_NAME.fullmatch(name):
        raise StoreError(f"{cell}: one of its packs holds {name!r}, which is no run; it is no pack of this study")
    for file, data in packed_files(cell, name).items():
        path = cell / name / file
        if file.startswith("/") or {"", ".", ".."} & set(file.split("/")):
            raise StoreError(f"{cell}: one of its packs holds {file!r}, which is no file of a run")
        if path.is_dir():
            raise ConfigError(f"{path}: a folder, and a pack holds a file of this name; move the folder elsewhere")
        if not path.exists():
            yield path, data
