"""A recorded study as one file: its journals, its model calls and its executions, to publish and to replay elsewhere.

The file is a zip whose members are sorted and carry no times, so that one study gives one file:

    artefacts/<sha256>   what programs left behind
    calls.jsonl          the entries of the cassette, by key
    executions.jsonl     the entries of the execution store, by key
    study/...            the study's folder: study.json, launches.jsonl, and of every run its journal, grades, blobs
    MANIFEST.json        the sha256 of every other member; last

Secrets are redacted (`mlesearch.storage.redact`). Tables and reports are left out: they are made from the journals.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from mlesearch import __version__
from mlesearch.storage.codec import Json, dumps
from mlesearch.storage.documents import GRADES, LAUNCHES, RESULT, RUN, STUDY, read_run
from mlesearch.storage.entry import Entry, StoreError
from mlesearch.storage.files import make_private
from mlesearch.storage.journal import JOURNAL
from mlesearch.storage.layout import run_folders
from mlesearch.storage.redact import Redactor
from mlesearch.storage.store import Store, open_store
from mlesearch.types import ConfigError

FORMAT = 1
CALLS, EXECUTIONS = "calls.jsonl", "executions.jsonl"
STORES = {CALLS: "cassette", EXECUTIONS: "executions"}
"""Members that hold entries, and the name of the store each comes from, in the study's folder (as a database: .db)."""
MANIFEST = "MANIFEST.json"
_OF_A_RUN = (RUN, JOURNAL, GRADES, RESULT)
_NO_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Contents:
    """What an export holds, or what was looked at: numbers of runs, calls, executions, and of texts redacted."""

    runs: int
    calls: int
    executions: int
    redacted: int = 0

    def __str__(self) -> str:
        text = f"{self.runs} runs, {self.calls} calls, {self.executions} executions"
        return f"{text}; secrets were redacted in {self.redacted} texts" if self.redacted else text


class EntryLine(TypedDict):
    """A line of a member that holds entries: an `Entry` with its key; its bytes lie in `artefacts/`, by digest."""

    key: str
    fields: Json
    value: Json
    blobs: dict[str, str]


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
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as file:
            counts = _Writer(file, redactor, study, folders).write(
                {
                    CALLS: find_store(study, "cassette", cassette),
                    EXECUTIONS: find_store(study, "executions", executions),
                }
            )
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return Contents(len(folders), counts[CALLS], counts[EXECUTIONS], redactor.found)


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
            for path in sorted((folder / "blobs").iterdir()) if (folder / "blobs").is_dir() else ():
                digest = hashlib.sha256(self._redactor.raw(path.read_bytes())).hexdigest()
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
        for folder in self._folders:
            for name in _OF_A_RUN:
                files[f"{folder.relative_to(self._study).as_posix()}/{name}"] = folder / name
        for name, path in sorted(files.items()):
            if path.exists():
                self._member(f"study/{name}", [self._content(name, path)])

    def _content(self, name: str, path: Path) -> bytes:
        data = path.read_bytes()
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


# import


def unpack(path: Path, study: Path, form: str = "sqlite") -> Contents:
    """Make a study's folder from an export, after all of it was checked.

    Args:
        path: the exported file.
        study: the folder; it must not be there yet, or be empty.
        form: of its stores.

    Raises:
        ConfigError: the file is no export, or damaged, or the folder is not empty.
    """
    if study.exists() and (not study.is_dir() or any(study.iterdir())):
        raise ConfigError(f"{study} is not empty; name a folder that is not there yet")
    with opened(path) as file:
        sums = checked(file, path)
        temporary = study.with_name(f".{study.name}.{os.getpid()}")
        make_private(temporary)
        try:
            for name in sums:
                if name.startswith("study/"):
                    place = temporary / name.removeprefix("study/")
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(file.read(name))
            counts = {m: _restore(file, m, temporary, form) for m in STORES if m in sums}
            if study.exists():
                study.rmdir()
            temporary.rename(study)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return Contents(len(list(run_folders(study))), counts.get(CALLS, 0), counts.get(EXECUTIONS, 0))


def _restore(file: zipfile.ZipFile, member: str, study: Path, form: str) -> int:
    """Put the entries of a member into their store; returns how many there are."""
    count = 0
    name = STORES[member]
    with closing(open_store(study / (f"{name}.db" if form == "sqlite" else name), form)) as store:
        for line in lines_of(file, member):
            blobs = {name: file.read(f"artefacts/{digest}") for name, digest in line["blobs"].items()}
            entry = Entry(line["fields"], line["value"], blobs)
            store.put(entry, near_of(entry.fields))
            count += "address" in entry.fields
    return count


def opened(path: Path) -> zipfile.ZipFile:
    """The file of an export.

    Raises:
        ConfigError: it is none.
    """
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as e:
        raise ConfigError(f"{path}: no export of a study ({e})") from None


def checked(file: zipfile.ZipFile, path: Path) -> dict[str, str]:
    """The checksums of all members, each found right.

    Raises:
        ConfigError: one is missing, damaged, not in the manifest, or would be written outside of the study's folder.
    """
    try:
        manifest = json.loads(file.read(MANIFEST))
        sums: dict[str, str] = manifest["files"]
        if manifest["format"] != FORMAT:
            raise ConfigError(f"{path}: an export of format {manifest['format']}; this version reads format {FORMAT}")
        extra = sorted({*file.namelist()} ^ {*sums, MANIFEST})
        if extra:
            raise ConfigError(f"{path}: {extra[0]} is not both in the manifest and in the file; get the file again")
        for name, expected in sums.items():
            parts = name.split("/")
            if parts[0] not in ("study", "artefacts", *STORES) or any(p in ("", ".", "..") for p in parts):
                raise ConfigError(f"{path}: {name!r} is no member of an export")
            digest = hashlib.sha256()
            with file.open(name) as member:
                while chunk := member.read(1 << 20):
                    digest.update(chunk)
            if digest.hexdigest() != expected:
                raise ConfigError(f"{path}: {name} is damaged; get the file again")
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as e:
        raise ConfigError(f"{path}: no export of a study, or a damaged one ({e}); get the file again") from None
    return sums


def lines_of(file: zipfile.ZipFile, member: str) -> Iterator[EntryLine]:
    """The entries of a member, as they stand there."""
    with file.open(member) as lines:
        for line in lines:
            found: EntryLine = json.loads(line)
            yield found
