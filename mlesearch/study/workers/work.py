"""Work on a study: what a worker does from its start to its end, in whatever process it is.

`mlesearch work` does it in its own process, a launch on one machine in a fork or a fresh process
(`mlesearch.study.launches.local`), other launchers on whatever machine they choose (`mlesearch.study.launches.remote`).
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlesearch.config.assemble import warm_up, warm_up_real
from mlesearch.config.parts.build import calls_litellm
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.parts.virtual import is_virtual
from mlesearch.config.planning.plan import RunPlan
from mlesearch.storage.cell_store import FAILED, finished_of
from mlesearch.storage.documents import read_result
from mlesearch.storage.layout import RunKey, not_planned
from mlesearch.storage.packs import packed_cells
from mlesearch.storage.requests import RequestReader
from mlesearch.storage.worker_files import new_worker_id, this_worker
from mlesearch.study.monitoring.notices import Notices
from mlesearch.study.runs.execute import RunReport
from mlesearch.study.runs.failures import RetryRule
from mlesearch.study.work_list.files import LaunchList, read_all, read_list
from mlesearch.study.workers.disk_room import GIB, DiskRoom
from mlesearch.study.workers.pieces import pieces_of
from mlesearch.study.workers.record import WorkerRecord
from mlesearch.study.workers.slots import SharedWork
from mlesearch.study.workers.stopping import StopFlag, Stopping
from mlesearch.study.workers.supervisor import Supervisor, WorkEnd
from mlesearch.types import ConfigError


@dataclass(frozen=True, slots=True)
class WorkTerms:
    """How a worker works.

    Attributes:
        jobs: slots at most.
        grace_s: what is in flight may take so long once a batch system asks to stop, seconds.
        retries: of failures that may pass, for each run.
        min_free_gib: nothing is begun where less is free on the study's disk.
        for_s: nothing is begun after so long; None: no limit.
        stop_file: exists once the launch is asked to stop; None: there is no launch above the worker.
        launch: number of the launch's list; 0: it has none.
        verify: whether this machine has yet to show that it yields the runs that are listed.
        leased: whether other processes may be at work on the study; else nothing is written of the worker.
    """

    jobs: int
    grace_s: float
    retries: int = 2
    min_free_gib: float = 0.0
    for_s: float | None = None
    stop_file: Path | None = None
    launch: int = 0
    verify: bool = False
    leased: bool = True

    @property
    def leads(self) -> bool:
        """Whether signals of the terminal are for the worker, and not for a launch above it."""
        return self.stop_file is None


@dataclass(frozen=True, slots=True)
class EndedBefore:
    """What became of the runs of a launch before a worker began.

    Attributes:
        done: ids of those that have ended well.
        failed: ids of those that have failed, which are begun only where the user asks for it meanwhile.
        requests: what the user asks for, from before the others were looked for: so what is asked for while they are,
            and while the worker begins, is heard.
    """

    done: Collection[str]
    failed: Collection[str]
    requests: RequestReader


def work_off(
    study: Path,
    runs: Sequence[RunPlan],
    before: EndedBefore,
    terms: WorkTerms,
    resources: ProcessResources,
    tell: Callable[[Sequence[RunReport]], None],
    say: Callable[[str], None],
    private: Sequence[int] = (),
) -> WorkEnd:
    """Carry out runs by slots, in the main thread of a process that has no other thread.

    Args:
        study: its folder.
        runs: of the launch, all of them.
        before: what became of them before.
        terms: of the work.
        resources: of this process.
        tell: is told of runs that ended.
        say: is told what the user should know.
        private: descriptors that slots have no use for.
    """
    pieces = [p for p in pieces_of(runs) if any(runs[n].key.id not in before.done for n in p.numbers)]
    flag = StopFlag()
    stop_file = terms.stop_file

    def should_stop() -> bool:
        return flag.asked() or (stop_file is not None and stop_file.exists())

    jobs = max(1, min(terms.jobs, len(pieces)))
    state = this_worker(new_worker_id(), terms.launch, jobs)
    work = SharedWork(study, runs, pieces, resources, state, should_stop, terms.verify, terms.leased, tuple(private))
    stopping = Stopping(flag, stop_file, terms.grace_s, say, for_s=terms.for_s, leads=terms.leads)
    record = WorkerRecord(study if terms.leased else None, state)
    failed_before = {n for n, p in enumerate(pieces) if all(runs[i].key.id in before.failed for i in p.numbers)}
    if len(failed_before) < len(pieces):
        prepare([runs[n] for p in pieces for n in p.numbers], resources)
    retries, room = RetryRule(terms.retries), DiskRoom(study, round(terms.min_free_gib * GIB), say)
    notices = notices_of(study, runs, say) if terms.leased else None
    supervisor = Supervisor(
        work,
        jobs,
        retries,
        stopping,
        record,
        room,
        tell,
        say,
        stop_when_lost=terms.leads,
        notices=notices,
        failed_before=failed_before,
        requests=before.requests if terms.leased else None,
    )
    return supervisor.run()


def notices_of(study: Path, runs: Sequence[RunPlan], say: Callable[[str], None]) -> Notices:
    """What is told of a study, to whom its newest settings say."""
    return Notices(study, runs[0].settings.notify.command, say)


def prepare(runs: Iterable[RunPlan], resources: ProcessResources) -> None:
    """Import and load what runs need before the first fork: then it is done once, and forks share it.

    Args:
        runs: that are to be carried out.
        resources: of this process.
    """
    todo = list(runs)
    virtual = [run for run in todo if is_virtual(run.settings)]
    real = [run for run in todo if not is_virtual(run.settings) and run.recorded is None]
    if virtual:
        warm_up(virtual, resources)
    if real:
        warm_up_real(real, resources)
        if any(calls_litellm(run.settings) for run in real):
            from mlesearch.models.live.library import import_for_forks

            import_for_forks()
    gc.freeze()  # what was imported stays: no collection has to look through it


def runs_to_work_on(study: Path, launch: int | None = None) -> tuple[tuple[RunPlan, ...], LaunchList]:
    """The runs of a study as its lists have them, those that are planned; and the newest of the lists.

    Args:
        study: its folder.
        launch: number of one list; None: all lists, a run that is in several as the newest has it.

    Raises:
        ConfigError: there is no list, or one can't be read.
    """
    lists = read_all(study) if launch is None else [read_list(study, launch)]
    dropped = not_planned(study)
    runs: dict[RunKey, RunPlan] = {}
    for each in lists:
        for run in each.runs:
            if run.key not in dropped:
                runs.setdefault(run.key, run)
    return tuple(runs.values()), lists[0]


def go_to(launched: LaunchList) -> None:
    """Change to the folder from which a study was launched, from where its settings name tasks and stores.

    Raises:
        ConfigError: it is not here.
    """
    try:
        os.chdir(launched.made_in)
    except OSError as error:
        raise ConfigError(
            f"{launched.made_in}: {error.strerror}; the study was launched there, and its settings may name files from "
            "there: make that folder reachable on this machine, or launch the study again from one that is"
        ) from None
    if launched.search_path is not None:
        os.environ["MLESEARCH_PATH"] = launched.search_path
    if str(launched.made_in) not in sys.path and "" not in sys.path:
        sys.path.insert(0, str(launched.made_in))


def ended_before(study: Path, runs: Sequence[RunPlan], say: Callable[[str], None] | None = None) -> EndedBefore:
    """The runs that have a result, and those that failed in this launch.

    Runs on a virtual clock that failed are in neither: each worker tries them again.

    Args:
        study: its folder.
        runs: of the launch.
        say: is told that a pause began and that it is over; None: nobody is.

    Raises:
        StoreError: a pack of its cells is gone; or what is kept of a run is damaged.
    """
    packed_cells(study)
    requests = RequestReader(study, say=say)
    finished, failed = set[str](), set[str]()
    stored: dict[Path, frozenset[str]] = {}
    for run in runs:
        if is_virtual(run.settings):
            cell = run.folder.parent.parent
            if cell not in stored:
                stored[cell] = finished_of(cell)
            if f"{run.folder.parent.name}/{run.folder.name}" in stored[cell]:
                finished.add(run.key.id)
        elif (result := read_result(run.folder)) is not None:
            (failed if result["status"] == FAILED else finished).add(run.key.id)
    return EndedBefore(finished, failed, requests)
