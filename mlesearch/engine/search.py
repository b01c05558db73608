"""The state of a search, and the lines that move it: a proposal begins, a piece of its work ends, it is told.

Two callers move it, so that a run and a resumed run come to the same state: the loop, where work ends now
(`mlesearch.engine.loop`), and the fold, which reads that it ended in an earlier process (`mlesearch.engine.resume`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlesearch.budgets.meter import Meter
from mlesearch.engine import scoring
from mlesearch.engine.clock import Timelines, WallClock
from mlesearch.engine.parts import EngineParts, RunStatus
from mlesearch.engine.refusals import FirstReplies
from mlesearch.engine.selection import Selection
from mlesearch.engine.trial import BudgetView, Trial, TrialEnd
from mlesearch.engine.work import BudgetSpent, Call, Execute, Result, SampleRun, TrialWork, Work
from mlesearch.models.price import WorstCase
from mlesearch.types import MICROSECONDS, ExecResult, Node, Op, Proposal, Usage, Verdict

NOTHING = WorstCase(0, 0)


@dataclass(frozen=True, slots=True)
class InFlight:
    """What one worker is doing.

    Attributes:
        work: the piece of work.
        order: proposal and stage (of a rerun: split and node): breaks ties between works that end at the same moment.
        trial: whose work it is; None for a rerun.
        reservation: of the budget, until it ends.
        deadline_s: what a program may take.
    """

    work: Work
    order: tuple[int, int]
    trial: Trial | None = None
    reservation: WorstCase = NOTHING
    deadline_s: float = 0.0


class Search:
    """What a run knows at one moment.

    Attributes:
        parts: what the engine is made of.
        meter: what is spent and reserved.
        time: charged time of each worker.
        clock: wall-clock time.
        selection: what would be submitted now.
        nodes: finished programs, by proposal.
        in_flight: what each worker is doing; one that is not in it is idle.
        asked: how many proposals there were.
        closing: how the run ends; None as long as proposals may follow.
        closed_us: charged time at which the search ended and reruns began; None before.
        graded: nodes that an earlier process has graded.
        first_replies: whether anything but one and the same refusal has come yet.
    """

    def __init__(self, parts: EngineParts) -> None:
        """Nothing was asked yet."""
        self.parts = parts
        self.meter = Meter(parts.budget)
        self.time = Timelines(parts.execution.workers)
        self.clock = WallClock()
        self.selection = Selection(parts.selection, parts.direction)
        self.nodes: dict[int, Node] = {}
        self.in_flight: dict[int, InFlight] = {}
        self.asked = 0
        self.closing: RunStatus | None = None
        self.closed_us: int | None = None
        self.graded: set[int] = set()
        self.first_replies = FirstReplies()
        self._told_us = 0  # charged time of the latest outcome told
        self._best_written: int | None = None

    @property
    def ended(self) -> RunStatus | None:
        """How the search has ended by itself; None where it goes on, was cut off, or still has work under way."""
        cut_off = self.closing in (RunStatus.INTERRUPTED, RunStatus.REAL_TIME)
        return None if cut_off or self.in_flight else self.closing

    # a proposal

    def next_idle(self) -> int | None:
        """The worker that gets the next work, at the charged time at which it does; None where all are busy."""
        return self.time.next_idle(self.in_flight)

    def start(self, worker: int) -> int:
        """Let an idle worker wait for what gave it work; returns the charged time at which it begins."""
        return self.time.start(worker, self._told_us)

    def admit(self, proposal: Proposal) -> bool:
        """Count a proposal, or refuse it and let the run end; a refused one is never told."""
        self.asked += 1
        if self.meter.steps_spent and proposal.op is not Op.DIAGNOSE:
            self.closing = RunStatus.COMPLETED
        elif proposal.op.makes_program:
            self.meter.steps += 1
        elif self.meter.judgements_spent:
            self.closing = RunStatus.BUDGET
        else:
            self.meter.judgements += 1
        return self.closing is None

    def begin(self, worker: int, proposal: Proposal, used: float) -> InFlight | None:
        """Begin a proposal; its prompt is rendered now, from what is known now. Returns its first piece of work."""
        left_us = self.meter.time_left_us(self.time.at(worker))
        left_s = None if left_us is None else left_us / MICROSECONDS
        view = BudgetView(used, self.limit_s(worker), left_s)
        return self.proceed(worker, Trial(self.parts.context, proposal, self.nodes, view), None)

    def limit_s(self, worker: int) -> float:
        """The time limit of the program of a proposal that begins now.

        It is fixed then: the prompt names it, and the program runs under it, however long the calls before it take.
        """
        return self.meter.program_limit_s(self.parts.spec.limits.time_s, self.time.at(worker))

    def rerun_limit_s(self, worker: int, kept_s: float = 0.0) -> float:
        """What a program may take that runs again after the search: its limit, or what is left of all the time.

        The reserve is included. A run on the full data has it whole, also where the search has overdrawn its time.

        Args:
            worker: that runs it.
            kept_s: of the time, for what follows.
        """
        limit_s, time_s = self.parts.spec.limits.time_s, self.parts.budget.time_s
        if time_s is None:
            return limit_s
        if self.parts.full is not None and self.closed_us is not None:
            time_s = max(time_s, self.closed_us / MICROSECONDS + self.parts.budget.reserve_s)
        return min(limit_s, time_s - kept_s - self.time.at(worker) / MICROSECONDS)

    def proceed(self, worker: int, trial: Trial, result: Result | None) -> InFlight | None:
        """Send a result into a trial.

        Returns:
            The next piece of work for the same worker; None where the trial has ended and was told, or may not go on.
        """
        try:
            work = trial.flow.send(result)
            while (begun := self._afford(worker, trial, work)) is None:
                work = trial.flow.throw(BudgetSpent("the next piece of work fits no more into the budget"))
        except StopIteration as stop:
            self._tell(worker, stop.value)
        except BudgetSpent:
            self.closing = self.closing or RunStatus.BUDGET
        else:
            self.in_flight[worker] = begun
            return begun
        return None

    def _tell(self, worker: int, end: TrialEnd) -> None:
        """Grade and keep the node, tell the strategy, write what it decided."""
        outcome = end.outcome
        if end.result is not None:
            self.grade(outcome.id, outcome.valid, end.result)
        verdicts = self.parts.optimizer.tell(outcome)
        t = self.time.at(worker)
        self.parts.folder.told(outcome, verdicts, t, self.clock.run_us, end.problem)
        self.learn(end.node, verdicts, t)
        self.write_best(self.selection.best)

    def grade(self, id: int, valid: bool, result: ExecResult) -> None:
        """Write the test grade of a valid node, once; nothing that decides reads it.

        Where the search sees a part of the data there is none: what its programs submit is no test submission.
        """
        if not valid:
            self.parts.folder.drop_outbox(id)
        elif self.parts.full is None and id not in self.graded:
            self.parts.folder.graded(id, scoring.grade(result, self.parts.context.scorer))

    def learn(self, node: Node | None, verdicts: Sequence[Verdict], t: int) -> None:
        """What prompts, selection and timelines know of a told proposal."""
        if node is not None:
            self.nodes[node.id] = node
            self.parts.context.scope.add(node)
            self.selection.add(node)
        self.selection.decide(verdicts)
        self._told_us = max(self._told_us, t)

    def write_best(self, best: int | None) -> None:
        """Let `best/` hold this node, or nothing; what was handed over stays until there is something better.

        Of a submission, where the search sees a part of the data, there is none before the run on the full data.
        """
        if best == self._best_written:
            return
        if best is None:
            self.parts.folder.drop_best()
        else:
            folder = self.parts.folder
            folder.best(self.nodes[best], folder.outbox(best) if self.parts.full is None else None)
            if self.parts.delivery is not None:
                self.parts.delivery.put(folder.folder / "best")
        self._best_written = best

    # budgets

    def _afford(self, worker: int, trial: Trial, work: TrialWork) -> InFlight | None:
        """Reserve the worst case of paid work, set the deadline of a program; None where it fits no more."""
        reservation, deadline_s = NOTHING, 0.0
        if isinstance(work, Execute | SampleRun):
            if self.meter.program_left_us(self.time.at(worker)) == 0:
                return None
            deadline_s = trial.limit_s if isinstance(work, Execute) else work.limit_s
        else:
            price = work.model.price if isinstance(work, Call) else self.parts.context.embedder.price
            reservation = work.request.worst_case(price)
            if not self.meter.reserve(reservation, self.time.furthest):
                return None
        trial.stages += 1
        return InFlight(work, (trial.proposal.id, trial.stages), trial, reservation, deadline_s)

    def settle(self, ended: InFlight, usage: Usage) -> int:
        """Charge what a call cost in place of what was reserved for it; returns the nano-dollars charged."""
        self.meter.release(ended.reservation)
        return self.meter.settle(usage, ended.reservation.cost_nusd)
