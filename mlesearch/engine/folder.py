"""What a run leaves on disk, as its engine writes it: journal, blobs, submissions, grades, the best node so far.

journal.jsonl          events, append-only
blobs/<sha256>         programs, outputs, prompts, replies, vectors
submissions/<id>/      what a valid node submitted; pruned after the end
grades.jsonl           test scores: written here, never read by the engine or a strategy
best/                  solution.py, submission.csv, node.json of the best node not void so far
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from mlesearch.engine.replay import FollowedJournal, Recording
from mlesearch.engine.work import Result, SampleResult
from mlesearch.models.protocol import EmbedReply, Reply, Request
from mlesearch.storage import codec
from mlesearch.storage.blobs import BLOBS, Blobs, BlobStore, output_of
from mlesearch.storage.documents import BEST, GRADES, BestFile, GradeLine, read_grades
from mlesearch.storage.events import (
    CallKind,
    Embedded,
    Executed,
    FullRan,
    HeaderFields,
    Replied,
    Revalidated,
    SampleRan,
    StageEvent,
    Told,
)
from mlesearch.storage.files import copy_atomically, make_folder, open_file, write_atomically, write_line
from mlesearch.storage.journal import JOURNAL, Journal, JournalWriter
from mlesearch.storage.leases import Lease, LeaseLost, check_held
from mlesearch.storage.nouns import OutputJson
from mlesearch.storage.under_way import PieceOfWork, end_under_way, write_under_way
from mlesearch.tasks.protocol import Grade
from mlesearch.types import Embedding, ExecResult, Node, Outcome, Proposal, Verdict

INLINE_CHARS = 16_384
"""A text up to this length stands in its event; a file of its own would cost an inode and, when paid for, two syncs."""


def _open_lines(path: Path) -> int:
    """A descriptor that appends to a file of JSON lines; a torn last line is closed, to take no other along."""
    fd = open_file(path, os.O_RDWR | os.O_APPEND)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            write_line(fd, b"\n", path)
    except BaseException:
        os.close(fd)
        raise
    return fd


@lru_cache(maxsize=4096)
def _vector_text(vector: Embedding) -> str:
    """A vector as journals' blobs have it."""
    return codec.dumps([round(x, 7) for x in vector])


class RunFolder:
    """The writer of one run's folder."""

    def __init__(
        self,
        folder: Path,
        header: HeaderFields,
        *,
        durable: bool,
        keep_prompts: bool = True,
        recording: Recording | None = None,
        lease: Lease | None = None,
    ) -> None:
        """Open or create.

        Args:
            folder: of the run.
            header: for a new journal.
            durable: fsync events that hold a reply (live models).
            keep_prompts: store each prompt as a blob.
            recording: what the journal must be equal to.
            lease: of the run: nothing is written once it is lost.
        """
        self._begin(folder, durable=durable, keep_prompts=keep_prompts, lease=lease)
        make_folder(folder)
        path = folder / JOURNAL
        self._grades = -1
        self.journal: JournalWriter = (
            Journal(path, header, lease=lease) if recording is None else FollowedJournal(path, recording, lease=lease)
        )
        try:
            self.blobs: BlobStore = Blobs(folder / BLOBS)
            self._grades = _open_lines(folder / GRADES)
        except BaseException:
            self.close()
            raise

    def _begin(self, folder: Path, *, durable: bool, keep_prompts: bool, lease: Lease | None = None) -> None:
        self.folder, self._lease = folder, lease
        self._outboxes = folder / "submissions"
        self._prefix = f"{self._outboxes}/"
        self._durable = durable
        self._keep_prompts = keep_prompts
        self._under_way: dict[int, PieceOfWork] = {}

    def check_held(self) -> None:
        """Before a write into the folder by others on this run's behalf.

        Raises:
            LeaseLost: the run is another process's by now.
        """
        check_held(self._lease)

    def close(self) -> None:
        """Give the journal's lock back."""
        if self._durable:
            with contextlib.suppress(LeaseLost):
                check_held(self._lease)
                end_under_way(self.folder)
        self.journal.close()
        if self._grades >= 0:
            os.close(self._grades)
            self._grades = -1

    def begun(self, worker: int, proposal: int, kind: str, limit_s: float) -> None:
        """A worker began a piece of work; said for whoever watches a live model's run, and of no other."""
        if self._durable:
            check_held(self._lease)
            self._under_way[worker] = PieceOfWork(worker, proposal, kind, time.time(), limit_s)
            write_under_way(self.folder, self._under_way.values())

    def finished(self, worker: int) -> None:
        """It ended."""
        if self._under_way.pop(worker, None) is not None:
            check_held(self._lease)
            write_under_way(self.folder, self._under_way.values())

    # events, in the order of a proposal's life

    def asked(self, p: Proposal, worker: int, t: int, used: float) -> None:
        """A strategy proposed; `t` is the worker's charged time."""
        self.journal.append({"type": "asked", "worker": worker, "t": t, "used": used, "p": codec.proposal_to_json(p)})

    def replied(self, kind: CallKind, request: Request, t: int, reply: Reply, charged_nusd: int) -> None:
        """A model answered; `charged_nusd` is what the budget was charged."""
        event: Replied = {
            "type": kind,
            "id": request.address.proposal,
            "op": request.address.op.value,
            "attempt": request.address.attempt,
            "t": t,
            "usage": codec.usage_to_json(reply.usage),
            "finish": reply.finish,
            "model": reply.model,
        }
        if len(reply.text) <= INLINE_CHARS:
            event["text"] = reply.text
        else:
            event["blob"] = self.blobs.put(reply.text, self._durable)
        if self._keep_prompts:
            event["prompt"] = self.blobs.put(codec.dumps([[m.role, m.content] for m in request.messages]))
        if reply.usage.cost_nusd is None:
            event["charged_nusd"] = charged_nusd
        if reply.dropped:
            event["dropped"] = reply.dropped
        if reply.notes:
            event["notes"] = reply.notes
        if reply.limit_tokens is not None:
            event["limit_tokens"] = reply.limit_tokens
        self.journal.append(event, self._durable)

    def embedded(self, id: int, t: int, reply: EmbedReply, durable: bool, charged_nusd: int) -> None:
        """Hypotheses got their vectors."""
        blob = self.blobs.put(f"[{','.join(map(_vector_text, reply.vectors))}]", durable)
        event: Embedded = {
            "type": "embedded",
            "id": id,
            "t": t,
            "usage": codec.usage_to_json(reply.usage),
            "blob": blob,
        }
        if reply.usage.cost_nusd is None:
            event["charged_nusd"] = charged_nusd
        if reply.problem:
            event["problem"] = reply.problem
        self.journal.append(event, durable)

    def executed(self, id: int, t: int, program: str, result: ExecResult) -> None:
        """A program ended."""
        event: Executed = {
            "type": "executed",
            "id": id,
            "t": t,
            "program": self.blobs.put(program, self._durable),
            "result": codec.result_to_json(result),
        }
        output = self._output(result)
        if output is not None:
            event["output"] = output
        self.journal.append(event, self._durable)

    def sample_ran(self, id: int, t: int, program: str, sample: SampleResult) -> None:
        """A program ended its run on a sample; what it submitted there is of no further use."""
        result = sample.result
        event: SampleRan = {
            "type": "sample_run",
            "id": id,
            "t": t,
            "program": self.blobs.put(program, self._durable),
            "result": codec.result_to_json(result),
        }
        output = self._output(result)
        if output is not None:
            event["output"] = output
        if sample.problem != result.reason:
            event["problem"] = sample.problem
        self.journal.append(event, self._durable)
        shutil.rmtree(self.sample_outbox(id), ignore_errors=True)

    def _output(self, result: ExecResult) -> OutputJson | str | None:
        """What a program printed, or where that is: a short output stands in its event, a longer one in a blob."""
        output = codec.output_to_json(result)
        if output is None or result.stdout.bytes_seen + result.stderr.bytes_seen <= INLINE_CHARS:
            return output
        return self.blobs.put(codec.dumps(output), self._durable)

    def told(self, outcome: Outcome, verdicts: Sequence[Verdict], t: int, real_us: int, problem: str = "") -> None:
        """The strategy learned; `real_us` is wall-clock time of this process on the run.

        `problem` is why its program counts as failed, where that is not what ended it.
        """
        event: Told = {
            "type": "told",
            "id": outcome.id,
            "t": t,
            "real_us": real_us,
            "outcome": codec.outcome_to_json(outcome),
        }
        if problem:
            event["problem"] = problem
        if verdicts:
            event["verdicts"] = [codec.verdict_to_json(v) for v in verdicts]
        self.journal.append(event)

    def closing(self, status: str, candidates: Sequence[int], t: int) -> None:
        """The search is over; these nodes are run again, on fresh splits or the full data, before one is submitted."""
        self.journal.append({"type": "closing", "status": status, "candidates": list(candidates), "t": t})

    def revalidated(
        self, id: int, split: int, worker: int, t: int, score: float | None, problem: str, result: ExecResult
    ) -> None:
        """A candidate was run on a fresh split; what it submitted there is of no further use."""
        event: Revalidated = {
            "type": "revalidated",
            "id": id,
            "split": split,
            "worker": worker,
            "t": t,
            "score": score,
            "result": codec.result_to_json(result),
        }
        if problem:
            event["problem"] = problem
        self.journal.append(event, self._durable)
        shutil.rmtree(self.rerun_outbox(id, split), ignore_errors=True)

    def full_ran(self, id: int, worker: int, t: int, problem: str, result: ExecResult) -> None:
        """A chosen program was run on the full data."""
        event: FullRan = {
            "type": "full_run",
            "id": id,
            "worker": worker,
            "t": t,
            "result": codec.result_to_json(result),
        }
        if problem:
            event["problem"] = problem
        self.journal.append(event, self._durable)

    def ended(self, status: str, selected: int | None, t: int, real_us: int) -> None:
        """The run is over."""
        self.journal.append(
            {"type": "ended", "status": status, "selected": selected, "t": t, "real_us": real_us}, durable=True
        )

    # reading events back

    def recall(self, event: StageEvent) -> Result:
        """The result of a stage, from its event."""
        if event["type"] == "sample_run":
            result = self.result(event)
            return SampleResult(result, event.get("problem", result.reason))
        if event["type"] == "executed":
            return self.result(event)
        return self.vectors(event) if event["type"] == "embedded" else self.reply(event)

    def reply(self, event: Replied) -> Reply:
        """The reply of a *reply* or *review* event."""
        return Reply(
            event["text"] if "text" in event else self.blobs.get(event["blob"]),
            event["finish"],
            codec.usage_from_json(event["usage"]),
            event["model"],
            tuple(event.get("dropped", ())),
            tuple(event.get("notes", ())),
            event.get("limit_tokens"),
        )

    def vectors(self, event: Embedded) -> EmbedReply:
        """The vectors of an *embedded* event."""
        rows: tuple[Embedding, ...] = tuple(tuple(v) for v in json.loads(self.blobs.get(event["blob"])))
        return EmbedReply(rows, codec.usage_from_json(event["usage"]), event.get("problem", ""))

    def result(self, event: Executed | SampleRan) -> ExecResult:
        """The result of an *executed* or *sample_run* event."""
        return codec.result_from_json(event["result"], output_of(event, self.blobs), self.outbox(event["id"]))

    def full_result(self, event: FullRan) -> ExecResult:
        """The result of a *full_run* event, without what was printed."""
        return codec.result_from_json(event["result"], None, self.full_outbox(event["id"]))

    # submissions, grades, best

    def outbox(self, id: int) -> Path:
        """Where a node's artefacts are copied to."""
        return self._outboxes / str(id)

    def sample_outbox(self, id: int) -> Path:
        """Where the artefacts of a program's run on a sample are copied to."""
        return self._outboxes / f"{id}-sample"

    def rerun_outbox(self, id: int, split: int) -> Path:
        """Where the artefacts of a candidate's rerun on a fresh split are copied to."""
        return self._outboxes / f"{id}-split-{split}"

    def full_outbox(self, id: int) -> Path:
        """Where the artefacts of a chosen program's run on the full data are copied to."""
        return self._outboxes / f"{id}-full"

    def drop_outbox(self, id: int) -> None:
        """An invalid node's artefacts are of no use."""
        outbox = f"{self._prefix}{id}"
        if os.path.isdir(outbox):  # most have left none
            shutil.rmtree(outbox, ignore_errors=True)

    def graded(self, id: int, grade: Grade) -> None:
        """Write a test grade; nothing that decides reads it."""
        line: GradeLine = {
            "id": id,
            "score": grade.score,
            "medal": grade.medal.value,
            "above_median": grade.above_median,
            "valid": grade.valid,
            "problem": grade.problem,
            "percentile": grade.percentile,
        }
        if grade.submission:
            line["submission"] = grade.submission
        self._write_grade(line)

    def _write_grade(self, line: GradeLine) -> None:
        check_held(self._lease)
        write_line(self._grades, codec.dumps(line).encode() + b"\n", self.folder / GRADES)

    def graded_ids(self) -> set[int]:
        """Which nodes have a grade already (not what it is)."""
        return set(read_grades(self.folder))

    def best(self, node: Node, outbox: Path | None) -> None:
        """Replace `best/` by a node; each file is replaced as a whole, node.json last.

        Args:
            node: a valid one.
            outbox: where its test submission is; None where there is none yet.
        """
        check_held(self._lease)
        folder = self.folder / "best"
        make_folder(folder)
        source = None if outbox is None else outbox / "submission.csv"
        if source is not None and source.exists():
            copy_atomically(source, folder / "submission.csv")
        write_atomically(folder / "solution.py", node.code, durable=False)
        best: BestFile = {"id": node.id, "validation_score": node.score}
        write_atomically(self.folder / BEST, codec.dumps(best) + "\n", durable=False)

    def drop_best(self) -> None:
        """No node counts (any more)."""
        check_held(self._lease)
        shutil.rmtree(self.folder / "best", ignore_errors=True)

    def prune(self) -> None:
        """After the end: keep the best submission only."""
        check_held(self._lease)
        shutil.rmtree(self._outboxes, ignore_errors=True)
