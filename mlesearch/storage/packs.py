"""Packs: the folders of finished runs of a cell in one file, so that a study of thousands of runs is few files.

    <study>/<model>/<strategy>/<variant>/packed-<n>.zip      from 1
    <study>/packed.json                                      how many packs each cell has, so that none goes unnoticed

A zip of `index.json` and of batches of runs (`mlesearch.storage.run_batches`), about 8 MiB each before compression. A
pack appears whole, is never changed, and another one is made beside it; so it is read without locks, from any file
system. A file that several packs hold is that of the highest number, and one that lies in the run's folder goes before
all of them. Whatever reads a file of a run finds it here by `mlesearch.storage.cell_store`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mlesearch.storage.entry import StoreError
from mlesearch.storage.run_batches import apart, decompressed

FORMAT = 1
INDEX = "index.json"
NOTED = "packed.json"
"""In a study's folder: written before what is packed is removed, and changed before a pack is."""
_MOST = 100_000
_NAME = re.compile(r"packed-([1-9]\d*)\.zip")

Stamp = tuple[int, int, int]
"""Of a file: changes whenever it is written."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack of a cell.

    Attributes:
        path: of its file.
        stamp: of its file: another one where it was replaced by hand.
    """

    path: str
    stamp: Stamp


def pack_path(cell: Path | str, number: int) -> str:
    """Where a pack of a cell is; numbers are from 1."""
    return f"{cell}/packed-{number}.zip"


def packs_of(cell: Path | str) -> tuple[Pack, ...]:
    """The packs of a cell by their numbers; looks for one more file than there are."""
    found: list[Pack] = []
    while True:
        path = pack_path(cell, len(found) + 1)
        try:
            s = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return tuple(found)
        found.append(Pack(path, (s.st_mtime_ns, s.st_size, s.st_ino)))


def packs_noted(study: Path) -> dict[str, int]:
    """How many packs each cell of a study has at least, by its path within the study.

    Raises:
        StoreError: what was noted is damaged.
        OSError: it can't be read.
    """
    path = study / NOTED
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']!r}, and this version reads {FORMAT}")
        noted = {str(cell): int(number) for cell, number in found["packs"].items()}
        if not all(0 < number <= _MOST for number in noted.values()):
            raise ValueError(f"numbers of packs from 1 to {_MOST:,} are needed")
        return noted
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"{path}: it can't be read ({error}), and says which packs of runs there are; restore it, or remove it "
            "once all of them are there"
        ) from error


def check_whole(cell: Path) -> None:
    """Before a run counts as one that nobody has begun: that no pack of its cell is gone, which may hold it.

    Raises:
        StoreError: one is not there; or what was noted of them is damaged.
        OSError: the cell's folder can't be read.
    """
    _numbers_of(cell.parents[2], lambda: {cell: _numbers_in(cell)}, only="/".join(cell.parts[-3:]))


def packed_cells(study: Path) -> list[Path]:
    """The folders of a study's cells that have a pack.

    Raises:
        StoreError: a pack of a cell is not there; or what was noted of them is damaged.
        OSError: what was noted can't be read.
    """

    def look() -> dict[Path, set[int]]:
        numbers: dict[Path, set[int]] = {}
        for path in study.glob("*/*/*/packed-*.zip"):
            if named := _NAME.fullmatch(path.name):
                numbers.setdefault(path.parent, set()).add(int(named[1]))
        return numbers

    return sorted(_numbers_of(study, look))


def _numbers_in(cell: Path) -> set[int]:
    """The numbers of the packs in a cell's folder."""
    try:
        names = os.listdir(cell)
    except (FileNotFoundError, NotADirectoryError):
        return set()
    return {int(named[1]) for name in names if (named := _NAME.fullmatch(name))}


def _numbers_of(study: Path, look: Callable[[], dict[Path, set[int]]], only: str = "") -> dict[Path, set[int]]:
    """The numbers of packs by their cells, as a look finds them: whole, or another process unpacks meanwhile."""
    while True:
        noted, there = packs_noted(study), look()
        least = {study / cell: number for cell, number in noted.items() if not only or cell == only}
        gone = next(((c, n) for c in sorted({*there, *least}) for n in _lacks(there.get(c), least.get(c, 0))), None)
        if gone is None:
            return there
        if packs_noted(study) == noted:
            raise _gone(study, *gone, later=gone[1] < max(there.get(gone[0], ()), default=0))


def _lacks(there: set[int] | None, least: int) -> list[int]:
    there = there or set()
    return sorted(set(range(1, max(least, *there, 0) + 1)) - there)


def _gone(study: Path, cell: Path, number: int, *, later: bool) -> StoreError:
    path = pack_path(cell, number)
    if later:
        return StoreError(f"{path}: it is not here, and a later pack is; restore it")
    return StoreError(
        f"{path}: it is not here, and runs that have ended were packed into it; restore it from a copy of the study, "
        f"or, where there is none, take its cell out of {study / NOTED}: then they begin anew, and are paid for again"
    )


def runs_in(cell: Path | str) -> frozenset[str]:
    """The runs in the packs of a cell, by their names within it (`task/seed-0`).

    Raises:
        StoreError: a pack is damaged.
    """
    return frozenset(name for pack in packs_of(cell) for name in _index(pack.path, pack.stamp).places)


def packed_files(cell: Path | str, run: str) -> dict[str, bytes]:
    """The files that the packs of a cell hold of a run, by their names within its folder.

    Raises:
        StoreError: a pack is damaged.
    """
    packs = packs_of(cell)
    return dict(_files(packs, run)) if packs else {}


def packed_file(cell: str, run: str, file: str) -> bytes | None:
    """A file of a run, as the packs of its cell hold it; None where they do not.

    Raises:
        StoreError: a pack is damaged.
    """
    packs = packs_of(cell)
    return _files(packs, run).get(file) if packs else None


def unpacked_bytes(cell: Path) -> int:
    """What all runs in the packs of a cell take once they are unpacked.

    Raises:
        StoreError: a pack is damaged.
    """
    return sum(sum(_index(pack.path, pack.stamp).sizes) for pack in packs_of(cell))


def packed_size_bytes(cell: Path, run: str) -> int:
    """A run's share of the packs of its cell."""
    share = 0.0
    for pack in packs_of(cell):
        place = _index(pack.path, pack.stamp).places.get(run)
        share += 0.0 if place is None else _shares(pack.path, pack.stamp)[place[0]]
    return round(share)


# reading


@dataclass(frozen=True, slots=True)
class _PackIndex:
    """What stands in the index of a pack.

    Attributes:
        places: of each run by its name: the number of its batch, and its place in it.
        sizes: bytes of each batch, decompressed.
    """

    places: Mapping[str, tuple[int, int]]
    sizes: tuple[int, ...]


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise StoreError(
            f"{path}: this pack of runs can't be read ({error}); restore it from a copy of the study"
        ) from error


@lru_cache(maxsize=256)
def _index(path: str, stamp: Stamp) -> _PackIndex:
    with _explained(path), zipfile.ZipFile(path) as file:
        found = json.loads(file.read(INDEX))
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']!r}, and this version reads {FORMAT}")
        return _PackIndex({n: (int(b), int(p)) for n, (b, p) in found["runs"].items()}, tuple(found["sizes"]))


@lru_cache(maxsize=256)
def _shares(path: str, stamp: Stamp) -> list[float]:
    """What a run of each batch takes in a pack, bytes."""
    runs = Counter(batch for batch, _ in _index(path, stamp).places.values())
    with _explained(path), zipfile.ZipFile(path) as file:
        return [file.getinfo(member(number)).compress_size / runs[number] for number in sorted(runs)]


@lru_cache(maxsize=4)
def _batch(path: str, stamp: Stamp, number: int) -> list[dict[str, bytes]]:
    size_bytes = _index(path, stamp).sizes[number]
    with _explained(path), zipfile.ZipFile(path) as file:
        return apart(decompressed(file.read(member(number)), size_bytes))


@lru_cache(maxsize=8)
def _files(packs: tuple[Pack, ...], run: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for pack in packs:
        place = _index(pack.path, pack.stamp).places.get(run)
        if place is not None:
            with _explained(pack.path):
                found |= _batch(pack.path, pack.stamp, place[0])[place[1]]
    return found


def member(number: int) -> str:
    """A batch's name within its pack."""
    return f"{number}.zst"
