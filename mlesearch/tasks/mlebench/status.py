"""How competitions stand: what is prepared, verified, and graded by what."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlesearch.tasks.mlebench.competition import recorded_sums, wrong_sums
from mlesearch.tasks.mlebench.digests import Digests
from mlesearch.tasks.mlebench.facts import Facts, facts
from mlesearch.tasks.mlebench.official import REAL_BOARD, OfficialCompetition
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.tasks.mlebench.prepared import Prepared, State, kept_folder, look
from mlesearch.types import MlesearchError


@dataclass(frozen=True, slots=True)
class CompetitionStatus:
    """One competition.

    Attributes:
        facts: of it.
        state: whether it is prepared.
        checksums: verified, differ, none (MLE-bench records none), or empty where it is not prepared or not known.
        size_bytes: of what is prepared.
        board: real, or table; empty where it is not known.
        grader: loads, or why it does not; empty where it is not known.
    """

    facts: Facts
    state: State
    checksums: str = ""
    size_bytes: int = 0
    board: str = ""
    grader: str = ""


def status(data: Path, ids: Sequence[str], graders: GraderPool | None) -> Iterator[CompetitionStatus]:
    """How competitions stand, one after the other; the first time the tables of a prepared one are read for this.

    Args:
        data: folder of all competitions.
        ids: of which.
        graders: of the interpreter that has MLE-bench; None where there is none.
    """
    for id in ids:
        found = look(data, facts(id))
        package, grader = _package(id, graders)
        prepared = found.state is State.PREPARED
        yield CompetitionStatus(
            found.facts,
            found.state,
            _checksums(found, package) if prepared and package is not None else "",
            _size(found.folder / "prepared") if prepared else 0,
            "" if package is None else "real" if package.board == REAL_BOARD else "table",
            grader,
        )


def _package(id: str, graders: GraderPool | None) -> tuple[OfficialCompetition | None, str]:
    if graders is None:
        return None, ""
    try:
        return graders.describe(id), "loads"
    except MlesearchError as error:
        return None, str(error)


def _checksums(found: Prepared, package: OfficialCompetition) -> str:
    recorded = recorded_sums(package.checksums)
    if not any(recorded.get(name) for name in ("public", "private")):
        return "none"
    digests = Digests(kept_folder(found))
    wrong = list(wrong_sums(found, recorded, digests))
    digests.keep()
    return "differ" if wrong else "verified"


def _size(folder: Path) -> int:
    total, waiting = 0, [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total
