"""Digests of a competition's files, each made once and kept by size and time of change, not at each load."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from mlesearch.tasks.files import is_litter
from mlesearch.tasks.mlebench.archives import is_archive, zip_contents

KEPT_DIGESTS = "digests.json"
CHECKSUMMED = (".csv", ".json", ".jsonl", ".parquet", ".bson")
"""Of these files in the public and the private folder, MLE-bench records md5s."""


class Digests:
    """Digests of files, kept in one file beside the data.

    Another process may write it meanwhile: it is replaced as a whole, and what it lacks is made again.
    """

    def __init__(self, folder: Path) -> None:
        """Read what was kept.

        Args:
            folder: where it is kept.
        """
        self._path = folder / KEPT_DIGESTS
        self._known: dict[str, list[object]] = {}
        self._changed = False
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                self._known = {key: value for key, value in found.items() if isinstance(value, list)}

    def of(self, path: Path, kind: str) -> str:
        """The digest of a file.

        Args:
            path: of the file.
            kind: md5, as MLE-bench records it, or sha256.
        """
        status = path.stat()
        key, stamp = f"{kind} {path.name} {path.parent.name}", [status.st_size, status.st_mtime_ns, status.st_ino]
        known = self._known.get(key)
        if known is not None and known[:3] == stamp and isinstance(known[3], str):
            return known[3]
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
        self._known[key] = [*stamp, digest]
        self._changed = True
        return digest

    def keep(self) -> None:
        """Write what is new; where that can't be, it is made again next time."""
        if not self._changed:
            return
        with contextlib.suppress(OSError):
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{KEPT_DIGESTS}")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self._known, file, indent=0, sort_keys=True)
            Path(name).replace(self._path)
            self._changed = False


def public_lines(folder: Path, digests: Digests) -> list[str]:
    """What a version says of a public folder, sorted: md5s of tables, what archives hold, names and sizes of the rest.

    What lies in its folders is not looked at: they hold up to hundreds of thousands of files, of which MLE-bench
    records nothing either.
    """
    lines = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_litter(entry.name) or entry.name == "description.md":
                continue
            path = folder / entry.name
            if entry.is_dir():
                lines.append(f"folder {entry.name}")
            elif entry.name.endswith(CHECKSUMMED):
                lines.append(f"md5 {entry.name} {digests.of(path, 'md5')}")
            elif is_archive(entry.name):
                lines.append(f"archive {entry.name} {_line_digest(map(str, zip_contents(path)))}")
            else:
                lines.append(f"file {entry.name} {entry.stat().st_size}")
    return sorted(lines)


def _line_digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()


def mismatches(folder: Path, recorded: Mapping[str, str], digests: Digests) -> list[str]:
    """Names of a folder's files that are missing or differ from the md5s that MLE-bench records for it."""
    wrong = [name for name in recorded if not (folder / name).is_file()]
    present = (name for name in recorded if name not in wrong)
    return sorted([*wrong, *(name for name in present if digests.of(folder / name, "md5") != recorded[name])])
