"""The preflight of a launch's tasks, before money is spent: an error refuses the launch, a warning is told once.

What a preflight found is kept in the user's folder of caches by the task's version, which changes with the task's
files, and by the digest of the code that checks. Errors are not kept: a launch that was refused looks again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlesearch import tasks as tasks_package
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.parts.virtual import is_virtual
from mlesearch.config.planning.plan import StudyPlan
from mlesearch.config.settings import Settings
from mlesearch.config.settings.run import PREFLIGHTS
from mlesearch.storage.files import read_json, write_atomically
from mlesearch.tasks import files, metrics
from mlesearch.tasks.digests import HASHED_WHOLE_BYTES
from mlesearch.tasks.mlebench.names import competition_of
from mlesearch.tasks.protocol import Task
from mlesearch.types import ConfigError, Finding, Level, MlesearchError

REFUSE, _WARN, OFF = PREFLIGHTS


@dataclass(frozen=True, slots=True)
class TaskFinding:
    """A finding of a task's preflight, with the name by which the launch asks for the task."""

    task: str
    finding: Finding
    known: bool  # it was found by an earlier launch

    def __str__(self) -> str:
        return f"{self.task}: {self.finding}"


def preflight(planned: StudyPlan, resources: ProcessResources) -> list[TaskFinding]:
    """Check the tasks of a launch's new runs, each once; those of begun runs and of replays are not looked at.

    Competitions of MLE-bench have a preflight of their own, `mlebench.check_competitions`.

    Args:
        planned: the launch.
        resources: of this process, which hold the tasks.

    Returns:
        Warnings and errors, in the order of the tasks.
    """
    names = [r.task for r in planned.runs if planned.states[r.key] == "new" and _is_paid(r.settings)]
    own = [name for name in dict.fromkeys(names) if not competition_of(name)]
    return [found for name in own for found in _checked(name, resources.task(name))]


def refuse_faults(found: Iterable[TaskFinding], cells: Sequence[Settings]) -> None:
    """Refuse a launch whose tasks have faults, unless it is to be warned only.

    Args:
        found: by `preflight`; they have been shown.
        cells: of the launch.

    Raises:
        ConfigError: there are errors.
    """
    faulty = [f for f in found if f.finding.level is Level.ERROR]
    if faulty and any(s.run.preflight == REFUSE for s in cells):
        tasks = ", ".join(dict.fromkeys(f.task for f in faulty))
        faults = "1 error" if len(faulty) == 1 else f"{len(faulty)} errors"
        raise ConfigError(
            f"tasks: the preflight of {tasks} found {faults}, the first: {faulty[0].finding.text}; repair the task, or "
            "run it all the same with run.preflight=warn"
        )


def _is_paid(s: Settings) -> bool:
    return not is_virtual(s) and s.run.preflight != OFF and s.cassette != "replay" and s.sandbox.exec_store != "replay"


def _checked(name: str, task: Task) -> list[TaskFinding]:
    place = _folder() / f"{task.id}@{task.version}-{_digest(task)}.json" if _can_be_kept(task) else None
    kept = None if place is None else _read(place)
    if kept is not None:
        return [TaskFinding(name, finding, known=True) for finding in kept]
    from mlesearch.tasks.check import check  # it needs pandas, which a launch whose tasks are known does without

    told = [finding for finding in check(task) if finding.level is not Level.OK]
    if place is not None and all(finding.level is Level.WARNING for finding in told):
        _write(place, told)
    return [TaskFinding(name, finding, known=False) for finding in told]


def _can_be_kept(task: Task) -> bool:
    """Whether the task's version and our own code say all that its preflight depends on."""
    return task.grader is not None or task.metric in metrics.METRICS


def _digest(task: Task) -> str:
    """Of the code that checks, and of the times of those public files that enter the version by their size alone."""
    digest = hashlib.sha256()
    for path in sorted(Path(tasks_package.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    for path in files.files(task.public_dir):
        if (status := path.stat()).st_size > HASHED_WHOLE_BYTES:
            digest.update(f"{path}\0{status.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def _folder() -> Path:
    return files.caches() / "mlesearch" / "preflight"


def _read(place: Path) -> list[Finding] | None:
    try:
        return [Finding(Level.WARNING, str(subject), str(text)) for subject, text in read_json(place)["warnings"]]
    except (ConfigError, ValueError, KeyError, TypeError):  # not there, or cut off
        return None


def _write(place: Path, warnings: Sequence[Finding]) -> None:
    with suppress(OSError, MlesearchError):  # without a place for it, each launch looks again
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, json.dumps({"warnings": [[w.subject, w.text] for w in warnings]}), durable=False)
