"""Makes a pack of runs: under a temporary name first, and under its own once it is whole and on the disk."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from mlesearch.storage.file_systems import naming
from mlesearch.storage.files import NO_LINKS, open_file, sync_folder, temporary_of, write_atomically
from mlesearch.storage.leases import Lease, check_held
from mlesearch.storage.packs import FORMAT, INDEX, NOTED, member, pack_path, packs_noted, packs_of
from mlesearch.storage.run_batches import compressed, joined

BATCH_BYTES = 8 << 20
"""A batch is closed once it holds so much: to read one run, its batch is decompressed."""

_NO_TIME = (1980, 1, 1, 0, 0, 0)

PackedRun = tuple[str, Mapping[str, bytes]]
"""A run's name within its cell, and its files by their names within its folder."""


def write_pack(cell: Path, runs: Iterable[PackedRun], lease: Lease) -> Path:
    """Add a pack to a cell; returns its path once it will be there after a power cut.

    Args:
        cell: its folder.
        runs: each once, at least one; they are asked for one by one.
        lease: of who packs: without it nothing appears.

    Raises:
        OSError: the disk did not take it, or a file of a run can't be read; nothing has appeared.
        LeaseLost: the lease is; likewise.
    """
    temporary = temporary_of(Path(pack_path(cell, 0)))
    try:
        with naming(temporary), os.fdopen(open_file(temporary, os.O_RDWR | os.O_EXCL), "w+b") as file:
            _write(zipfile.ZipFile(file, "w", zipfile.ZIP_STORED), runs)
            file.flush()
            os.fsync(file.fileno())
        check_held(lease)
        while not _named(temporary, place := Path(pack_path(cell, len(packs_of(cell)) + 1))):
            pass  # another process has made the pack of this number
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(cell)
    return place


def note_packs(study: Path, cell: Path, number: int, lease: Lease) -> None:
    """Note how many packs a cell has; it will be known after a power cut.

    Args:
        study: its folder.
        cell: the folder of the cell.
        number: of its packs; 0: it has none any more.
        lease: of who packs or unpacks.

    Raises:
        StoreError: what was noted before is damaged.
        OSError: the disk did not take it.
        LeaseLost: the lease is.
    """
    noted, name = packs_noted(study), cell.relative_to(study).as_posix()
    if noted.get(name, 0) == number:
        return
    kept = {**noted, name: number} if number else {k: n for k, n in noted.items() if k != name}
    check_held(lease)
    if kept:
        write_atomically(study / NOTED, json.dumps({"format": FORMAT, "packs": dict(sorted(kept.items()))}) + "\n")
    else:
        (study / NOTED).unlink(missing_ok=True)
    sync_folder(study)


def _named(temporary: Path, place: Path) -> bool:
    """Give a file its name; False where another file has it. Without links the lease alone keeps others away."""
    try:
        os.link(temporary, place)
    except FileExistsError:
        return os.stat(temporary).st_nlink == 2
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if place.exists():
            return False
        os.rename(temporary, place)
    return True


def _write(archive: zipfile.ZipFile, runs: Iterable[PackedRun]) -> None:
    places: dict[str, tuple[int, int]] = {}
    sizes: list[int] = []
    batch: list[Mapping[str, bytes]] = []
    open_bytes = 0
    with archive:
        for name, files in runs:
            places[name] = (len(sizes), len(batch))
            batch.append(files)
            open_bytes += sum(map(len, files.values()))
            if open_bytes >= BATCH_BYTES:
                sizes.append(_add_batch(archive, len(sizes), batch))
                batch, open_bytes = [], 0
        if batch:
            sizes.append(_add_batch(archive, len(sizes), batch))
        content = {"format": FORMAT, "runs": places, "sizes": sizes}
        _add(archive, INDEX, json.dumps(content, separators=(",", ":")).encode())


def _add_batch(archive: zipfile.ZipFile, number: int, batch: list[Mapping[str, bytes]]) -> int:
    """Returns its size before compression, bytes."""
    data = joined(batch)
    _add(archive, member(number), compressed(data))
    return len(data)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _NO_TIME)
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)
