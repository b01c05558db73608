"""`mlesearch clean`: removes of a study what can be made again, or packs its finished runs, once the user agrees."""

from __future__ import annotations

import sys
from pathlib import Path

from mlesearch.cli.show_study import find_study_to_change
from mlesearch.cli.terminal import shell_words, shown, table
from mlesearch.study.clean import removable, remove
from mlesearch.study.output import complain, say
from mlesearch.study.pack import FilesOnDisk, pack, packable, packed, unpack
from mlesearch.types import ConfigError


def clean(folder: Path, *, yes: bool) -> int:
    """Say what can be removed, ask, and remove it; returns 1 where the user did not agree.

    Args:
        folder: of the study, or within it.
        yes: the user has agreed beforehand.

    Raises:
        ConfigError: there is no study here, workers are at work on it, or there is no terminal to ask at.
        OSError: something can't be removed.
    """
    study = find_study_to_change(folder)
    kinds = removable(study)
    if not kinds:
        say(f"{shown(study)}: nothing to remove; results, journals and stores are never removed")
        return 0
    table([{"what": k.what, "files": f"{k.files:,}", "MB": f"{k.size_bytes / 1e6:,.1f}"} for k in kinds])
    if not yes and not _agreed("remove it"):
        complain("nothing was removed")
        return 1
    remove(kinds)
    say(f"removed; results, journals and stores of {shown(study)} are as they were")
    return 0


def pack_runs(folder: Path, *, yes: bool) -> int:
    """Say which runs can be packed, ask, and pack them; returns 1 where the user did not agree.

    Args:
        folder: of the study, or within it.
        yes: the user has agreed beforehand.

    Raises:
        ConfigError: there is no study here, workers are at work on it, or there is no terminal to ask at.
        StoreError: a pack is damaged.
        OSError: the disk fails, or is full; whatever was not packed is where it was.
    """
    study = find_study_to_change(folder)
    found = packable(study)
    for why, runs in found.stay.items():
        say(f"{_runs(runs)} {why}: left as {'it is' if runs == 1 else 'they are'}")
    if not found.runs:
        say(f"{shown(study)}: nothing to pack")
        return 0
    cells = len(found.cells)
    table([_line(f"{_runs(found.runs)} of {cells} cell{'' if cells == 1 else 's'}, now", found.before)])
    if not yes and not _agreed("pack them, one file a cell"):
        complain("nothing was packed")
        return 1
    after = pack(study, found)
    table([_line("before", found.before), _line("packed", after)])
    back = shell_words("clean", study, "--unpack")
    say(f"packed; all commands read them where they are, and {back} puts them back into folders")
    return 0


def unpack_runs(folder: Path, *, yes: bool) -> int:
    """Put packed runs back into folders of their own, once the user agrees; returns 1 where the user did not.

    Args:
        folder: of the study, or within it.
        yes: the user has agreed beforehand.

    Raises:
        ConfigError: there is no study here, workers are at work on it, there is no terminal to ask at, or no room.
        StoreError: a pack is damaged.
        OSError: the disk fails, or is full; the packs are where they were.
    """
    study = find_study_to_change(folder)
    runs = packed(study)
    if not runs:
        say(f"{shown(study)}: nothing is packed")
        return 0
    if not yes and not _agreed(f"put {_runs(runs)} back into folders"):
        complain("nothing was unpacked")
        return 1
    say(f"{_runs(unpack(study))} unpacked")
    return 0


def _agreed(what: str) -> bool:
    if not sys.stdin.isatty():
        raise ConfigError("clean: there is no terminal to ask at; add --yes to agree beforehand")
    complain(f"{what}? [y/N]", end=" ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _runs(number: int) -> str:
    return f"{number:,} run{'' if number == 1 else 's'}"


def _line(what: str, taken: FilesOnDisk) -> dict[str, str]:
    return {"runs": what, "files": f"{taken.files:,}", "MB": f"{taken.size_bytes / 1e6:,.1f}"}
