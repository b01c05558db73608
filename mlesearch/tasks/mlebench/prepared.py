"""Where prepared competitions lie, and what of one is there.

<data>/<competition>/prepared/public     what an agent may see
<data>/<competition>/prepared/private    answers
<data>/<competition>/mlesearch           what is kept beside: digests, and a public folder made ready for programs
"""

from __future__ import annotations

import enum
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlesearch.tasks.files import caches
from mlesearch.tasks.mlebench.facts import Facts
from mlesearch.types import ConfigError

DATA_DIR_VARIABLE = "MLEBENCH_DATA_DIR"
KEPT = "mlesearch"


class State(enum.StrEnum):
    """What of a competition is there."""

    PREPARED = "prepared"
    UNPREPARED = "unprepared"
    DAMAGED = "damaged"  # parts of it


@dataclass(frozen=True, slots=True)
class Prepared:
    """One competition in a data folder, whether it is there or not.

    Attributes:
        facts: of the competition.
        folder: its own in the data folder.
        state: whether it can be used.
        problem: why it can't; empty where it can.
    """

    facts: Facts
    folder: Path
    state: State
    problem: str = ""

    @property
    def public(self) -> Path:
        """What an agent may see."""
        return self.folder / "prepared" / "public"

    @property
    def private(self) -> Path:
        """The folder of the answers."""
        return self.folder / "prepared" / "private"

    @property
    def sample(self) -> Path:
        """The sample submission."""
        return self.folder / "prepared" / self.facts.sample

    @property
    def answers(self) -> Path:
        """The answers."""
        return self.folder / "prepared" / self.facts.answers

    @property
    def gold(self) -> Path:
        """A perfect submission."""
        return self.folder / "prepared" / self.facts.gold


def data_folder(given: str | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that holds prepared competitions.

    Args:
        given: the setting `mlebench.data_dir`; else the environment variable `MLEBENCH_DATA_DIR`, else MLE-bench's own
            default in the user's folder of caches.
        environ: of this process.
    """
    named = given or environ.get(DATA_DIR_VARIABLE)
    if named:
        return Path(os.path.abspath(Path(named).expanduser()))
    return caches(environ) / "mle-bench" / "data"


def look(data: Path, facts: Facts) -> Prepared:
    """What of a competition is in a data folder; no file is read.

    Args:
        data: the folder of all competitions.
        facts: of the competition.
    """
    found = Prepared(facts, data / facts.id, State.PREPARED)
    if not (found.folder / "prepared").is_dir():
        return Prepared(facts, found.folder, State.UNPREPARED, "it is not prepared")
    wrong = _problem(found)
    return Prepared(facts, found.folder, State.DAMAGED, wrong) if wrong else found


def _problem(found: Prepared) -> str:
    for folder, what in ((found.public, "public data"), (found.private, "answers")):
        if not folder.is_dir() or not any(folder.iterdir()):
            return f"prepared half: no {what} in {folder}"
    for path, what in ((found.answers, "file of answers"), (found.sample, "sample submission")):
        if not path.is_file():
            return f"prepared half: no {what} at {path}"
    return ""


def need(found: Prepared) -> Prepared:
    """A competition that can be used.

    Raises:
        ConfigError: it is not prepared, or only half; says what to do.
    """
    if found.state is State.PREPARED:
        return found
    raise ConfigError(f"mlebench:{found.facts.id}: {found.problem} in {found.folder.parent}; {how_to(found.facts)}")


def how_to(facts: Facts) -> str:
    """What a user does to have a competition prepared."""
    page = f"kaggle.com/c/{facts.id}/rules"
    command = f"mlesearch mlebench prepare {facts.id}"
    if facts.rules_open is False:
        return (
            f"its rules can't be accepted by new accounts ({page}): with the data from elsewhere, {command} --from "
            "ZIP; the suite mlebench:lite-open leaves such competitions out"
        )
    return f"accept its rules at {page}, then: {command}"


def kept_folder(found: Prepared, environ: Mapping[str, str] = os.environ) -> Path:
    """Where what is made of a competition is kept: beside it, or in the user's folder of caches where that can't be.

    Made where it is absent.
    """
    beside = found.folder / KEPT
    try:
        beside.mkdir(exist_ok=True)
        if os.access(beside, os.W_OK):
            return beside
    except OSError:
        pass
    place = hashlib.sha256(os.fsencode(found.folder.resolve())).hexdigest()[:16]
    folder = caches(environ) / "mlesearch" / "mlebench" / f"{found.facts.id}-{place}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
