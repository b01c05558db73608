"""What a process keeps for its life: tasks, stores, shared budgets, sandboxes, counters of calls; one owner for all.

Whoever launches runs makes a `ProcessResources`, hands it to what needs one, and closes it. A worker process has one of
its own. Each thing is made when it is asked for first, and kept by a frozen value that says what was asked for, so that
runs share it: a sandbox is tried once, and what is warm stays warm from run to run.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar, cast

from mlesearch.budgets.place import DatabasePlace, LedgerPlace
from mlesearch.budgets.shared import CallBudget, SpendingCaps
from mlesearch.config.parts.mlebench import GraderRequest, mlebench_terms
from mlesearch.config.parts.sandboxes import RecordedSandboxRequest, exec_store, sandbox_request
from mlesearch.config.parts.virtual import is_virtual
from mlesearch.config.settings import Settings
from mlesearch.config.settings.modes import check_mode
from mlesearch.engine.sample_runs import SampleFolder
from mlesearch.models.limits.counters import CallCounters
from mlesearch.models.limits.gate import gate
from mlesearch.models.limits.place import CountersPlace, Limited, place_of
from mlesearch.models.recorded.cassette import MODES, Cassette
from mlesearch.models.recorded.single_flight import SingleFlight
from mlesearch.sandbox.protocol import Sandbox
from mlesearch.storage import file_systems
from mlesearch.storage.store import open_store
from mlesearch.tasks.mlebench.competition import load as load_competition
from mlesearch.tasks.mlebench.names import competition_of
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.tasks.mlebench.terms import MlebenchTerms
from mlesearch.tasks.protocol import Task
from mlesearch.tasks.row_sample import SampleRule
from mlesearch.types import NANODOLLARS

M = TypeVar("M")


class Closable(Protocol):
    """What has something open."""

    def close(self) -> None:
        """Give it up."""
        ...


T_co = TypeVar("T_co", bound=Closable, covariant=True)
T = TypeVar("T", bound=Closable)


class ResourceRequest(Protocol[T_co]):
    """What is asked for: a frozen value, by which what it opens is found again."""

    def __hash__(self) -> int: ...

    def open(self) -> T_co:
        """Make what is asked for."""
        ...


@dataclass(frozen=True, slots=True)
class CassetteRequest:
    """A cassette: record or replay, where it is, and in which form."""

    mode: str
    path: Path
    form: str

    def open(self) -> Cassette:
        """The cassette.

        Raises:
            ConfigError: unknown form, or nothing to replay from.
        """
        store = open_store(self.path, self.form, must_exist=self.mode == "replay")
        return Cassette(store, self.mode, SingleFlight(self.path.with_name(f"{self.path.name}-flights")))


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """A sample of a task's labelled rows, for trial runs."""

    task: Task
    rule: SampleRule

    def open(self) -> SampleFolder:
        """The sample; it is written when it is needed first."""
        return SampleFolder(self.task, self.rule)


@dataclass(frozen=True, slots=True)
class TableRequest:
    """What answers executions on a virtual clock."""

    task: Callable[[str], Task]

    def open(self) -> Sandbox:
        """The table."""
        from mlesearch.engine.virtual.table import TableSandbox

        return TableSandbox(self.task)


class ProcessResources:
    """Made, used by the runs of one process, and closed; in a fork, it begins anew by itself.

    Usable from several threads. Used after it was closed, it opens again what is asked for.
    """

    def __init__(self, tell: Callable[[str], None] = lambda text: None) -> None:
        """Nothing is made before it is asked for.

        Args:
            tell: is told what takes long: that a competition's validation set is being made.
        """
        self._tell = tell
        self._tasks: dict[str, Task] = {}
        self._competitions: dict[tuple[str, MlebenchTerms], Task] = {}
        self._recorded: dict[str, Task] = {}
        self._inherited: list[object] = []
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._opened: dict[object, Closable] = {}
        self._limits: set[CountersPlace] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened, the last thing first: databases, and what is warm of sandboxes."""
        self._leave_to_the_parent()
        with self._lock, ExitStack() as stack:
            for place in self._limits:
                stack.callback(gate(place).counters.close)
            for opened in self._opened.values():
                stack.callback(opened.close)
            self._limits, self._opened = set(), {}

    def after_fork(self) -> None:
        """In a forked child: what is open is the parent's to use and to close; tasks are only read, and stay.

        Called by whatever is asked for first; earlier it may be called, and more than once.
        """
        self._inherited.append(self._opened)  # kept, so that no collection closes what the parent uses
        self._begin()

    def _leave_to_the_parent(self) -> None:
        if self._pid != os.getpid():
            self.after_fork()

    def _get(self, request: ResourceRequest[T]) -> T:
        """What is asked for, opened once."""
        self._leave_to_the_parent()
        with self._lock:
            if request not in self._opened:
                self._opened[request] = request.open()
            return cast(T, self._opened[request])

    def task(self, name: str, s: Settings | None = None) -> Task:
        """A task by name or folder.

        Args:
            name: of a task; of MLE-bench, of one competition.
            s: of the cell, which say where competitions are; None: by default.

        Raises:
            ConfigError: there is none, or its files are wrong.
        """
        from mlesearch.tasks.folder import load

        if competition_of(name):
            return self._competition(name, mlebench_terms(s or Settings()))
        if name not in self._tasks:
            self._tasks[name] = load(name)
        return self._tasks[name]

    def _competition(self, name: str, terms: MlebenchTerms) -> Task:
        """A competition of MLE-bench on these terms; one that was recorded stands in for the data.

        Raises:
            ConfigError: as `task`.
        """
        if name in self._recorded:
            return self._recorded[name]
        if (name, terms) not in self._competitions:
            self._competitions[name, terms] = load_competition(
                competition_of(name), terms, self.graders(terms), self._tell
            )
        return self._competitions[name, terms]

    def use_recorded(self, name: str, task: Task) -> None:
        """Take a competition as a recorded run has kept it: its data, or their graders, may not be here."""
        self._recorded[name] = task

    def graders(self, terms: MlebenchTerms) -> GraderPool:
        """What grades competitions, in MLE-bench's own interpreter; started when it is asked first.

        Raises:
            ConfigError: there is no such interpreter.
        """
        return self._get(GraderRequest.of(terms))

    def sample(self, name: str, s: Settings, rule: SampleRule) -> SampleFolder:
        """The sample of a task on which its programs run before they run in full.

        Raises:
            ConfigError: as `task`.
        """
        return self._get(SampleRequest(self.task(name, s), rule))

    def cassette(self, s: Settings) -> Cassette | None:
        """The cassette of a cell; None for live.

        Raises:
            ConfigError: unknown mode or form, or nothing to replay from.
        """
        check_mode("cassette", s.cassette, MODES)
        if s.cassette == "live":
            return None
        form = s.cassette_form or ("files" if on_network(s) else "sqlite")
        name = "cassette.db" if form == "sqlite" else "cassette"
        path = Path(s.cassette_path or Path(s.study.dir) / name).absolute()
        return self._get(CassetteRequest(s.cassette, path, form))

    def sandbox(self, s: Settings) -> Sandbox:
        """The sandbox of a cell, tried once, with its store of executions where one is kept.

        Raises:
            ConfigError: unknown kind, it does not work here, it does not keep `sandbox.require`, no GPU where one is
                asked for, or its store is missing or another sandbox's.
        """
        if is_virtual(s):
            return self._get(TableRequest(self._task_of))
        rung, store = sandbox_request(s), exec_store(s)
        return self._get(rung) if store is None else self._get(RecordedSandboxRequest(rung, store, self._get))

    def _task_of(self, spec: str) -> Task:
        """The task that is kept by its id and version, as a `Spec` names it."""
        return next(task for task in self._tasks.values() if f"{task.id}@{task.version}" == spec)

    def shared_budget(self, s: Settings) -> CallBudget | None:
        """A study's shared budget, as this process has it; None where nothing is limited or was, or all is replayed.

        A study that has a shared budget goes on counting where a launch sets no limit, since a later one may.
        """
        if s.cassette == "replay":
            return None
        caps, folder = caps_of(s), Path(s.study.dir).absolute()
        database, ledger = DatabasePlace(folder, caps), LedgerPlace(folder, caps)
        if ledger.exists or (caps.any and (on_network(s) or s.limits.partition is not None)):
            return self._get(ledger)
        return self._get(database) if caps.any or database.exists else None

    def share_limits(self, s: Settings, made: M) -> M:
        """Let a live model or embedder keep to its limits together with all other runs of the study.

        Raises:
            ConfigError: the study is on a network file system, and nobody said how many machines there are.
        """
        if isinstance(made, Limited) and s.cassette != "replay":
            place = _limits_place(s, limited=made.caps.any)
            made.use_place(place)
            if place.path is not None:
                self._leave_to_the_parent()
                self._limits.add(place)
        return made


# what processes share


def caps_of(s: Settings) -> SpendingCaps:
    """What the study and each of its cells may cost."""
    study, cell = (None if usd is None else round(usd * NANODOLLARS) for usd in (s.budget.study_usd, s.budget.cell_usd))
    return SpendingCaps(study, cell)


def on_network(s: Settings) -> bool:
    """Whether the study's folder is on a network file system."""
    return file_systems.on_network(Path(s.study.dir)) if s.limits.network is None else s.limits.network


def reset_breakers(s: Settings) -> None:
    """Before a launch: what failed or was refused in an earlier one may work again."""
    place = _limits_place(s, limited=False)
    if place.path is not None and place.path.exists():
        counters = CallCounters(place.path)
        counters.reset_breakers()
        counters.close()


def _limits_place(s: Settings, limited: bool) -> CountersPlace:
    folder = Path(s.study.dir).absolute()
    return place_of(folder, s.limits.partition, network=s.limits.network, limited=limited)
