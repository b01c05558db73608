"""A copy of a task's public folder in which some files are written anew; all others are linked where that can be."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from mlesearch.tasks.files import is_litter


def copy_public(source: Path, target: Path, leave_out: Collection[str]) -> None:
    """Copy a public folder.

    Args:
        source: the task's public folder.
        target: does not exist yet; readable by every user, since programs may run as another one.
        leave_out: names in the folder itself that are left out, to be written anew.
    """
    shutil.copytree(source, target, copy_function=_link, ignore=_left_out(source, set(leave_out)))
    target.chmod(0o755)


def _left_out(root: Path, left_out: set[str]) -> Callable[[str, list[str]], set[str]]:
    """What `copytree` leaves out: litter, and in the folder itself, not in those below it, what is written anew."""

    def ignore(folder: str, names: list[str]) -> set[str]:
        litter = {name for name in names if is_litter(name)}
        return litter | (left_out & set(names) if Path(folder) == root else set())

    return ignore


def _link(source: str, target: str) -> None:
    """A hard link where the file system allows one: the other files of a task may be large."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
