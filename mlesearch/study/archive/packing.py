"""A recorded study as one file: its journals, its model calls and its executions, to publish and to replay elsewhere.

The file is a zip whose members are sorted and carry no times, so that one study gives one file:

    artefacts/<sha256>   what programs left behind
    calls.jsonl          the entries of the cassette, by key
    executions.jsonl     the entries of the execution store, by key
    study/...            the study's folder: study.json, launches.jsonl, results that were imported, and of every run
                         its journal, grades, blobs
    MANIFEST.json        the sha256 of every other member; last

What may stand in it: `mlesearch.study.archive.members`; how a folder is made of it again:
`mlesearch.study.archive.unpacking`. Secrets are redacted (`mlesearch.storage.redact`). Tables and reports are left out:
they are made from the journals.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlesearch import __version__
from mlesearch.analysis.text import plural
from mlesearch.storage import cell_store
from mlesearch.storage.blobs import BLOBS
from mlesearch.storage.codec import Json, dumps
from mlesearch.storage.documents import (
    GRADES,
    LAUNCHES,
    OFFICIAL,
    OFFICIAL_VALIDATION,
    RESULT,
    RUN,
    STUDY,
    TASK,
    VALIDATED,
    read_run,
)
from mlesearch.storage.entry import Entry, StoreError
from mlesearch.storage.files import temporary_of
from mlesearch.storage.imported import IMPORTED_RESULTS
from mlesearch.storage.journal import JOURNAL
from mlesearch.storage.layout import run_folders
from mlesearch.storage.redact import Redactor
from mlesearch.storage.store import Store, open_store
from mlesearch.study.archive import members as archive_members
from mlesearch.study.archive.members import CALLS, EXECUTIONS, FORMAT, MANIFEST, EntryLine
from mlesearch.types import ConfigError

_OF_A_RUN = (RUN, TASK, JOURNAL, GRADES, OFFICIAL, OFFICIAL_VALIDATION, VALIDATED, RESULT)
_NO_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Contents:
    """What an export holds, or what was looked at.

    Attributes:
        runs: how many.
        calls: likewise.
        executions: likewise.
        redacted: texts in which a secret was redacted.
        members: files within an export; 0 where it is none.
    """

    runs: int
    calls: int
    executions: int
    redacted: int = 0
    members: int = field(default=0, compare=False)

    def __str__(self) -> str:
        text = f"{plural(self.runs, 'run')}, {plural(self.calls, 'call')}, {plural(self.executions, 'execution')}"
        text += f"; secrets were redacted in {plural(self.redacted, 'text')}" if self.redacted else ""
        large = self.members > archive_members.MAX_MEMBERS
        return f"{text}; of {self.members:,} members, so to import it takes --trust" if large else text


def find_store(study: Path, name: str, given: Path | None = None) -> Store | None:
    """A study's store, in either form; None where it has none.

    Args:
        study: its folder.
        name: cassette or executions.
        given: where it is, if not in the study's folder.

    Raises:
        ConfigError: nothing is where it was said to be.
    """
    if given is not None:
        return open_store(given, "files" if given.is_dir() else "sqlite", must_exist=True)
    if (study / f"{name}.db").exists():
        return open_store(study / f"{name}.db")
    return open_store(study / name, "files") if (study / name).is_dir() else None


def near_of(fields: Json) -> str:
    """Where an entry belongs in its store: by its address; what describes a model or a sandbox, by its kind."""
    return str(fields.get("address", fields["kind"]))


# export


def export(study: Path, out: Path, cassette: Path | None = None, executions: Path | None = None) -> Contents:
    """Write a study into one file.

    Args:
        study: its folder.
        out: the file; replaced as a whole.
        cassette: where the model calls are, if not in the study's folder.
        executions: likewise, the executions.

    Raises:
        ConfigError: there is no study, or a store is not where it was said to be.
        StoreError: an entry is damaged.
        JournalError: a journal is.
    """
    if not (study / STUDY).exists():
        raise ConfigError(f"{study}: no study here (no study.json); name the folder that a launch wrote")
    folders = list(run_folders(study))
    redactor = Redactor.of_environment(_key_variables(folders))
    temporary = temporary_of(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as file:
            counts = _Writer(file, redactor, study, folders).write(
                {
                    CALLS: find_store(study, "cassette", cassette),
                    EXECUTIONS: find_store(study, "executions", executions),
                }
            )
            members = len(file.namelist())
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return Contents(len(folders), counts[CALLS], counts[EXECUTIONS], redactor.found, members)


def _key_variables(folders: Iterable[Path]) -> set[str]:
    """Names of the variables that the study's models read their keys from."""
    found = set()
    for folder in folders:
        settings = read_run(folder).get("settings", {})
        model = settings.get("model", {})
        for part in (model, settings.get("embedder", {}), *model.get("roles", {}).values()):
            name = part.get("params", {}).get("api_key_env")
            found |= {name} if name else set()
    return found


class _Writer:
    """Writes the members in the order of their names, and their checksums."""

    def __init__(self, file: zipfile.ZipFile, redactor: Redactor, study: Path, folders: Sequence[Path]) -> None:
        self._file = file
        self._redactor = redactor
        self._study = study
        self._folders = folders
        self._ids = {f.relative_to(study).as_posix() for f in folders}
        self._sums: dict[str, str] = {}

    def write(self, stores: dict[str, Store | None]) -> dict[str, int]:
        """All of it; returns how many entries each member holds."""
        blobs = self._redacted_blobs()  # first: entries and journals name their digests
        artefacts: dict[str, tuple[Store, str, str]] = {}  # by digest: where the bytes are
        keys = {m: self._index(store, artefacts) if store is not None else [] for m, store in stores.items()}
        for digest, (holder, key, name) in sorted(artefacts.items()):
            self._member(f"artefacts/{digest}", [self._redactor.raw(_entry(holder, key).blobs[name])])
        for member, store in sorted(stores.items()):
            if store is not None:
                self._member(member, self._lines(store, [key for _, key, _ in keys[member]]))
        self._write_study(blobs)
        for store in stores.values():
            if store is not None:
                store.close()
        manifest = {"format": FORMAT, "mlesearch": __version__, "files": dict(self._sums)}
        self._member(MANIFEST, [json.dumps(manifest, indent=1, sort_keys=True).encode()])
        return {member: sum(addressed for _, _, addressed in found) for member, found in keys.items()}

    def _redacted_blobs(self) -> dict[str, Path]:
        """Every blob of the runs by the name it gets."""
        found = {}
        for folder in self._folders:
            for path in cell_store.files_in(folder, BLOBS):
                digest = hashlib.sha256(self._redactor.raw(cell_store.read_bytes(path))).hexdigest()
                found[f"{folder.relative_to(self._study).as_posix()}/blobs/{digest}"] = path
        return found

    def _index(self, store: Store, artefacts: dict[str, tuple[Store, str, str]]) -> list[tuple[str, str, bool]]:
        """The entries of this study's runs, by the key each gets, and whether it has an address; fills `artefacts`."""
        found = []
        for key in list(store.keys()):
            entry = _entry(store, key)
            if self._ours(entry.fields):
                for name, data in entry.blobs.items():
                    artefacts[hashlib.sha256(self._redactor.raw(data)).hexdigest()] = (store, key, name)
                found.append((Entry(self._redactor.json(entry.fields), {}).key, key, "address" in entry.fields))
        return sorted(found)

    def _lines(self, store: Store, keys: Sequence[str]) -> Iterator[bytes]:
        return (self._line(_entry(store, key)) for key in keys)

    def _line(self, entry: Entry) -> bytes:
        names = {n: hashlib.sha256(self._redactor.raw(data)).hexdigest() for n, data in sorted(entry.blobs.items())}
        fields = self._redactor.json(entry.fields)
        value = self._redactor.json(entry.value)
        line: EntryLine = {"key": Entry(fields, {}).key, "fields": fields, "value": value, "blobs": names}
        return dumps(line).encode(errors="surrogatepass") + b"\n"

    def _ours(self, fields: Json) -> bool:
        """Whether an entry belongs to a run of this study, or describes what runs were made with."""
        address = fields.get("address")
        if address is None:
            return True
        parts = str(address).split("/")
        return any("/".join(parts[:n]) in self._ids for n in range(1, len(parts) + 1))

    def _write_study(self, blobs: dict[str, Path]) -> None:
        files: dict[str, Path] = dict(blobs)
        for name in (LAUNCHES, STUDY):
            files[name] = self._study / name
        for path in (self._study / IMPORTED_RESULTS).glob("*.json"):
            files[f"{IMPORTED_RESULTS}/{path.name}"] = path
        for folder in self._folders:
            for name in _OF_A_RUN:
                files[f"{folder.relative_to(self._study).as_posix()}/{name}"] = folder / name
        for name, path in sorted(files.items()):
            if cell_store.exists(path):
                self._member(f"study/{name}", [self._content(name, path)])

    def _content(self, name: str, path: Path) -> bytes:
        data = cell_store.read_bytes(path)
        if name.endswith(".jsonl"):
            whole = data.split(b"\n")[:-1]
            return b"".join(dumps(self._redactor.json(json.loads(line))).encode() + b"\n" for line in whole)
        if name.endswith(".json"):
            return (json.dumps(self._redactor.json(json.loads(data)), indent=1) + "\n").encode()
        return self._redactor.raw(data)

    def _member(self, name: str, chunks: Iterable[bytes]) -> None:
        info = zipfile.ZipInfo(name, _NO_TIME)
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        digest = hashlib.sha256()
        with self._file.open(info, "w", force_zip64=True) as target:
            for chunk in chunks:
                digest.update(chunk)
                target.write(chunk)
        self._sums[name] = digest.hexdigest()


def _entry(store: Store, key: str) -> Entry:
    entry = store.get(key)
    if entry is None:
        raise StoreError(f"store: the entry {key} has gone; is another process at work on this study?")
    return entry
