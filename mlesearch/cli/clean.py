"""`mlesearch clean`: removes of a study what can be made again, once the user agrees."""

from __future__ import annotations

import sys
from pathlib import Path

from mlesearch.cli.show_study import find_study_to_change
from mlesearch.cli.terminal import shown, table
from mlesearch.study.clean import removable, remove
from mlesearch.study.output import complain, say
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
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError("clean: there is no terminal to ask at; add --yes to remove this")
        complain("remove it? [y/N]", end=" ")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            complain("nothing was removed")
            return 1
    remove(kinds)
    say(f"removed; results, journals and stores of {shown(study)} are as they were")
    return 0
