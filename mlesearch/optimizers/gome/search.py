"""Gome, reasoning as gradient: diagnose an executed program, step along a chosen hypothesis, remember what helped.

The gradient is a structured diagnosis, the step a hypothesis implemented as an edit, momentum a success memory shared
by all traces, and distributed optimisation several traces from starts that must differ. The sources are the Gome paper
and the released RD-Agent; `docs/strategies.md` lists where this departs from them.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlesearch.optimizers.base import made_program
from mlesearch.optimizers.gome import propose
from mlesearch.optimizers.gome.accept import Decision, Scores, decide
from mlesearch.optimizers.gome.memory import Memory
from mlesearch.optimizers.gome.merge import merged
from mlesearch.optimizers.gome.momentum import Momentum
from mlesearch.optimizers.gome.settings import GomeSettings
from mlesearch.optimizers.gome.traces import Stage, Step, Trace
from mlesearch.types import Diagnosis, Guidance, GuidanceKind, Op, Outcome, Problem, Proposal, Rng, Verdict, VerdictKind

MAX_CANDIDATES = 5
"""Hypotheses of one call that are used."""

_ROUNDING = 1e-9


class Gome:
    """The oldest started step moves first; else the next idle trace starts one: its own, or a merge near the end."""

    def __init__(self, settings: GomeSettings, problem: Problem, rng: Rng) -> None:
        self._s = settings
        self._direction = problem.direction
        self._max_debug = settings.max_debug_in_trial_runs if problem.trial_runs else settings.max_debug
        self._asked = 0
        self._started = 0
        self._next = 0
        self._traces = [Trace(i, settings.history) for i in range(settings.n_traces)]
        self._pending: dict[int, Trace] = {}
        self.scores = Scores()
        self.memory = Memory(problem.direction)
        self._momentum = Momentum(settings, self.memory, self.scores, rng)

    def ask(self, used: float) -> Proposal | None:
        """See `Optimizer.ask`."""
        trace = self._due(used) or self._round_robin(used)
        if trace is None or trace.step is None:
            return None
        step = trace.step
        self._momentum.prepare(trace, step, used, self._asked)
        proposal = propose.proposal(self._asked, trace, step, self._s, used, self._avoid(trace, step))
        self._asked += 1
        step.in_flight = True
        step.debugs += proposal.op is Op.DEBUG
        self._pending[proposal.id] = trace
        return proposal

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        """See `Optimizer.tell`; the verdict comes with the outcome that closes a step."""
        trace = self._pending.pop(outcome.id)
        step = trace.step
        if step is None:
            raise ValueError(f"proposal {outcome.id} belongs to no step in progress")
        step.in_flight = False
        if outcome.op is Op.DIAGNOSE:
            return self._close(trace, step, self._decide(step, outcome.diagnosis), outcome.diagnosis)
        if outcome.op.makes_program:
            return self._program_told(trace, step, outcome)
        (self._hypotheses_told if outcome.op is Op.HYPOTHESIZE else self._choice_told)(trace, step, outcome)
        return ()

    # which step moves

    def _due(self, used: float) -> Trace | None:
        """The trace whose step is the oldest that can move; with the budget used up, a diagnosis goes before all."""
        best: tuple[bool, int] | None = None
        found: Trace | None = None
        for trace in self._traces:
            if trace.step is not None and trace.due:
                key = (used >= 1.0 and trace.step.stage is not Stage.DIAGNOSE, trace.step.started)
                if best is None or key < best:
                    best, found = key, trace
        return found

    def _round_robin(self, used: float) -> Trace | None:
        """Start a step in the next idle trace: a merge near the end, else the trace's own next one."""
        for k in range(len(self._traces)):
            trace = self._traces[(self._next + k) % len(self._traces)]
            if trace.step is None:
                self._next = (trace.index + 1) % len(self._traces)
                return self._begin(trace, self._merge(trace, used) or self._own(trace))
        return None

    def _own(self, trace: Trace) -> Step:
        """The next step of a trace: from its accepted program, or a draft."""
        op = Op.DRAFT if trace.accepted is None else Op.IMPROVE
        lineage = () if trace.last is None else (trace.last,)
        return Step(self._started, op, self._first_stage, trace.accepted, trace.accepted_score, lineage)

    def _merge(self, trace: Trace, used: float) -> Step | None:
        """A step that brings the traces together, in the window at the end of the budget; None outside of it."""
        if not self._s.merge or used < 1.0 - self._s.merge_window - _ROUNDING:
            return None
        found = merged(self._traces, self._direction, self._s.history if self._s.momentum else 0)
        if found is None:
            return None
        lineage = tuple(dict.fromkeys(n for n in (trace.last, found.base, *found.others) if n is not None))
        stage, others, lessons = self._first_stage, found.others, found.lessons
        return Step(self._started, Op.MERGE, stage, found.base, found.score, lineage, others, lessons)

    @property
    def _first_stage(self) -> Stage:
        return Stage.HYPOTHESIZE if self._s.diagnosis else Stage.IMPLEMENT

    def _begin(self, trace: Trace, step: Step) -> Trace:
        trace.step = step
        self._started += 1
        return trace

    def _avoid(self, trace: Trace, step: Step) -> tuple[Guidance, ...]:
        """What the other traces follow, in flight included, for a step that starts from no program."""
        if not self._s.diversify or step.base is not None:
            return ()
        found = {g.text: g for t in self._traces if t is not trace for g in (*t.approach, *t.current)}
        return tuple(found.values())

    # what an outcome changes

    def _hypotheses_told(self, trace: Trace, step: Step, outcome: Outcome) -> None:
        step.candidates = outcome.hypotheses[:MAX_CANDIDATES]
        step.stage = Stage.IMPLEMENT
        if step.op is Op.DRAFT:
            step.chosen = step.candidates
            trace.approach = tuple(propose.avoided(h) for h in step.chosen)
        elif step.candidates and self._s.selection == "llm":
            step.stage = Stage.SELECT

    def _choice_told(self, trace: Trace, step: Step, outcome: Outcome) -> None:
        step.chosen, step.selected = outcome.hypotheses[:1], bool(outcome.hypotheses)
        step.stage = Stage.IMPLEMENT
        trace.current = tuple(propose.avoided(h) for h in step.chosen)

    def _program_told(self, trace: Trace, step: Step, outcome: Outcome) -> Sequence[Verdict]:
        """Diagnose a valid program, debug a buggy one while rounds are left; a step without one has failed."""
        if made_program(outcome):
            step.learn_program(outcome)
            trace.last = outcome.id
            if step.op is Op.DRAFT and not step.chosen and step.plan:
                trace.approach = (Guidance(GuidanceKind.AVOID, step.plan),)
        if step.score is not None:
            self.scores.add(step.score)
            if not self._s.diagnosis:
                return self._close(trace, step, self._decide(step, None), None)
            step.stage = Stage.DIAGNOSE
        elif step.buggy and step.debugs < self._max_debug:
            step.stage = Stage.DEBUG
        else:
            reason = f"not valid after {step.debugs} debugs" if step.buggy else "no usable program"
            return self._close(trace, step, Decision(VerdictKind.REJECTED, reason), None)
        return ()

    def _decide(self, step: Step, diagnosis: Diagnosis | None) -> Decision:
        if step.score is None:
            raise ValueError("only a valid program is decided about")
        tie = self._s.tie_tolerance and self._s.tie_tolerance * self.scores.spread  # the spread may be infinite
        by_model = self._s.acceptance == "llm"
        return decide(diagnosis, step.score, step.reference, self._direction, tie, by_model)

    def _close(self, trace: Trace, step: Step, decision: Decision, diagnosis: Diagnosis | None) -> Sequence[Verdict]:
        """End a step: remember it, move the trace on, and say what became of its program."""
        kind = decision.kind
        if diagnosis is not None:
            trace.diagnosis = propose.diagnosed(diagnosis, step, kind)
        if kind is VerdictKind.VOID and step.score is not None:
            self.scores.discard(step.score)
        if kind is VerdictKind.ACCEPTED:
            self._remember(trace, step, diagnosis)
        experiment = propose.experiment(step, decision, diagnosis, step.gain(self._direction))
        trace.close(kind, experiment, self._betters(step.score, trace.best_score))
        return () if step.node is None else (Verdict(step.node, kind, decision.reason),)

    def _remember(self, trace: Trace, step: Step, diagnosis: Diagnosis | None) -> None:
        """An accepted score counts for the spread; where it improved, or is its trace's first, the memory keeps it."""
        if step.score is None or step.node is None:
            return
        self.scores.accept(step.score)
        if self._betters(step.score, step.reference):
            self.memory.add(
                step.text,
                step.score,
                trace.index,
                step.node,
                step.embedding,
                step.component,
                step.gain(self._direction),
                propose.learned(step, diagnosis),
            )

    def _betters(self, score: float | None, reference: float | None) -> bool:
        return score is not None and (reference is None or self._direction.better(score, reference))
