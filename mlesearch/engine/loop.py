"""The only loop: ask, carry out, tell; every arrow an event in the journal.

The engine alone ends a run. It checks budgets before every call and every execution, equally for all strategies;
grades valid nodes without ever reading a grade; and after a kill folds the journal, matches every proposal, and goes
on from the last stage that was written, so that nothing paid for is paid for again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial

from mlesearch.budgets.meter import Meter, Reservation
from mlesearch.engine.clock import Timelines
from mlesearch.engine.parts import EngineParts, RunEnd, RunStatus, make_workers
from mlesearch.engine.resume import StrategyFold, check_proposal
from mlesearch.engine.revalidation import Revalidation
from mlesearch.engine.selection import Selection
from mlesearch.engine.trial import (
    UNANSWERED,
    BudgetSpent,
    Call,
    Embed,
    Execute,
    Permits,
    Trial,
    TrialEnd,
    Work,
    charged_us,
    make_node,
    printable,
    unanswered,
)
from mlesearch.engine.workers import Done
from mlesearch.models.protocol import EmbedReply, Reply
from mlesearch.sandbox.protocol import Job, execute
from mlesearch.storage.codec import usage_from_json
from mlesearch.storage.events import StageEvent, Told, stage_of
from mlesearch.types import MICROSECONDS, ExecResult, Node, Op, Proposal, Usage, Verdict

Stages = dict[tuple[str, int], StageEvent]  # of one proposal


class Engine:
    """Runs one search."""

    def __init__(self, parts: EngineParts, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Nothing starts before `run`; `should_stop` is looked at before each proposal."""
        self._p = parts
        self._folder = parts.folder
        self._should_stop = should_stop
        self._meter = Meter(parts.budget)
        self._time = Timelines(parts.workers)
        self._selection = Selection(parts.selection, parts.direction)
        self._workers = make_workers(parts, self._time)
        self._revalidation = Revalidation(parts, self._time, self._workers, should_stop)
        self._nodes: dict[int, Node] = {}
        self._idle = set(range(parts.workers))
        self._trials: dict[int, Trial] = {}  # by worker
        self._current: dict[int, Work] = {}  # by worker
        self._reserved: dict[int, Reservation] = {}  # by worker
        self._stored: dict[int, Stages] = {}  # by proposal: stages that a killed process had finished
        self._folding = False  # a journal of a killed process: nothing is begun yet
        self._asked = 0
        self._closing: RunStatus | None = None
        self._failure: BaseException | None = None
        self._told_us = 0  # charged time of the latest outcome told
        self._best_written: int | None = None
        self._graded: set[int] = set()  # by a killed process
        self._real_before_us = 0  # of the processes before this one
        self._started_s = time.monotonic()

    # the loop

    def run(self) -> RunEnd:
        """Go on from the journal to the end.

        Raises:
            ReplayMismatch: the journal was written by another strategy or version.
            BadProposal: the strategy breaks the contract.
            ModelUnavailable, SandboxUnavailable: not the program's fault; run again to go on.
        """
        try:
            ended = self._restore()
            if ended is not None:
                return ended
            while self.advance():
                pass
            return self._end()
        except Exception:
            self._rescue()
            raise
        finally:
            self._workers.close()

    def _rescue(self) -> None:
        """Before a failure of our own or of a strategy ends the run: journal what is being paid for elsewhere."""
        while self._current and not self._folding:
            done = self._workers.next()
            work = self._current.pop(done.worker)
            if done.error is None:
                t = self._time.charge(done.worker, charged_us(done.result))
                with contextlib.suppress(Exception):  # the failure under way is the one to report
                    self._write(done.worker, work, done.result, t)

    def advance(self) -> bool:
        """One turn of the loop: give idle workers work, land the next piece that is done; False when none is left."""
        self._fill()
        if not self._trials:
            return False
        self._finish(self._workers.next())
        return True

    def _fill(self) -> None:
        """Give idle workers work, until a proposal is refused or there is nothing to do."""
        while self._idle and self._closing is None:
            if self._should_stop():
                self._closing = RunStatus.INTERRUPTED
                return
            if self._p.recording is not None and not self._p.recording.asks:
                self._closing = RunStatus.REAL_TIME if self._p.recording.cut else None
                if self._trials or self._closing:
                    return
            if self._meter.steps_spent and self._trials:
                return  # all that may still be asked is a diagnosis of a program already run: let them all end first
            self._closing = self._spent()
            if self._closing is not None:
                return
            used = self._meter.used(self._time.furthest)
            proposal = self._p.optimizer.ask(used)
            if proposal is None:
                if not self._trials:
                    self._closing = RunStatus.FINISHED
                return
            check_proposal(proposal, self._asked, self._nodes)
            worker = self._time.next_idle(self._idle)
            t = self._time.start(worker, self._told_us)
            self._folder.asked(proposal, worker, t, used)
            if self._admit(proposal):
                self._begin(worker, proposal, used)

    def _spent(self) -> RunStatus | None:
        """Whether a budget other than steps is spent."""
        cap_s = self._p.budget.real_time_s
        if cap_s is not None and time.monotonic() - self._started_s >= cap_s:
            return RunStatus.REAL_TIME
        return RunStatus.BUDGET if self._meter.spent(self._time.furthest) else None

    def _admit(self, proposal: Proposal) -> bool:
        """Count a proposal, or refuse it and let the run end; a refused one is never told."""
        self._asked += 1
        if self._meter.steps_spent and proposal.op is not Op.DIAGNOSE:
            self._closing = RunStatus.COMPLETED
        elif proposal.op.makes_program:
            self._meter.steps += 1
        elif self._meter.judgements_spent:
            self._closing = RunStatus.BUDGET
        else:
            self._meter.judgements += 1
        return self._closing is None

    def _end(self) -> RunEnd:
        """Write the end, once."""
        if self._failure is not None:
            raise self._failure
        status = self._closing or RunStatus.FINISHED
        selected = self._selection.chosen
        if self._selection.revalidates and status not in (RunStatus.INTERRUPTED, RunStatus.REAL_TIME):
            done, selected = self._revalidation.choose(status, self._selection, self._nodes)
            status = status if done else RunStatus.INTERRUPTED
        if status is not RunStatus.INTERRUPTED:
            if selected is not None and selected != self._best_written:
                self._folder.best(self._nodes[selected])
            self._folder.ended(status, selected, self._time.furthest, self._real_us())
            self._prune()
        return RunEnd(status, selected, self._time.furthest, self._meter.steps)

    def _prune(self) -> None:
        if self._p.keep_submissions == "best":
            self._folder.prune()

    # one trial

    def _begin(self, worker: int, proposal: Proposal, used: float) -> None:
        """Begin a proposal; its prompt is rendered now, from what is known now."""
        self._idle.discard(worker)
        permits = Permits(partial(self._fits, worker), partial(self._deadline_s, worker))
        self._trials[worker] = Trial(self._p.context, permits, proposal, self._nodes, used)
        self._proceed(worker, None)

    def _proceed(self, worker: int, result: object) -> None:
        """Send a result into a trial; what it yields next is handed to a worker."""
        trial = self._trials[worker]
        try:
            work = trial.flow.send(result)
        except StopIteration as stop:
            self._tell(worker, stop.value)
        except BudgetSpent:
            self._leave(worker)
            self._closing = self._closing or RunStatus.BUDGET
        else:
            self._current[worker] = work
            trial.stages += 1
            if not self._folding:
                self._submit(worker)

    def _submit(self, worker: int) -> None:
        trial, id = self._trials[worker], self._trials[worker].proposal.id
        self._workers.submit(worker, partial(self._do, id, self._current[worker]), (id, trial.stages))

    def _do(self, id: int, work: Work) -> object:
        """Blocking; runs in a worker, touches neither optimizer nor journal."""
        if isinstance(work, Call):
            try:
                return printable(work.role.model.complete(work.request))
            except tuple(UNANSWERED) as e:
                return printable(unanswered(e, work.role.model.name))
        if isinstance(work, Embed):
            return self._p.context.embedder.embed(work.request)
        job = Job(f"{self._p.context.run_id}/{id}", work.program, work.deadline_s, self._folder.outbox(id))
        return execute(self._p.sandbox, self._p.spec, job)

    def _finish(self, done: Done) -> None:
        """A worker finished: charge, journal, go on. A failure stops the run once all others are done."""
        worker = done.worker
        work = self._current.pop(worker)
        if done.error is None:
            t = self._time.charge(worker, charged_us(done.result))
            self._write(worker, work, done.result, t)
            self._proceed(worker, done.result)
        else:
            self._settle(worker, Usage(cost_nusd=0))
            self._leave(worker)
            self._failure = self._failure or done.error
            self._closing = RunStatus.INTERRUPTED

    def _settle(self, worker: int, usage: Usage) -> int:
        """Give a call's reservation back and charge what it cost; returns the nano-dollars charged."""
        reservation = self._reserved.pop(worker, Reservation(0, 0))
        self._meter.release(reservation)
        return self._meter.settle(usage, reservation.cost_nusd)

    def _write(self, worker: int, work: Work, result: object, t: int) -> None:
        """Journal the end of a piece of work."""
        id = self._trials[worker].proposal.id
        if isinstance(work, Call) and isinstance(result, Reply):
            charged = self._settle(worker, result.usage)
            self._folder.replied(work.kind, id, work.request, t, result, charged)
        elif isinstance(work, Execute) and isinstance(result, ExecResult):
            self._meter.gpu_us += result.gpu_us
            self._folder.executed(id, t, work.program, result)
        elif isinstance(work, Embed) and isinstance(result, EmbedReply):
            charged = self._settle(worker, result.usage)
            self._folder.embedded(id, t, result, self._p.context.embedder.live, charged)
        else:
            raise TypeError(f"{type(work).__name__} was answered with {type(result).__name__}")

    def _tell(self, worker: int, end: TrialEnd) -> None:
        """Grade and keep the node, tell the strategy, write what it decided."""
        outcome = end.outcome
        self._leave(worker)
        self._stored.pop(outcome.id, None)
        if end.result is not None:
            self._grade(outcome.id, outcome.valid, end.result)
        verdicts = self._p.optimizer.tell(outcome)
        t = self._time.at(worker)
        self._folder.told(outcome, verdicts, t, self._real_us(), end.problem)
        self._learn(end.node, verdicts, t)
        self._keep_best()

    def _grade(self, id: int, valid: bool, result: ExecResult) -> None:
        if not valid:
            self._folder.drop_outbox(id)
        elif id not in self._graded:
            self._folder.graded(id, self._p.context.scorer.test(result))

    def _learn(self, node: Node | None, verdicts: Sequence[Verdict], t: int) -> None:
        """What the shared rooms know of a told proposal."""
        if node is not None:
            self._nodes[node.id] = node
            self._p.context.scope.add(node)
            self._selection.add(node)
        self._selection.decide(verdicts)
        self._told_us = max(self._told_us, t)

    def _leave(self, worker: int) -> None:
        del self._trials[worker]
        self._idle.add(worker)

    def _keep_best(self) -> None:
        best = self._selection.best
        if best is None:
            if self._best_written is not None:
                self._folder.drop_best()
        elif best != self._best_written:
            self._folder.best(self._nodes[best])
        self._best_written = best

    # budgets

    def _fits(self, worker: int, work: Call | Embed) -> bool:
        """Reserve the worst case of paid work."""
        if isinstance(work, Call):
            prompt_bytes = sum(len(m.content.encode(errors="replace")) for m in work.request.messages)
            reservation = self._meter.worst_case(prompt_bytes, work.request.sampling.max_tokens, work.role.model.price)
        else:
            text_bytes = sum(len(t.encode(errors="replace")) for t in work.request.texts)
            reservation = self._meter.worst_case(text_bytes, 0, self._p.context.embedder.price)
        if not self._meter.reserve(reservation, self._time.furthest):
            return False
        self._reserved[worker] = reservation
        return True

    def _deadline_s(self, worker: int) -> float:
        """What a program may take: its limit, or what is left."""
        limit_s = self._p.spec.limits.time_s
        left_us = self._meter.program_left_us(self._time.at(worker))
        return limit_s if left_us is None else min(limit_s, left_us / MICROSECONDS)

    def _real_us(self) -> int:
        """Wall-clock time of all processes on this run so far."""
        return self._real_before_us + int((time.monotonic() - self._started_s) * MICROSECONDS)

    # resume

    def _restore(self) -> RunEnd | None:
        """Fold a killed process's journal, its flights too, event by event; returns the end of a run that has ended."""
        journal = self._folder.journal
        if not journal.events:
            return None
        self._folding = True
        self._graded = self._folder.graded_ids()
        fold = StrategyFold(self._p.optimizer, journal.path, journal.header)
        pending: dict[int, tuple[int, Proposal]] = {}
        told = {e["id"] for e in journal.events if e["type"] == "told"}
        for line, event in enumerate(journal.events, 2):
            if "real_us" in event:
                self._real_before_us = event["real_us"]
            if event["type"] == "asked":
                proposal = fold.asked(event, line)
                self._time.restore(event["worker"], event["t"])
                if self._admit(proposal):
                    pending[proposal.id] = (event["worker"], proposal)
                    if proposal.id not in told:
                        self._begin(event["worker"], proposal, event["used"])
            elif event["type"] == "told":
                self._retell(fold, event, line, pending.pop(event["id"]))
            elif event["type"] == "closing" or event["type"] == "revalidated":
                self._closing = self._revalidation.recall(event) or self._closing
                self._current.clear()
                for worker in list(self._trials):  # its next call fitted no more
                    self._leave(worker)
            elif event["type"] == "ended":
                self._prune()
                return RunEnd(RunStatus(event["status"]), event["selected"], event["t"], self._meter.steps)
            else:
                self._remember(event, pending[event["id"]][0])
        journal.events.clear()
        self._folding = False
        if self._selection.best is None:
            self._folder.drop_best()
        self._keep_best()
        for worker in self._current:
            self._submit(worker)
        return None

    def _remember(self, event: StageEvent, worker: int) -> None:
        """A stage that was finished before the kill."""
        self._time.restore(worker, event["t"])
        if event["type"] == "executed":
            self._meter.gpu_us += event["result"].get("gpu_us", 0)
        else:
            self._meter.settle(usage_from_json(event["usage"]), event.get("charged_nusd", 0))
        trial, work = self._trials.get(worker), self._current.get(worker)
        if trial is None or trial.proposal.id != event["id"]:
            self._stored.setdefault(event["id"], {})[stage_of(event)] = event
        elif work is not None and work.key == stage_of(event):
            del self._current[worker]
            self._meter.release(self._reserved.pop(worker, Reservation(0, 0)))
            self._proceed(worker, self._folder.recall(event))

    def _retell(self, fold: StrategyFold, event: Told, line: int, begun: tuple[int, Proposal]) -> None:
        """An outcome that was told before the kill."""
        worker, proposal = begun
        stages = self._stored.pop(proposal.id, {})
        embedded = stages.get(("embedded", 0))
        vectors = self._folder.vectors(embedded).vectors if embedded and embedded["type"] == "embedded" else ()
        outcome, verdicts = fold.told(event, vectors, line)
        node = None
        executed = stages.get(("executed", 0))
        if executed is not None and executed["type"] == "executed":
            result = self._folder.result(executed)
            code = self._folder.blobs.get(executed["program"])
            node = make_node(proposal, outcome, code, event.get("problem", result.reason), result)
            if outcome.valid and self._folder.outbox(proposal.id).exists():
                self._grade(proposal.id, True, result)  # only where a power cut lost its grade
        self._time.restore(worker, event["t"])
        self._learn(node, verdicts, event["t"])
