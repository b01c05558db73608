"""From settings to competitions of MLE-bench: names and suites expanded, what is missing refused or left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from mlesearch.config.settings import MLEBENCH, Settings
from mlesearch.tasks.mlebench.facts import facts
from mlesearch.tasks.mlebench.interpreter import find_python
from mlesearch.tasks.mlebench.names import asked, competition_of, expanded
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.tasks.mlebench.preflight import check_once
from mlesearch.tasks.mlebench.prepared import State, data_folder, look
from mlesearch.tasks.mlebench.terms import MlebenchTerms
from mlesearch.tasks.mlebench.twice import fallback_line
from mlesearch.tasks.protocol import Modality
from mlesearch.types import ConfigError, Level


@dataclass(frozen=True, slots=True)
class GraderRequest:
    """Graders of competitions: in which interpreter, of which data, and within which bounds."""

    python: Path
    data_dir: Path
    timeout_s: float
    memory_gib: float

    @classmethod
    def of(cls, terms: MlebenchTerms) -> GraderRequest:
        """What these terms come to.

        Raises:
            ConfigError: there is no interpreter with MLE-bench.
        """
        python, data = find_python(terms.python), data_folder(terms.data_dir)
        return cls(python, data, terms.grade_timeout_s, terms.grade_memory_gib)

    def open(self) -> GraderPool:
        """The graders; none is started yet."""
        return GraderPool(self.python, self.data_dir, timeout_s=self.timeout_s, memory_gib=self.memory_gib)


class GraderSource(Protocol):
    """What hands out graders."""

    def graders(self, terms: MlebenchTerms) -> GraderPool:
        """Those of these terms."""
        ...


HEAVY_MEMORY_GIB = 8.0
"""Programs with less memory for pictures or recordings are warned about."""
SHOWN = 8
"""So many competitions are named, where more are missing."""


def mlebench_terms(s: Settings) -> MlebenchTerms:
    """The terms on which a cell uses competitions; a server of validity is of ungraded tasks."""
    return MlebenchTerms(**{key: value for key, value in asdict(s.mlebench).items() if key != "validate_url"})


def with_competitions(s: Settings) -> Settings:
    """A cell with suites replaced by the competitions that they stand for; unchanged where it names none of MLE-bench.

    Raises:
        ConfigError: an unknown competition, suite or word of a setting; or a suite of which some are not prepared.
    """
    if not any(name.startswith(MLEBENCH) for name in s.tasks):
        return s
    terms = mlebench_terms(s)
    terms.check()
    found: list[str] = []
    for name in s.tasks:
        ids = asked(name) if name.startswith(MLEBENCH) else ()
        if len(ids) > 1:
            found += [f"{MLEBENCH}{id}" for id in _there(name, ids, terms)]
        else:
            found += expanded([name])
    suites = [name for name in s.tasks if name.startswith(MLEBENCH) and len(asked(name)) > 1]
    return replace(s, tasks=list(dict.fromkeys(found)) if suites else found)


def check_competitions(cells: Sequence[Settings], resources: GraderSource) -> list[str]:
    """The preflight of the competitions of a launch, each once a version; and what of these runs is worth a warning.

    Args:
        cells: of the launch, suites expanded.
        resources: of this process.

    Returns:
        Warnings, one line each.

    Raises:
        ConfigError: a competition does not pass; nothing was spent yet.
        GraderUnavailable: a grader can't be run.
    """
    said: dict[str, None] = {}
    for s in cells:
        terms = mlebench_terms(s)
        for id in filter(None, map(competition_of, s.tasks)):
            for finding in check_once(id, terms, resources.graders(terms)):
                if finding.level is Level.ERROR:
                    raise ConfigError(
                        f"{MLEBENCH}{id} does not pass its preflight ({finding.subject}): {finding.text}; all of it: "
                        f"mlesearch mlebench check {id}"
                    )
                if finding.level is Level.WARNING:
                    said[f"{MLEBENCH}{id}: {finding.text}"] = None
            if fallback := fallback_line(id, terms):
                said[f"{MLEBENCH}{id}: {fallback}"] = None
            said |= dict.fromkeys(_about_sandbox(s, id))
    return list(said)


def _about_sandbox(s: Settings, id: str) -> list[str]:
    """What of a sandbox makes runs on a competition fail, or no equal of those on its board."""
    known, found = facts(id), []
    if known.modality is Modality.TABULAR or s.sandbox.exec_store == "replay":
        return []
    heavy = known.modality in (Modality.IMAGE, Modality.AUDIO)
    if heavy and s.sandbox.kind == "local":
        found.append("sandbox=local has no shared memory, so workers of a torch DataLoader fail; use another rung")
    if heavy and s.sandbox.memory_gib < HEAVY_MEMORY_GIB:
        found.append(f"sandbox.memory_gib={s.sandbox.memory_gib:g} is little for {known.modality.value} data")
    if s.sandbox.weights is None:
        found.append(
            "without sandbox.weights and without network there are no pretrained models: not equal to the board"
        )
    return [f"{MLEBENCH}{id}: {text}" for text in found]


def _there(name: str, ids: Sequence[str], terms: MlebenchTerms) -> list[str]:
    """The competitions of a suite that are prepared.

    Raises:
        ConfigError: some are not, and they are not to be skipped; or none is.
    """
    data = data_folder(terms.data_dir)
    states = {id: look(data, facts(id)).state for id in ids}
    there = [id for id, state in states.items() if state is State.PREPARED]
    lacking = [id for id in ids if id not in there]
    if not lacking or (there and terms.missing == "skip"):
        return there
    size = sum(facts(id).raw_gb or 0.0 for id in lacking)
    shown = ", ".join(lacking[:SHOWN]) + (f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else "")
    skip = "" if not there else ", or leave them out with mlebench.missing=skip"
    raise ConfigError(
        f"{name}: {len(lacking)} of {len(ids)} competitions are not prepared in {data} ({size:,.1f} GB to download): "
        f"{shown}; prepare them with `mlesearch mlebench prepare {name.removeprefix(MLEBENCH)}`{skip}"
    )
