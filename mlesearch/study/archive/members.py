"""What an export may hold: names by an allow-list, regular files alone, and bounds that are checked first of all.

An export comes from somebody else. Whatever it says of itself is checked before a byte of it is written: the directory
of the zip before it is read, every name, type and size in it, the sum of the sizes, how far it unpacks, and the sha256
of every member. Memory stays bounded meanwhile: members are streamed, and what is read whole has a bound of its own.
"""

from __future__ import annotations

import errno
import hashlib
import json
import re
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypedDict, TypeGuard

from mlesearch.storage.codec import Json
from mlesearch.types import ConfigError, MlesearchError, printable

FORMAT = 1
CALLS, EXECUTIONS = "calls.jsonl", "executions.jsonl"
STORES = {CALLS: "cassette", EXECUTIONS: "executions"}
"""Members that hold entries, and the name of the store each comes from, in the study's folder (as a database: .db)."""
MANIFEST = "MANIFEST.json"

MIB = 1 << 20
MAX_MEMBERS = 100_000
"""Of one export that is taken without `--trust`. What zipfile and the manifest keep of so many takes some 200 MB."""
MAX_DIRECTORY_BYTES = 48 * MIB
MAX_MANIFEST_BYTES = 32 * MIB
MAX_LINE_BYTES = 8 * MIB
"""Of an entry of a store: its reply or output, without the files that it left."""
MAX_TOTAL_BYTES = 64 << 30
MAX_RATIO, FREE_BYTES = 250, 64 * MIB
"""An export unpacks to at most so many times its own size, and so many bytes beside."""

_SLUG = r"(?!\.)[A-Za-z0-9._-]{1,200}"
_RUN = rf"study/(?:{_SLUG}/){{4}}seed--?[0-9]{{1,20}}"
_DIGEST = r"[0-9a-f]{64}"
_KINDS: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(pattern), most)
    for pattern, most in (
        (rf"artefacts/{_DIGEST}", 32 * MIB),
        (r"(?:calls|executions)\.jsonl", MAX_TOTAL_BYTES),
        (rf"{_RUN}/blobs/{_DIGEST}", 256 * MIB),
        (rf"{_RUN}/(?:journal|grades|official|official_validation)\.jsonl", 4 << 30),
        (rf"{_RUN}/(?:run|result|task)\.json", 4 * MIB),
        (r"study/study\.json", MIB),
        (r"study/launches\.jsonl", 64 * MIB),
        (rf"study/imported_results/{_SLUG}\.json", 64 * MIB),
    )
)
"""Every name that an export writes, and how large such a member may be."""

_END = struct.Struct("<4s4H2LH")
_END_MARK, _LOCATOR_MARK, _END64_MARK = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"


class EntryLine(TypedDict):
    """A line of a member that holds entries: an `Entry` with its key; its bytes lie in `artefacts/`, by digest."""

    key: str
    fields: Json
    value: Json
    blobs: dict[str, str]


@dataclass(frozen=True, slots=True)
class Archive:
    """An export that was found right.

    Attributes:
        path: of the file.
        file: opened.
        names: of all members but the manifest, sorted.
        total_bytes: of all members, unpacked.
        may_restore_bytes: how much may be made of it in all; several entries may have one file.
    """

    path: Path
    file: zipfile.ZipFile
    names: tuple[str, ...]
    total_bytes: int
    may_restore_bytes: int


@contextmanager
def opened(path: Path, *, trust: bool = False) -> Iterator[Archive]:
    """An export, after all of it was checked; a fault that shows only later is refused in the same words.

    Args:
        path: of the file.
        trust: whether its sizes are taken as they are; names, types and checksums never are.

    Raises:
        ConfigError: it is no export, or damaged, or holds what no export holds, or is too large; in one line.
    """
    with refusing(path):
        _check_directory(path, trust)
        with path.open("rb") as handle, zipfile.ZipFile(handle) as file:
            sizes = _members(file, path, trust)
            total = sum(sizes.values())
            most = MAX_RATIO * path.stat().st_size + FREE_BYTES
            if not trust and total > min(most, MAX_TOTAL_BYTES):
                raise _too_large(path, f"it would unpack to {total:,} bytes")
            _check_sums(file, path, sizes)
            names = tuple(sorted(sizes.keys() - {MANIFEST}))
            yield Archive(path, file, names, total, 1 << 62 if trust else most)


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Whatever a file from elsewhere makes go wrong is one line about it; what this machine makes go wrong is not.

    Raises:
        ConfigError: says what was wrong.
    """
    try:
        yield
    except MlesearchError:
        raise
    except OSError as error:
        if error.errno in (None, errno.EINVAL) or error.filename == str(path):
            raise _no_export(path, error) from None
        raise
    except Exception as error:
        raise _no_export(path, error) from None


def _no_export(path: Path, error: Exception) -> ConfigError:
    words = printable(" ".join(f"{type(error).__name__}: {error}".split()))[:200]
    return ConfigError(f"{path}: no export of a study, or a damaged one ({words}); get the file again")


def _too_large(path: Path, what: str) -> ConfigError:
    return ConfigError(
        f"{path}: {what}, more than is taken of a stranger; where you know who made it, --trust takes it as it is"
    )


def _check_directory(path: Path, trust: bool) -> None:
    """Refuse a zip whose directory is too large to be read, from its last bytes."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - (1 << 16) - _END.size - 20))
        tail = file.read()
        at = tail.rfind(_END_MARK)
        if at < 0 or len(tail) - at < _END.size:
            raise ValueError("it is no zip file")
        _, _, _, _, members, directory, _, _ = _END.unpack_from(tail, at)
        members, directory = _zip64(file, tail, at) or (members, directory)
    if not trust and (members > MAX_MEMBERS + 1 or directory > MAX_DIRECTORY_BYTES):
        raise _too_large(path, f"a directory of {members:,} members")


def _zip64(file: BinaryIO, tail: bytes, at: int) -> tuple[int, int] | None:
    """Members and bytes of the directory by the larger form of its end; None where there is none."""
    if at < 20 or tail[at - 20 : at - 16] != _LOCATOR_MARK:
        return None
    file.seek(int.from_bytes(tail[at - 12 : at - 4], "little"))
    record = file.read(56)
    if record[:4] != _END64_MARK or len(record) < 56:
        raise ValueError("the end of its directory is damaged")
    return int.from_bytes(record[32:40], "little"), int.from_bytes(record[40:48], "little")


def _members(file: zipfile.ZipFile, path: Path, trust: bool) -> dict[str, int]:
    """The sizes of all members by name, each of which is one that an export writes."""
    sizes: dict[str, int] = {}
    for info in file.infolist():
        name = info.filename
        most = MAX_MANIFEST_BYTES if name == MANIFEST else _most_bytes(name)
        if most is None or info.orig_filename != name:
            raise ConfigError(f"{path}: {printable(name)[:200]!r} is no member of an export")
        if name in sizes:
            raise ConfigError(f"{path}: {name!r} stands in it twice; get the file again")
        kind = info.external_attr >> 16
        if (stat.S_IFMT(kind) not in (0, stat.S_IFREG)) or info.is_dir() or info.external_attr & 0x10:
            raise ConfigError(f"{path}: {name!r} is no regular file; an export has nothing else")
        if info.flag_bits & 0x1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ConfigError(f"{path}: {name!r} is encrypted, or compressed in a way that an export does not use")
        if info.file_size > most and not trust:
            raise _too_large(path, f"{name!r} has {info.file_size:,} bytes")
        sizes[name] = info.file_size
    if MANIFEST not in sizes:
        raise ValueError(f"there is no {MANIFEST} in it")
    return sizes


def _most_bytes(name: str) -> int | None:
    """How large a member of this name may be; None where an export has no such name."""
    return next((most for pattern, most in _KINDS if pattern.fullmatch(name)), None)


def _check_sums(file: zipfile.ZipFile, path: Path, sizes: dict[str, int]) -> None:
    """Refuse what differs from the manifest."""
    sums = _manifest(file, path, len(sizes))
    extra = sorted(sizes.keys() ^ {*sums, MANIFEST})
    if extra:
        name = printable(str(extra[0]))[:200]
        raise ConfigError(f"{path}: {name} is not both in the manifest and in the file; get the file again")
    for name, expected in sums.items():
        digest = hashlib.sha256()
        for chunk in chunks(file, name):
            digest.update(chunk)
        if digest.hexdigest() != expected:
            raise ConfigError(f"{path}: {name} is damaged; get the file again")


def _manifest(file: zipfile.ZipFile, path: Path, members: int) -> dict[str, str]:
    """The checksums that an export of so many members says it has."""
    data = file.read(MANIFEST)
    if data.count(b"{") + data.count(b"[") > 2 or data.count(b'"') > 4 * members + 20:
        raise ValueError(f"its {MANIFEST} is none")
    manifest = json.loads(data)
    if manifest["format"] != FORMAT:
        shown = printable(str(manifest["format"]))[:40]
        raise ConfigError(f"{path}: an export of format {shown}; this version reads format {FORMAT}")
    sums: dict[str, str] = manifest["files"]
    if not all(isinstance(digest, str) for digest in sums.values()):
        raise ValueError(f"its {MANIFEST} is none")
    return sums


def chunks(file: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """The content of a member, piece by piece."""
    with file.open(name) as member:
        while chunk := member.read(MIB):
            yield chunk


def lines_of(archive: Archive, member: str) -> Iterator[EntryLine]:
    """The entries of a member, as they stand there.

    Raises:
        ConfigError: a line is longer than an entry can be.
        ValueError: a line holds something else.
    """
    with archive.file.open(member) as lines:
        while line := lines.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                raise ConfigError(f"{archive.path}: {member} has a line of more than {MAX_LINE_BYTES:,} bytes")
            found = json.loads(line)
            if not _is_entry(found):
                raise ValueError(f"{member} holds a line that is no entry")
            yield found


def _is_entry(found: object) -> TypeGuard[EntryLine]:
    if not (isinstance(found, dict) and found.keys() >= {"key", "fields", "value", "blobs"}):
        return False
    return all(isinstance(found[part], dict) for part in ("fields", "value", "blobs"))
