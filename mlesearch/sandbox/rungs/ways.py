"""Whom root's programs run as on the rung `local`, and which closed folders lie on the way to what they need."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlesearch.sandbox.environment import within
from mlesearch.types import SandboxUnavailable

_FIRST_ID, _IDS = 50_000, 15_000


def lent_user(slot: Path) -> int:
    """A user that owns nothing, drawn by the random name of a slot's folder: two programs hardly ever share one."""
    return _FIRST_ID + int(slot.name, 16) % _IDS


@dataclass(frozen=True, slots=True)
class Ways:
    """What is to be opened in a program's mount namespace.

    Attributes:
        closed: folders that a user who owns nothing can't pass, none in another one.
        needed: what lies below them and must be reached.
        links: (target, path) of symbolic links below them that lead there.
    """

    closed: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()

    def as_request(self) -> dict[str, Any]:
        """For a supervisor."""
        return {"closed": list(self.closed), "needed": list(self.needed), "links": [list(link) for link in self.links]}


def look(must: Sequence[str], may: Iterable[str], links: Sequence[tuple[str, str]]) -> Ways:
    """The ways to some paths.

    Args:
        must: paths without links that programs can't do without.
        may: likewise, that they can.
        links: (target, path) of symbolic links on the way there.

    Raises:
        SandboxUnavailable: the first kind can itself be read by its owner alone.
    """
    for path in must:
        if not _readable(path):
            raise SandboxUnavailable(
                f"sandbox local: programs of root run as another user, who can't read {path}; open it with: chmod -R "
                f"a+rX {path}, or start mlesearch as an ordinary user"
            )
    closed: set[str] = set()
    behind: set[str] = set()
    for path in (*must, *may):
        passage = _closed_above(path)
        if passage:
            closed.add(passage)
            behind.add(path)
    needed = sorted(path for path in behind if not any(within(path, other) and path != other for other in behind))
    leading = tuple((target, path) for target, path in links if any(within(path, folder) for folder in closed))
    return Ways(tuple(sorted(closed)), tuple(needed), leading)


def _closed_above(path: str) -> str:
    """The topmost folder above a path that others may not pass, or nothing."""
    for parent in reversed(Path(path).parents):
        if os.stat(parent).st_mode & 0o001 == 0:
            return str(parent)
    return ""


def _readable(path: str) -> bool:
    mode = os.stat(path).st_mode
    wanted = 0o005 if stat.S_ISDIR(mode) else 0o004
    return mode & wanted == wanted


def refuse(ways: Ways) -> SandboxUnavailable:
    """What is said where no mount namespace is allowed, so that the ways can't be opened."""
    folder = ways.closed[0]
    behind = next(path for path in ways.needed if within(path, folder))
    return SandboxUnavailable(
        f"sandbox local: programs of root run as another user, who can't pass {folder}, and {behind} lies there; let "
        f"others pass with: chmod o+x {folder}, or start mlesearch as an ordinary user"
    )
