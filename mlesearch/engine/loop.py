"""The only loop: idle workers are given work, work that ends is journaled, and what follows from it is begun.

Work is what a proposal needs (calls, embeddings, executions) or, once the search is over, a rerun of one of its best
programs, on a fresh split or on the full data. The engine alone ends a run. It checks budgets before every call and
every execution, equally for all strategies; it grades valid nodes without ever reading a grade; and before it begins it
reads what an earlier process has journaled (`mlesearch.engine.resume`), so that nothing paid for is paid for again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from mlesearch.engine.full_data import WORKER, FullRuns
from mlesearch.engine.parts import EngineParts, RunEnd, RunStatus
from mlesearch.engine.proposals import check_proposal
from mlesearch.engine.resume import Fold
from mlesearch.engine.revalidation import Revalidation
from mlesearch.engine.scoring import judge_sample
from mlesearch.engine.search import InFlight, Search
from mlesearch.engine.trial import unanswered, with_printable_text
from mlesearch.engine.work import (
    Call,
    Embed,
    Execute,
    FullRun,
    Rerun,
    Result,
    SampleResult,
    SampleRun,
    charged_us,
    expect,
)
from mlesearch.engine.workers import Done
from mlesearch.models.protocol import EmbedReply, PromptFailure, Reply
from mlesearch.sandbox.protocol import Job, execute
from mlesearch.storage.file_systems import check_space
from mlesearch.storage.leases import LeaseLost
from mlesearch.types import ExecResult, Node, printable


class Engine:
    """Runs one search."""

    def __init__(self, parts: EngineParts, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Nothing starts before `run`; `should_stop` is looked at before each proposal and each rerun."""
        self._p = parts
        self._should_stop = should_stop
        self._search = Search(parts)
        self._revalidation = Revalidation(self._search)
        self._full_runs = FullRuns(self._search, self._revalidation)
        self._workers = parts.execution.make_workers(self._search.time)
        self._failure: BaseException | None = None

    @property
    def nodes(self) -> Mapping[int, Node]:
        """Finished programs, by proposal."""
        return self._search.nodes

    # the loop

    def run(self) -> RunEnd:
        """Go on from the journal to the end.

        Raises:
            ReplayMismatch: the journal was written by another strategy or version.
            BadProposal: the strategy breaks the contract.
            ModelUnavailable, SandboxUnavailable: not the program's fault; run again to go on. Among them is
                `OnlyRefusals`: the model has refused all that it was asked so far.
        """
        try:
            end = Fold(self._search, self._revalidation, self._full_runs).read() or self._go_on()
            if end.status is not RunStatus.INTERRUPTED and self._p.keep_submissions == "best":
                self._p.folder.prune()
            return end
        finally:
            self._workers.close()
            self._revalidation.close()

    def _go_on(self) -> RunEnd:
        try:
            for worker, begun in self._search.in_flight.items():
                self._submit(worker, begun)
            while self.advance():
                pass
            return self._end()
        except LeaseLost:
            raise  # nothing may be written, so nothing is waited for
        except Exception:
            self._rescue()
            raise

    def advance(self) -> bool:
        """One turn of the loop: give idle workers work, take up the next piece that ends; False when none is left."""
        self._propose()
        self._revalidate()
        self._run_in_full()
        if not self._search.in_flight:
            return False
        self._finish(self._workers.next())
        return True

    def _propose(self) -> None:
        """Give idle workers proposals, until one is refused or there is nothing to propose."""
        search, recording = self._search, self._p.execution.recording
        while search.closing is None and (worker := search.next_idle()) is not None:
            if self._should_stop():
                search.closing = RunStatus.INTERRUPTED
                return
            if recording is not None and not recording.asks:
                search.closing = RunStatus.REAL_TIME if recording.cut else None
                if search.in_flight or search.closing:
                    return
            refused = search.first_replies.stop if recording is None and not search.meter.steps_spent else None
            if refused is not None:
                search.closing = RunStatus.INTERRUPTED
                self._failure = self._failure or refused
                return
            if search.meter.steps_spent and search.in_flight:
                return  # all that may still be asked is a diagnosis of a program already run: let them all end first
            search.closing = self._spent()
            if search.closing is not None:
                return
            used = search.meter.used(search.time.furthest)
            proposal = self._p.optimizer.ask(used)
            if proposal is None:
                if not search.in_flight:
                    search.closing = RunStatus.FINISHED
                return
            check_proposal(proposal, search.asked, search.nodes)
            self._p.folder.asked(proposal, worker, search.start(worker), used)
            if search.admit(proposal):
                self._submit(worker, search.begin(worker, proposal, used))

    def _spent(self) -> RunStatus | None:
        """Whether a budget other than steps is spent."""
        search, cap_s = self._search, self._p.budget.real_time_s
        if cap_s is not None and search.clock.process_s >= cap_s:
            return RunStatus.REAL_TIME
        return RunStatus.BUDGET if search.meter.spent(search.time.furthest) else None

    def _revalidate(self) -> None:
        """Give idle workers reruns, once the search is over and its candidates are chosen."""
        search = self._search
        self._revalidation.begin()
        while (
            self._revalidation.begun
            and search.closing is not RunStatus.INTERRUPTED
            and (worker := search.next_idle()) is not None
        ):
            if self._should_stop():
                search.closing = RunStatus.INTERRUPTED
                return
            begun = self._revalidation.next(worker)
            if begun is None:
                return
            search.in_flight[worker] = begun
            self._submit(worker, begun)

    def _run_in_full(self) -> None:
        """Run the chosen program on the full data, once all else is over; else do nothing."""
        search, begun = self._search, self._full_runs.next()
        if begun is None:
            return
        if self._should_stop():
            search.closing = RunStatus.INTERRUPTED
            return
        search.in_flight[WORKER] = begun
        self._submit(WORKER, begun)

    def _end(self) -> RunEnd:
        """Write the end, once."""
        if self._failure is not None:
            raise self._failure
        search, folder = self._search, self._p.folder
        status = search.closing or RunStatus.FINISHED
        winner = self._revalidation.winner
        selected = search.selection.chosen if winner is None else winner
        if self._full_runs.needed:
            selected = self._full_runs.chosen
        if status is not RunStatus.INTERRUPTED:
            if selected is not None and self._full_runs.needed:
                folder.best(search.nodes[selected], folder.full_outbox(selected))
            elif selected is not None:
                search.write_best(selected)
            folder.ended(status, selected, search.time.furthest, search.clock.run_us)
        return RunEnd(status, selected, search.time.furthest, search.meter.steps)

    # one piece of work

    def _submit(self, worker: int, begun: InFlight | None) -> None:
        """Hand a worker its next piece of work, if there is one."""
        if begun is not None:
            work = begun.work
            if isinstance(work, Call):
                self._p.folder.begun(worker, work.request.address.proposal, "call", work.request.deadline_s)
            elif isinstance(work, Embed):
                deadline_s = self._p.context.embedder.deadline_s
                self._p.folder.begun(worker, work.request.address.proposal, "embedding", deadline_s)
            else:
                proposal = work.node if isinstance(work, Rerun | FullRun) else work.proposal
                self._p.folder.begun(worker, proposal, "program", begun.deadline_s)
            self._workers.submit(worker, partial(self._do, begun), begun.order)

    def _do(self, begun: InFlight) -> Result:
        """Blocking; runs in a worker, touches neither optimizer nor journal."""
        work, folder = begun.work, self._p.folder
        if isinstance(work, Call):
            if work.model.live:
                check_space(folder.folder)
            try:
                return with_printable_text(work.model.complete(work.request))
            except PromptFailure as e:
                return with_printable_text(unanswered(e, work.model.name))
        if isinstance(work, Embed):
            try:
                return expect(EmbedReply, self._p.context.embedder.embed(work.request))
            except PromptFailure as e:
                return EmbedReply((), e.usage, printable(str(e)))
        if isinstance(work, Execute):
            job = self._job(f"{work.proposal}", work.program, begun.deadline_s, folder.outbox(work.proposal))
            return expect(ExecResult, execute(self._p.sandbox, self._p.spec, job))
        if isinstance(work, SampleRun):
            return self._try_on_sample(work, begun.deadline_s)
        if isinstance(work, FullRun):
            if self._p.full is None:
                raise ValueError("a run on the full data was begun, and there is none")
            job = self._job(f"{work.node}/full", work.program, begun.deadline_s, folder.full_outbox(work.node))
            return expect(ExecResult, execute(self._p.sandbox, self._p.full.spec, job))
        outbox = folder.rerun_outbox(work.node, work.split)
        job = self._job(f"{work.node}/split-{work.split}", work.program, begun.deadline_s, outbox)
        return expect(ExecResult, execute(self._p.sandbox, work.spec, job))

    def _job(self, address: str, program: str, deadline_s: float, outbox: Path) -> Job:
        """A program to run; what it leaves is kept while the run is this process's."""
        run, check = self._p.context.run_id, self._p.folder.check_held
        return Job(f"{run}/{address}", program, deadline_s, outbox, check_owner=check)

    def _try_on_sample(self, work: SampleRun, deadline_s: float) -> SampleResult:
        """Blocking, as `_do`."""
        context = self._p.context
        if context.sample_runs is None:
            raise ValueError("a sample run was begun, and there is no sample")
        outbox = self._p.folder.sample_outbox(work.proposal)
        job = self._job(f"{work.proposal}/sample", work.program, deadline_s, outbox)
        result = expect(ExecResult, execute(self._p.sandbox, context.sample_runs.spec(), job))
        return SampleResult(result, judge_sample(result, context.scorer))

    def _finish(self, done: Done[Result]) -> None:
        """A worker finished: charge, journal, go on. A failure stops the run once all others are done."""
        search, worker = self._search, done.worker
        ended = search.in_flight.pop(worker)
        self._p.folder.finished(worker)
        if done.result is None:
            search.meter.release(ended.reservation)
            search.closing = RunStatus.INTERRUPTED
            self._failure = self._failure or done.error
            return
        self._write(worker, ended, done.result)
        if ended.trial is not None:
            self._submit(worker, search.proceed(worker, ended.trial, done.result))

    def _write(self, worker: int, ended: InFlight, result: Result) -> None:
        """Charge a piece of work to its worker, and journal it."""
        search, folder, work = self._search, self._p.folder, ended.work
        t = search.time.charge(worker, charged_us(result))
        if isinstance(work, Call) and isinstance(result, Reply):
            folder.replied(work.kind, work.request, t, result, search.settle(ended, result.usage))
            search.first_replies.reply(result)
        elif isinstance(work, Execute) and isinstance(result, ExecResult):
            search.meter.gpu_us += result.gpu_us
            folder.executed(work.proposal, t, work.program, result)
        elif isinstance(work, SampleRun) and isinstance(result, SampleResult):
            search.meter.gpu_us += result.result.gpu_us
            folder.sample_ran(work.proposal, t, work.program, result)
        elif isinstance(work, Embed) and isinstance(result, EmbedReply):
            id, live = work.request.address.proposal, self._p.context.embedder.live
            folder.embedded(id, t, result, live, search.settle(ended, result.usage))
        elif isinstance(work, Rerun) and isinstance(result, ExecResult):
            self._revalidation.ended(work, worker, t, result)
        elif isinstance(work, FullRun) and isinstance(result, ExecResult):
            self._full_runs.ended(work.node, worker, t, result)
        else:
            raise TypeError(f"{type(work).__name__} was answered with {type(result).__name__}")

    def _rescue(self) -> None:
        """Before a failure of our own or of a strategy ends the run: journal what is being paid for elsewhere."""
        in_flight = self._search.in_flight
        while in_flight:
            done = self._workers.next()
            ended = in_flight.pop(done.worker)
            if done.result is not None:
                with contextlib.suppress(Exception):  # the failure under way is the one to report
                    self._write(done.worker, ended, done.result)
