"""What one run left behind, by proposal: its journal folded once, and its grades."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, assert_never

from mlesearch.storage.codec import usage_from_json
from mlesearch.storage.documents import GradeLine, OfficialLine, finished_row, read_grades, read_official
from mlesearch.storage.events import (
    Asked,
    CallEvent,
    Ended,
    Event,
    Executed,
    FullRan,
    Header,
    Revalidated,
    SampleRan,
    Told,
)
from mlesearch.storage.journal import JOURNAL, begun, read
from mlesearch.types import MICROSECONDS, PROGRAM_OPS, ConfigError, MlesearchError, Usage

PROGRAMS = frozenset(op.value for op in PROGRAM_OPS)
"""Operators whose proposals are programs, as events name them."""


@dataclass
class FoldedRun:
    """A run's journal and grades, by proposal.

    Attributes:
        folder: of the run.
        header: of its journal.
        grades: test grades of its valid nodes.
        asked: what was proposed, in the order of asking.
        calls: what models and embedders answered, in the order of completion.
        sample_runs: trial runs of programs on a sample that ended.
        executed: programs that ended, on the full data.
        revalidated: reruns on fresh splits.
        full_runs: of chosen programs on the full data, where the search sees a part of it.
        told: outcomes, in the order of telling.
        verdicts: the latest of each node; void stays void.
        ended: how the run ended; None before.
        charged_us: charged time, microseconds.
        real_us: wall-clock time of all its processes, microseconds.
        official: reports of MLE-bench's own grader, by the sha256 of the submission.
    """

    folder: Path
    header: Header
    grades: dict[int, GradeLine]
    asked: dict[int, Asked] = field(default_factory=dict)
    calls: list[CallEvent] = field(default_factory=list)
    sample_runs: dict[int, SampleRan] = field(default_factory=dict)
    executed: dict[int, Executed] = field(default_factory=dict)
    revalidated: list[Revalidated] = field(default_factory=list)
    full_runs: list[FullRan] = field(default_factory=list)
    told: dict[int, Told] = field(default_factory=dict)
    verdicts: dict[int, str] = field(default_factory=dict)
    ended: Ended | None = None
    charged_us: int = 0
    real_us: int = 0
    official: dict[str, OfficialLine] = field(default_factory=dict)

    def seconds(self, duration: Literal["wall_us", "cpu_us", "gpu_us", "gpu_wait_us"]) -> float:
        """A duration of all its executions, trial runs and reruns included."""
        ran = (*self.sample_runs.values(), *self.executed.values(), *self.revalidated, *self.full_runs)
        return sum(e["result"].get(duration, 0) for e in ran) / MICROSECONDS

    @cached_property
    def usages(self) -> list[Usage]:
        """What each call used, in the order of `calls`."""
        return [usage_from_json(c["usage"]) for c in self.calls]

    @property
    def n_executions(self) -> int:
        """How many executions ended, trial runs and reruns included."""
        return len(self.sample_runs) + len(self.executed) + len(self.revalidated) + len(self.full_runs)

    def last_run(self, id: int) -> Executed | SampleRan | None:
        """The run that a program proposal ended with: in full, else on a sample; None where there was none yet."""
        return self.executed.get(id) or self.sample_runs.get(id)


def check_run_folder(folder: Path) -> None:
    """Refuse a folder in which no run was begun.

    Raises:
        ConfigError: says so.
    """
    if not begun(folder / JOURNAL):
        raise ConfigError(
            f"{folder}: no run here (no {JOURNAL}); name a run's folder: STUDY/MODEL/STRATEGY/VARIANT/TASK/seed-N"
        )


def fold(folder: Path) -> FoldedRun:
    """Read what a run left in its folder.

    Raises:
        JournalError: its journal is corrupt.
    """
    header, events = read(folder / JOURNAL)
    return folded(folder, header, events, read_grades(folder), read_official(folder))


def folded(
    folder: Path,
    header: Header,
    events: Iterable[Event],
    grades: dict[int, GradeLine],
    official: dict[str, OfficialLine] | None = None,
) -> FoldedRun:
    """What a run left, from what its files hold.

    Args:
        folder: where they belong.
        header: of its journal.
        events: of its journal.
        grades: by node.
        official: reports of MLE-bench's own grader; None: there are none.
    """
    f = FoldedRun(folder, header, grades, official=official or {})
    for e in events:
        f.charged_us = max(f.charged_us, e["t"])
        if "real_us" in e:
            f.real_us = e["real_us"]
        match e["type"]:
            case "asked":
                f.asked[e["p"]["id"]] = e
            case "reply" | "review" | "embedded":
                f.calls.append(e)
            case "sample_run":
                f.sample_runs[e["id"]] = e
            case "executed":
                f.executed[e["id"]] = e
            case "told":
                f.told[e["id"]] = e
                for v in e.get("verdicts", ()):
                    if f.verdicts.get(v["node"]) != "void":
                        f.verdicts[v["node"]] = v["kind"]
            case "closing":
                pass
            case "revalidated":
                f.revalidated.append(e)
            case "full_run":
                f.full_runs.append(e)
            case "ended":
                f.ended = e
            case unknown:
                assert_never(unknown)
    return f


@dataclass(frozen=True, slots=True)
class ProgramTime:
    """What programs took, of one run or several.

    Attributes:
        programs: executions.
        run_s: their run times, seconds.
        cpu_s: their processor time, seconds.
    """

    programs: int = 0
    run_s: float = 0.0
    cpu_s: float = 0.0


def program_time(folders: Iterable[Path]) -> ProgramTime:
    """Of all executions of some runs: by the result of a run that ended, else by its journal, if it has one.

    A run whose files can't be read counts for nothing: it has failed, and says so itself.
    """
    found = ProgramTime(0, 0.0, 0.0)
    for folder in folders:
        with contextlib.suppress(OSError, MlesearchError):
            one = _program_time(folder)
            found = ProgramTime(found.programs + one.programs, found.run_s + one.run_s, found.cpu_s + one.cpu_s)
    return found


def _program_time(folder: Path) -> ProgramTime:
    row = finished_row(folder)
    if row is not None:
        return ProgramTime(row["n_executions"], row["program_s"], row["program_cpu_s"])
    if not begun(folder / JOURNAL):
        return ProgramTime(0, 0.0, 0.0)
    f = fold(folder)
    return ProgramTime(f.n_executions, f.seconds("wall_us"), f.seconds("cpu_us"))
