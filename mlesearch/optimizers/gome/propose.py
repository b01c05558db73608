"""What a proposal of a step says: its operator, nodes and guidance; the mix of problems; the choice of a hypothesis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mlesearch.optimizers.gome.accept import Decision
from mlesearch.optimizers.gome.memory import LazyRng, MemoryEntry
from mlesearch.optimizers.gome.settings import GomeSettings
from mlesearch.optimizers.gome.traces import Stage, Step, Trace
from mlesearch.types import Component, Diagnosis, Guidance, GuidanceKind, Hypothesis, Op, Proposal, VerdictKind

PROBLEMS = 3
"""Sum of the weights of scenario and feedback problems."""

TOP = 5
"""Hypotheses that `selection: rank` samples from."""

ENSEMBLE_FAVOUR = 2.0
"""Factor on the weight of an ensemble hypothesis in the last stage."""

_STAGES = {
    "draft": "draft: a sound and complete first program matters most. Settle the split (it mirrors how the test rows "
    "differ from the training rows), the loss that fits the metric, and one strong model family with settings near its "
    "defaults. Validate on one holdout or on two to three folds, so that the program ends early. Leave searches over "
    "settings and ensembles for later.",
    "improve": "improve: one strong change to the accepted program. Look first for information in the data that is not "
    "used yet, then at the loss and the target, then at the model family, and last at its settings. Use about five "
    "folds where the run times shown leave room for them, fewer where they do not. Do not repeat what has failed.",
    "ensemble": "ensemble: more than seven tenths of the budget are used. The next hypothesis has to be of the "
    "component ensemble: combine models that err differently and have been seen to work here (average, weights found "
    "out of fold, a simple stack; several seeds or the models of all folds count as well). Spend the run time that is "
    "left under the limit on more members, and begin no new line of work.",
    "merge": "merge: the lines of work are brought together. History holds what each of them has had accepted. The "
    "base program is the best of all; propose what of the others' changes it should take over, or how to combine its "
    "predictions with theirs, so that the run times still fit under the limit.",
}


def stage_of(used: float) -> str:
    """The stage of the search: draft below 10 % of the budget, ensemble above 70 %, else improve."""
    return "draft" if used < 0.1 else "ensemble" if used > 0.7 else "improve"


def step_stage(step: Step, used: float) -> str:
    """The stage that a step is told: a first program is a draft and a merge a merge whenever it is made."""
    return "draft" if step.op is Op.DRAFT else "merge" if step.op is Op.MERGE else stage_of(used)


def scenario_weight(accepted: int, failed: int) -> int:
    """The weight of scenario problems, m = max(0, 3 - ((3 accepted + 2 failed) // 2) // 4); feedback has 3 - m."""
    return max(0, PROBLEMS - ((3 * accepted + 2 * failed) // 2) // 4)


def rank(candidates: Sequence[Hypothesis], used: float, draws: LazyRng) -> Hypothesis:
    """Sample one of the five best hypotheses in proportion to the weighted sum of their five scores."""
    favour = ENSEMBLE_FAVOUR if stage_of(used) == "ensemble" else 1.0
    weights = [h.scores.weighted * (favour if h.component is Component.ENSEMBLE else 1.0) for h in candidates]
    top = sorted(range(len(candidates)), key=lambda i: (-weights[i], i))[:TOP]
    total = np.cumsum([max(weights[i], 0.0) for i in top])
    if len(top) == 1 or not total[-1] > 0:
        return candidates[top[0]]
    place = int(np.searchsorted(total, draws().random() * total[-1], side="right"))
    return candidates[top[min(place, len(top) - 1)]]


def proposal(
    id: int, trace: Trace, step: Step, settings: GomeSettings, used: float, avoid: Iterable[Guidance]
) -> Proposal:
    """The proposal of a step's stage.

    Args:
        id: of the proposal.
        trace: whose step it is.
        step: with its candidates, choice and retrieved entries as far as they are known.
        settings: the switches.
        used: share of the budget.
        avoid: what the other traces follow, where this one must differ.
    """
    tested = tuple(hypothesis(h) for h in step.chosen)
    recalled = tuple(memory(e) for e in step.retrieved)
    diagnosis = () if trace.diagnosis is None or not settings.diagnosis else (trace.diagnosis,)
    stage = (Guidance(GuidanceKind.STAGE, _STAGES[step_stage(step, used)]),) if settings.diagnosis else ()
    history = step.lessons or _history(trace, settings)
    op, base, subject, parents = step.op, step.base, None, step.parents
    context: tuple[int, ...] | None = ()
    match step.stage:
        case Stage.HYPOTHESIZE:
            op, parents, context = Op.HYPOTHESIZE, (), step.others
            guidance = (problem_mix(trace), *diagnosis, *history, *recalled, *avoid, *stage)
        case Stage.SELECT:
            op, parents, context = Op.SELECT, (), step.others
            guidance = (*(candidate(h) for h in step.candidates), *diagnosis, *history, *recalled, *avoid, *stage)
        case Stage.DIAGNOSE:
            op, parents, subject = Op.DIAGNOSE, (), step.node
            guidance = (*tested, *diagnosis, *stage)
        case Stage.DEBUG:
            op, base, parents = Op.DEBUG, step.buggy[-1], (step.buggy[-1],)
            context = tuple(step.buggy[:-1])
            guidance = tested
        case Stage.IMPLEMENT if step.op is Op.MERGE:
            context, guidance = step.others, (*tested, *history)
        case Stage.IMPLEMENT:
            context = tuple(g.node for g in history if g.node is not None and g.node != base)
            seen_by_select = () if step.selected else recalled
            guidance = (*tested, *diagnosis, *seen_by_select, *avoid, *(() if tested else stage))
    if not settings.momentum and not settings.diagnosis and op is not Op.MERGE:
        context = None
    return Proposal(id, op, base, subject, parents, context, guidance, trace.index)


def _history(trace: Trace, settings: GomeSettings) -> tuple[Guidance, ...]:
    """A trace's experiments: the accepted ones, unless momentum is off, and the failures since the last of them."""
    return (*trace.successes, *trace.failures) if settings.momentum else tuple(trace.failures)


def problem_mix(trace: Trace) -> Guidance:
    """How many problems to take from scenario and from feedback."""
    m = scenario_weight(trace.n_accepted, trace.n_failed)
    return Guidance(GuidanceKind.PROBLEM_MIX, f"scenario: {m}, feedback: {PROBLEMS - m}")


def hypothesis(h: Hypothesis) -> Guidance:
    """Implement this (or, for a diagnosis: this was tested)."""
    return Guidance(GuidanceKind.HYPOTHESIS, h.text, component=h.component, problem=h.problem)


def candidate(h: Hypothesis) -> Guidance:
    """One of the options of SELECT, with all that HYPOTHESIZE said of it."""
    return Guidance(
        GuidanceKind.CANDIDATE,
        h.text,
        component=h.component,
        problem=h.problem,
        problem_kind=h.problem_kind,
        ratings=h.scores,
    )


def avoided(h: Hypothesis) -> Guidance:
    """Another trace follows this; its score is not told."""
    return Guidance(GuidanceKind.AVOID, h.text, component=h.component)


def memory(e: MemoryEntry) -> Guidance:
    """An experiment that was accepted, with its score, its gain and what was learned from it."""
    kind, verdict = GuidanceKind.MEMORY, VerdictKind.ACCEPTED
    return Guidance(kind, e.text, e.node, e.score, e.component, verdict, gain=e.gain, finding=e.finding)


def diagnosed(d: Diagnosis, step: Step, kind: VerdictKind) -> Guidance:
    """What a diagnosis found, for the next step of its trace."""
    supported = {True: "supported", False: "refuted", None: "undecided"}[d.hypothesis_supported]
    text = f"Changes: {d.changes}\nObservations: {d.observations}\nHypothesis: {supported}\nReason: {d.reason}"
    return Guidance(GuidanceKind.DIAGNOSIS, text, step.node, counted(step, kind), step.component, kind)


def experiment(step: Step, decision: Decision, diagnosis: Diagnosis | None, gain: float | None) -> Guidance:
    """An earlier experiment of a trace and its verdict."""
    kind = decision.kind
    return Guidance(
        GuidanceKind.HISTORY,
        step.text,
        step.node,
        counted(step, kind),
        step.component,
        kind,
        problem=step.problem,
        gain=None if kind is VerdictKind.VOID else gain,
        changes=diagnosis.changes if diagnosis is not None else "",
        finding=". ".join(part for part in (decision.reason, learned(step, diagnosis)) if part),
    )


def learned(step: Step, diagnosis: Diagnosis | None) -> str:
    """What a step's program taught: the diagnosis' observations and reason, or without one the program's lesson."""
    return step.lesson if diagnosis is None else f"{diagnosis.observations} {diagnosis.reason}".strip()


def counted(step: Step, kind: VerdictKind) -> float | None:
    """The score of a step's program, unless it does not count."""
    return None if kind is VerdictKind.VOID else step.score
