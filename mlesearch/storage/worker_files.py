"""What the workers of a study say of themselves, and of each run that they are done with.

<study>/workers/<worker id>.json   what a worker is doing now; rewritten at every beat and at every change
<study>/index/<worker id>.jsonl    one line an attempt at a run that ended with this worker

Each file has one writer, so nothing is locked; whoever looks at a study of ten thousand runs reads some hundred files.
They are for looking alone: what became of a run is what its own folder says, and a study without these files, of an
earlier version for one, is read from its folders. Readers take what there is: a file that is gone, torn or of a later
version costs what it says and no more.

Times are of the wall clock of the worker's machine, in seconds since 1970.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from mlesearch.storage.columns import RunRow
from mlesearch.storage.documents import RunFailure
from mlesearch.storage.files import append_lines, make_folder, write_atomically
from mlesearch.storage.processes import owner
from mlesearch.storage.records import bytes_of, made_of, object_of, stamps
from mlesearch.types import printable

WORKERS, INDEX = "workers", "index"
BEAT_S = 10.0
"""A worker that lives rewrites its file at least this often."""

WorkerActivity = Literal["working", "paused", "stopping", "ended"]
AttemptStatus = Literal["ok", "timeout", "failed", "interrupted", "unpaid", "lost", "set_aside"]
"""What became of an attempt at a run.

`ok` and `timeout`: the run has its result. `failed`, `interrupted`, `unpaid`: as the report of a launch says. `lost`:
the worker process ended abruptly. `set_aside`: so often that it is not begun again in this launch.
"""

ATTEMPTED: frozenset[AttemptStatus] = frozenset(get_args(AttemptStatus))

ErrorClass = Literal["", "transient", "lost", "permanent", "poison"]
"""Whether it may pass when tried again: `transient` later, `lost` elsewhere; `permanent` and `poison` not by itself."""

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "activity": get_args(WorkerActivity),
    "status": get_args(AttemptStatus),
    "error_class": get_args(ErrorClass),
}
ENDED: frozenset[Literal["ok", "timeout"]] = frozenset({"ok", "timeout"})
_JOBS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "AWS_BATCH_JOB_ID")
"""Where batch systems name the job that a process is in: Slurm, PBS, LSF, AWS Batch."""


@dataclass(frozen=True, slots=True)
class SlotState:
    """What one slot of a worker is doing.

    Attributes:
        run_id: the run that it carries out; empty where it waits for one.
        since_s: since when.
        step: steps of the run so far.
        attempt: which attempt at the run this is, from 1.
    """

    run_id: str = ""
    since_s: float = 0.0
    step: int = 0
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class LeftRuns:
    """Runs that a worker leaves to other machines, since its own would yield other runs than those that are listed.

    Attributes:
        why: in words.
        runs: how many.
        of: cells and tasks of theirs, as the ids of runs begin: `model/strategy/variant/task`, one a line.
    """

    why: str
    runs: int = 0
    of: str = ""

    def has(self, run_id: str) -> bool:
        """Whether a run is among them."""
        return run_id.rpartition("/")[0] in self.of.split("\n")


_Part = TypeVar("_Part", SlotState, LeftRuns)


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker is doing: the content of its file.

    Attributes:
        id: of the worker, as `new_worker_id` makes one.
        host: name of its machine.
        pid: of its supervisor, on that machine.
        owner: the same, so that another process of that machine can tell whether it lives (`processes.owner`).
        job: of the batch system that it is in; empty where it is in none.
        launch: number of the launch whose list it works off; 0 where it is not known.
        begun_s: when it began.
        beat_s: when this was written.
        beats: how often it was written: whoever looks twice needs no clock to tell a worker that stands still.
        activity: working, paused, stopping or ended.
        why: of its activity, in words; empty while it works.
        usd: what its runs have cost since it began; None where a price is not known.
        n_ended: attempts that ended with it: lines of its index.
        slots: what each of them is doing.
        left: runs that it leaves to other machines, by the reason.
    """

    id: str
    host: str = ""
    pid: int = 0
    owner: str = ""
    job: str = ""
    launch: int = 0
    begun_s: float = 0.0
    beat_s: float = 0.0
    beats: int = 0
    activity: WorkerActivity = "working"
    why: str = ""
    usd: float | None = 0.0
    n_ended: int = 0
    slots: tuple[SlotState, ...] = ()
    left: tuple[LeftRuns, ...] = ()

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The runs that it is carrying out."""
        return tuple(s.run_id for s in self.slots if s.run_id) if self.activity != "ended" else ()


@dataclass(frozen=True, slots=True)
class RunAttempt:
    """An attempt at a run that ended: a line of an index.

    Attributes:
        run_id: of the run.
        status: what became of it.
        reason: why it failed, in words; empty where it did not.
        error_class: whether that may pass.
        host: name of the machine.
        job: of the batch system; empty where it was in none.
        worker: id of the worker.
        launch: number of the launch; 0 where it is not known.
        attempt: which one this was of the run, whichever worker made the others, from 1.
        ended_s: when it ended.
        real_s: wall-clock time of all processes on the run so far, seconds.
        usd: what the run has cost so far; None where a price is not known.
        steps: programs of the run so far.
        valid, gold, silver, bronze, above_median, no_board, ungraded, simulated: as in the table of runs.
    """

    run_id: str
    status: AttemptStatus = "failed"
    reason: str = ""
    error_class: ErrorClass = ""
    host: str = ""
    job: str = ""
    worker: str = ""
    launch: int = 0
    attempt: int = 1
    ended_s: float = 0.0
    real_s: float = 0.0
    usd: float | None = None
    steps: int = 0
    valid: bool = False
    gold: bool = False
    silver: bool = False
    bronze: bool = False
    above_median: bool = False
    no_board: bool = False
    ungraded: bool = False
    simulated: bool = False

    @property
    def medal(self) -> bool:
        """Whether its submission won one."""
        return self.gold or self.silver or self.bronze


def new_worker_id() -> str:
    """A name for a worker of this process that no other has, or had: `host-pid-random`, fit for a file's name."""
    host = "".join(c if c.isalnum() or c in "-._" else "-" for c in socket.gethostname()).strip(".") or "host"
    return f"{host}-{os.getpid()}-{secrets.token_hex(3)}"


def job_id(environment: Mapping[str, str] = os.environ) -> str:
    """The job of a batch system that this process is in, an array's job by its own number; empty where in none."""
    return next((environment[name] for name in _JOBS if environment.get(name)), "")


def this_worker(worker_id: str, launch: int = 0, slots: int = 1) -> WorkerState:
    """The state of a worker that begins in this process."""
    waiting = (SlotState(),) * slots
    now = time.time()
    return WorkerState(worker_id, socket.gethostname(), os.getpid(), owner(), job_id(), launch, now, now, slots=waiting)


def attempt_at(
    state: WorkerState,
    run_id: str,
    status: AttemptStatus,
    result: RunRow | RunFailure | None,
    *,
    reason: str = "",
    error_class: ErrorClass = "",
    attempt: int = 1,
) -> RunAttempt:
    """The line of an index for an attempt that ended now.

    Args:
        state: of the worker.
        run_id: of the run.
        status: what became of it.
        result: the content of its result.json; None where there is none.
        reason: why it failed; empty: what the result says.
        error_class: whether that may pass.
        attempt: which one this was of the run, whichever worker made the others, from 1.
    """
    found = attempt_of(result or {}, run_id)
    return replace(
        found,
        status=status,
        reason=printable(reason) or found.reason,
        error_class=error_class,
        host=state.host,
        job=state.job,
        worker=state.id,
        launch=state.launch,
        attempt=attempt,
        ended_s=time.time(),
    )


def attempt_of(result: Mapping[str, Any], run_id: str) -> RunAttempt:
    """What a run's result says, where no index does; nothing of who carried it out.

    Args:
        result: the content of its result.json, or its row of the table of runs.
        run_id: of the run.
    """
    status = result.get("status")
    return RunAttempt(
        run_id,
        "ok" if status == "ok" else "timeout" if status == "timeout" else "failed",
        printable(str(result.get("reason") or "")),
        real_s=float(result.get("real_s") or 0.0),
        usd=result.get("cost_usd"),
        steps=int(result.get("steps") or 0),
        valid=bool(result.get("valid")),
        gold=bool(result.get("gold")),
        silver=bool(result.get("silver")),
        bronze=bool(result.get("bronze")),
        above_median=bool(result.get("above_median")),
        no_board=bool(result.get("no_board")),
        ungraded=bool(result.get("ungraded")),
        simulated=bool(result.get("simulated")),
    )


# writing


def write_worker(study: Path, state: WorkerState) -> None:
    """Replace the file of a worker.

    Raises:
        OSError: the disk did not take it; the old file stays.
    """
    make_folder(study / WORKERS)
    write_atomically(study / WORKERS / f"{state.id}.json", json.dumps(asdict(state)) + "\n", durable=False)


def append_attempts(study: Path, worker_id: str, attempts: Iterable[RunAttempt]) -> None:
    """Add lines to the index of a worker, with one call.

    Raises:
        OSError: the disk did not take all of them.
    """
    make_folder(study / INDEX)
    append_lines(study / INDEX / f"{worker_id}.jsonl", [asdict(a) for a in attempts])


# reading


def read_workers(study: Path) -> list[WorkerState]:
    """What all workers of a study say, in the order in which they began; none where there is no such file."""
    return WorkerReader(study).all()


def read_worker(path: Path) -> WorkerState | None:
    """What one worker says; None where its file can't be read."""
    content = object_of(bytes_of(path))
    if content is None:
        return None
    parts = {"slots": _all_of(SlotState, content.get("slots")), "left": _all_of(LeftRuns, content.get("left"))}
    return made_of(WorkerState, {**content, "id": path.name.removesuffix(".json"), **parts}, _CHOICES)


def _all_of(kind: type[_Part], content: object) -> tuple[_Part, ...]:
    """The parts of a worker's state that can be read."""
    listed = content if isinstance(content, list) else []
    return tuple(made for each in listed if (made := made_of(kind, each, _CHOICES)) is not None)


def read_attempts(study: Path) -> list[RunAttempt]:
    """All attempts that ended, in the order of their ends; none where there is no index."""
    reader = IndexReader(study)
    return sorted(reader.new(), key=lambda a: a.ended_s)


class WorkerReader:
    """Reads the files of workers that changed since it read last; those of workers that have ended stay as they are."""

    def __init__(self, study: Path) -> None:
        """Nothing is read yet."""
        self._folder = study / WORKERS
        self._known: dict[str, tuple[tuple[int, int, int], WorkerState]] = {}

    def all(self) -> list[WorkerState]:
        """What all workers say, in the order in which they began."""
        known = {}
        for path, stamp in stamps(self._folder, ".json"):
            before = self._known.get(path.name)
            if before is not None and before[0] == stamp:
                known[path.name] = before
            elif (state := read_worker(path)) is not None:
                known[path.name] = stamp, state
            elif before is not None:
                known[path.name] = before
        self._known = known
        return sorted((state for _, state in known.values()), key=lambda w: (w.begun_s, w.id))


class IndexReader:
    """Reads the indices of a study on from where it read last; what is not a whole line yet is left for later."""

    def __init__(self, study: Path) -> None:
        """Nothing is read yet."""
        self._folder = study / INDEX
        self._offsets: dict[str, int] = {}

    def new(self) -> list[RunAttempt]:
        """The attempts that ended since the last look, those of one worker in the order of their ends."""
        found: list[RunAttempt] = []
        for path, (size, *_) in stamps(self._folder, ".jsonl"):
            begin = self._offsets.get(path.name, 0)
            if size < begin:  # it was replaced by another: read anew
                begin = 0
            if size == begin:
                continue
            with contextlib.suppress(OSError), open(path, "rb") as file:
                file.seek(begin)
                whole, newline, _ = file.read().rpartition(b"\n")
                self._offsets[path.name] = begin + len(whole) + len(newline)
                lines = map(object_of, whole.split(b"\n"))
                found += [
                    a for line in lines if line is not None and (a := made_of(RunAttempt, line, _CHOICES)) is not None
                ]
        return found
