"""`mlesearch cassette import`: a study's folder made from an export of somebody else.

Nothing is written before all of the file was found right (`mlesearch.study.archive.members`). All is written into one
folder beside the target, which takes its name once it is whole, and nothing is left of it otherwise. The study says
that it came from elsewhere (`imported.json`), which a replay heeds.
"""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

from mlesearch.storage.documents import RUN, STUDY, read_run, read_study
from mlesearch.storage.entry import Entry
from mlesearch.storage.files import make_private, temporary_of
from mlesearch.storage.layout import RunKey, run_folders
from mlesearch.storage.store import open_store
from mlesearch.study.archive.members import CALLS, EXECUTIONS, STORES, Archive, chunks, lines_of, opened
from mlesearch.study.archive.packing import Contents, near_of
from mlesearch.types import ConfigError

IMPORTED = "imported.json"
"""In the folder of a study that came from elsewhere: the name of the file."""

_SPARE_BYTES = 64 << 20


def unpack(path: Path, study: Path, form: str = "sqlite", *, trust: bool = False) -> Contents:
    """Make a study's folder from an export, after all of it was checked.

    Args:
        path: the exported file.
        study: the folder; it must not be there yet, or be empty.
        form: of its stores.
        trust: whether an export larger than exports are is taken all the same.

    Raises:
        ConfigError: the file is no export, or damaged, or too large; or the folder is not empty, or its disk too small.
    """
    if study.is_symlink() or (study.exists() and (not study.is_dir() or any(study.iterdir()))):
        raise ConfigError(f"{study} is not empty; name a folder that is not there yet")
    temporary = temporary_of(study.absolute())
    with opened(path, trust=trust) as archive:
        _check_space(archive, temporary.parent)
        try:
            make_private(temporary)
            for name in archive.names:
                if name.startswith("study/"):
                    _write(archive, name, temporary / name.removeprefix("study/"))
            _check_study(temporary)
            counts = _restore(archive, temporary, form)
            runs = len(list(run_folders(temporary)))
            (temporary / IMPORTED).write_text(json.dumps({"file": path.name}) + "\n", encoding="utf-8")
            if study.exists():
                study.rmdir()
            temporary.rename(study)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return Contents(runs, counts[CALLS], counts[EXECUTIONS])


def _check_space(archive: Archive, folder: Path) -> None:
    place = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(place).free
    if archive.total_bytes + _SPARE_BYTES > free:
        raise ConfigError(
            f"{archive.path}: it unpacks to {archive.total_bytes:,} bytes, and {place} has {free:,} free; make space, "
            "or name a folder on another disk"
        )


def _write(archive: Archive, name: str, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with open(place, "xb") as file:
        for chunk in chunks(archive.file, name):
            file.write(chunk)


def _check_study(folder: Path) -> None:
    """Refuse a study that does not say what it is, or a run that stands in another's place."""
    try:
        read_study(folder)
        runs = {run: read_run(run) for run in run_folders(folder)}
    except ConfigError as error:
        raise ValueError(str(error).replace(f"{folder}/", "")) from None
    if len(runs) < len({p.parent for p in folder.glob("*/*/*/*/*/*.json*")}):
        raise ValueError(f"a run has no {RUN}")
    for run, content in runs.items():
        key, place = RunKey(**content["key"]), run.relative_to(folder).as_posix()
        if key.id != place:
            raise ValueError(f"{place} holds a run that belongs elsewhere")


def _restore(archive: Archive, study: Path, form: str) -> dict[str, int]:
    """Put the entries of the members into their stores; returns how many calls and executions there are."""
    counts, left = {CALLS: 0, EXECUTIONS: 0}, archive.may_restore_bytes
    known = frozenset(name for name in archive.names if name.startswith("artefacts/"))
    for member in STORES:
        if member not in archive.names:
            continue
        name = STORES[member]
        with closing(open_store(study / (f"{name}.db" if form == "sqlite" else name), form)) as store:
            for line in lines_of(archive, member):
                wanted = {label: f"artefacts/{digest}" for label, digest in line["blobs"].items()}
                if not known.issuperset(wanted.values()):
                    raise ValueError(f"{member} names a file that is not there")
                left -= sum(archive.file.getinfo(place).file_size for place in wanted.values())
                if left < 0:
                    raise ConfigError(
                        f"{archive.path}: its entries would unpack to more than an export of its size may; where you "
                        "know who made it, --trust takes it as it is"
                    )
                entry = Entry(line["fields"], line["value"], {k: archive.file.read(p) for k, p in wanted.items()})
                if entry.key != line["key"]:
                    raise ValueError(f"{member} holds an entry under another key")
                store.put(entry, near_of(entry.fields))
                counts[member] += "address" in entry.fields
    return counts


def is_imported(study: Path) -> bool:
    """Whether a study came from elsewhere."""
    return (study / IMPORTED).exists() and (study / STUDY).exists()
