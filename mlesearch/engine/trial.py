"""The life of one proposal, from its prompt to its outcome, as a generator of blocking work.

`Trial.flow` yields a piece of work (a call, an embedding, an execution) and is sent its result; it touches no journal
and waits for nothing. The engine hands the work to a worker, or answers it from the journal of an earlier process:
either way the same lines below run, which is why a resumed run goes on exactly where it stood.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from mlesearch.engine.sample_runs import SampleRuns
from mlesearch.engine.scoring import Judged, Scorer, judge, output_text
from mlesearch.engine.work import (
    BudgetSpent,
    Call,
    Embed,
    Execute,
    Result,
    SampleResult,
    SampleRun,
    TrialWork,
    expect,
)
from mlesearch.models.protocol import (
    PROMPT_FAILURES,
    Address,
    BadRequest,
    ContextOverflow,
    Embedder,
    EmbedReply,
    EmbedRequest,
    Message,
    Model,
    NeverAnswered,
    PromptFailure,
    Reply,
    Request,
    Sampling,
)
from mlesearch.operators.again import in_text
from mlesearch.operators.base import Brief, Operators, Parsed, Resources, Scene, Scope
from mlesearch.storage.events import CallKind
from mlesearch.types import (
    MICROSECONDS,
    Diagnosis,
    ExecResult,
    GuidanceKind,
    Hypothesis,
    Node,
    Op,
    Outcome,
    Proposal,
    ReplyUnusable,
    Status,
    Usage,
    printable,
)

REVIEW_ATTEMPTS = 100
"""Attempts of a review are numbered from here, so that they can't meet those of the proposal's own calls."""


UNANSWERED = frozenset(kind.finish for kind in PROMPT_FAILURES)
"""Finish reasons of replies that hold no answer to their prompt."""

REFUSED = {
    ContextOverflow.finish: "the prompt is longer than the model takes",
    BadRequest.finish: "the provider refuses this prompt",
    NeverAnswered.finish: "the provider never answers this prompt",
}
"""Finish reasons of replies to prompts that may be taken with less context."""


def unanswered(error: PromptFailure, model: str) -> Reply:
    """The reply that stands for a prompt's failure: what was billed for it is kept, its text says what happened."""
    return Reply(str(error), error.finish, error.usage, model)


def with_printable_text(reply: Reply) -> Reply:
    """A reply whose text can be written."""
    text = printable(reply.text)
    return reply if text == reply.text else replace(reply, text=text)


def parsed_reply(operators: Operators, op: Op, reply: Reply) -> Parsed:
    """What a reply holds.

    Raises:
        ReplyUnusable: it can't be read, or it ended at its length limit within the block of its program.
    """
    parsed = operators.parse(op, reply.text)
    if parsed.unclosed and reply.finish == "length":
        raise ReplyUnusable("it is cut off at its length limit: the program's block is not closed.")
    return parsed


@dataclass(frozen=True, slots=True)
class Role:
    """Which model answers an operator, and how it samples."""

    model: Model
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class TrialEnd:
    """The end of a proposal.

    Attributes:
        outcome: what the strategy is told.
        node: the program it made, if any.
        result: the execution to grade.
        problem: why its program counts as failed, where that is not what ended it: what was wrong with what it left
            behind, that it failed on a sample, or that the review calls it a bug.
    """

    outcome: Outcome
    node: Node | None = None
    result: ExecResult | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RunContext:
    """All that the proposals of one run share.

    Attributes:
        run_id: for addresses.
        entropy: the replicate seed.
        roles: model and sampling of each operator.
        review: whether the model reviews executed programs.
        call_timeout_s: wall-clock limit of one call.
        audit: whether a valid program that the review calls a bug counts as failed; it is reviewed in any case.
        sample_runs: what programs must pass before they run in full; None: nothing.
    """

    run_id: str
    entropy: int
    brief: Brief
    resources: Resources
    operators: Operators
    scope: Scope
    roles: Mapping[Op, Role]
    embedder: Embedder
    scorer: Scorer
    review: bool
    call_timeout_s: float
    audit: bool = False
    sample_runs: SampleRuns | None = None


@dataclass(frozen=True, slots=True)
class BudgetView:
    """What a proposal's prompts say of the budget: as it was when the proposal began.

    Attributes:
        used: fraction that the strategy was told of.
        limit_s: time limit of the proposal's program.
        time_left_s: of the search on the timeline of its worker; None where no time budget is declared.
    """

    used: float
    limit_s: float
    time_left_s: float | None = None


NO_USAGE = Usage()

T = TypeVar("T")
Flow = Generator[TrialWork, Result | None, T]
"""Yields work, is sent its result (None at first) or thrown `BudgetSpent`, and returns what it came to."""


class Trial:
    """One proposal under way."""

    def __init__(self, context: RunContext, proposal: Proposal, nodes: Mapping[int, Node], view: BudgetView) -> None:
        """Nothing happens before the first `send` to `flow`.

        Args:
            context: what all proposals share.
            proposal: what the strategy wants.
            nodes: every finished program; it grows while the proposal is under way.
            view: what its prompts say of the budget; its program runs under the limit in it.
        """
        self.proposal = proposal
        self.limit_s = view.limit_s
        self.stages = 0  # pieces of work handed to a worker
        self.flow: Flow[TrialEnd] = self._run()
        self._c = context
        self._nodes = nodes
        self._view = view
        self._usage = NO_USAGE

    def _run(self) -> Flow[TrialEnd]:
        p, c = self.proposal, self._c
        context = p.context if p.context is not None else c.scope.context(p, self._nodes)
        scene = self._scene(context, c.scope.cue(p))
        try:
            parsed = yield from self._converse(p.op, "reply", 0, scene, c.operators.render)
        except ReplyUnusable as e:
            return TrialEnd(self._outcome(Status.REPLY_UNUSABLE, lesson=str(e)))
        if p.op.makes_program:
            return (yield from self._execute(parsed))
        if parsed.hypotheses:
            try:
                parsed = yield from self._embed(parsed)
            except ReplyUnusable as e:
                return TrialEnd(self._outcome(Status.REPLY_UNUSABLE, lesson=str(e)))
        return TrialEnd(self._outcome(Status.OK, diagnosis=parsed.diagnosis, hypotheses=parsed.hypotheses))

    def _scene(self, context: tuple[int, ...], cue: str) -> Scene:
        c, view = self._c, self._view
        left = 10 - int(10 * view.used)
        return Scene(
            c.brief, c.resources, self.proposal, self._nodes, context, cue, left, view.limit_s, view.time_left_s
        )

    def _outcome(
        self,
        status: Status,
        *,
        score: float | None = None,
        plan: str = "",
        lesson: str = "",
        diagnosis: Diagnosis | None = None,
        hypotheses: tuple[Hypothesis, ...] = (),
    ) -> Outcome:
        p = self.proposal
        return Outcome(p.id, p.op, status, score, plan, lesson, diagnosis, hypotheses, self._usage)

    # conversation

    def _converse(
        self, op: Op, kind: CallKind, attempt: int, scene: Scene, render: Callable[[Scene], tuple[Message, ...]]
    ) -> Flow[Parsed]:
        """Call until the reply parses: one repair turn, one retry after truncation, one with half of the context.

        A prompt that is refused costs its step at most: whatever the refusal says, it is asked once more, with less
        context where there is some, and then the reply counts as unusable. A reply that was cut at a limit that can't
        be raised is not asked for again in the same words.

        Raises:
            ReplyUnusable: it did not, within those.
            BudgetSpent: the next call fits no more.
        """
        role = self._c.roles[op]
        messages = render(scene)
        sampling = role.sampling
        left = {"repair": 1, "length": 1, "shrink": 1, "again": 1}
        while True:
            reply = yield from self._call(kind, op, attempt, messages, sampling, role)
            if reply.finish in REFUSED:
                if not left["shrink"]:
                    raise ReplyUnusable(f"{REFUSED[reply.finish]}: {reply.text}")
                left["shrink"] = 0
                messages = render(replace(scene, context=scene.context[: len(scene.context) // 2]))
            elif reply.finish in UNANSWERED:
                if not left["again"]:
                    raise ReplyUnusable(f"the model gave no answer: {reply.text}")
                left["again"] = 0
                messages = in_text(messages, reply.finish)
            else:
                try:
                    return parsed_reply(self._c.operators, op, reply)
                except ReplyUnusable as e:
                    if reply.finish == "length" and left["length"] and reply.limit_tokens is None:
                        left["length"] = 0
                        sampling = replace(sampling, max_tokens=2 * sampling.max_tokens)
                    elif left["repair"]:
                        left["repair"] = 0
                        messages = self._c.operators.repair(messages, reply.text, str(e))
                    else:
                        raise
            attempt += 1

    def _call(
        self, kind: CallKind, op: Op, attempt: int, messages: tuple[Message, ...], sampling: Sampling, role: Role
    ) -> Flow[Reply]:
        c, p = self._c, self.proposal
        address = Address(c.run_id, p.trace, p.id, op, attempt)
        request = Request(messages, sampling, address, c.entropy, c.call_timeout_s)
        reply = expect(Reply, (yield Call(kind, request, role.model)))
        self._usage += reply.usage
        return reply

    def _embed(self, parsed: Parsed) -> Flow[Parsed]:
        """Give hypotheses their vectors.

        Raises:
            ReplyUnusable: the embedder takes none of these texts.
        """
        c, p = self._c, self.proposal
        texts = tuple(h.text for h in parsed.hypotheses)
        address = Address(c.run_id, p.trace, p.id, p.op)
        reply = expect(EmbedReply, (yield Embed(EmbedRequest(texts, address))))
        self._usage += reply.usage
        if reply.problem:
            raise ReplyUnusable(f"its hypotheses got no vectors: {reply.problem}")
        hypotheses = tuple(replace(h, embedding=v) for h, v in zip(parsed.hypotheses, reply.vectors, strict=True))
        return replace(parsed, hypotheses=hypotheses)

    # execution and review

    def _execute(self, parsed: Parsed) -> Flow[TrialEnd]:
        c, id = self._c, self.proposal.id
        if c.sample_runs is not None:
            limit_s = c.sample_runs.limit_s(self.limit_s)
            sample = expect(SampleResult, (yield SampleRun(id, parsed.code, limit_s)))
            if sample.status is not Status.OK:
                failed = Judged(sample.status, None, c.sample_runs.failed(sample.problem, limit_s))
                return (yield from self._executed(parsed, sample.result, failed, limit_s))
        result = expect(ExecResult, (yield Execute(id, parsed.code)))
        return (yield from self._executed(parsed, result, judge(result, c.scorer), self.limit_s))

    def _executed(self, parsed: Parsed, result: ExecResult, judged: Judged, limit_s: float) -> Flow[TrialEnd]:
        """Review what has run; where it is audited, a program that the review calls a bug has failed."""
        c, p = self._c, self.proposal
        outcome = self._outcome(judged.status, score=judged.score, plan=parsed.plan, lesson=judged.problem)
        node = make_node(p, outcome, parsed.code, judged.problem, result, limit_s)
        audited = c.audit and outcome.valid
        if c.review or audited:
            review = yield from self._review(node)
            lesson = review.lesson if review is not None and c.review else ""
            if audited and review is not None and review.is_bug:
                judged = Judged(Status.JUDGED_BUG, None, f"its review calls it a bug: {review.lesson}")
            outcome = replace(
                outcome,
                status=judged.status,
                score=judged.score,
                lesson=lesson or judged.problem,
                usage=self._usage,
            )
            node = make_node(p, outcome, parsed.code, judged.problem, result, limit_s)
        return TrialEnd(outcome, node, result, "" if judged.problem == result.reason else judged.problem)

    def _review(self, node: Node) -> Flow[Parsed | None]:
        """What the model says of an executed program; None where that is unusable, or fits no more into the budget."""

        def render(scene: Scene) -> tuple[Message, ...]:
            return self._c.operators.render_review(scene, node)

        try:
            return (yield from self._converse(Op.REVIEW, "review", REVIEW_ATTEMPTS, self._scene((), ""), render))
        except (ReplyUnusable, BudgetSpent):
            return None


def make_node(p: Proposal, outcome: Outcome, code: str, problem: str, result: ExecResult, limit_s: float) -> Node:
    """The node of a program proposal that was executed.

    Args:
        p: the proposal.
        outcome: what the strategy was told.
        code: the program.
        problem: what its output opens with.
        result: the execution.
        limit_s: the time limit that it ran under.
    """
    return Node(
        p.id,
        p.op,
        p.base,
        p.parents,
        p.trace,
        outcome.plan,
        code,
        outcome.status,
        outcome.score,
        outcome.lesson,
        output_text(result, problem),
        "\n".join(g.text for g in p.guidance if g.kind is GuidanceKind.HYPOTHESIS),
        result.wall_us / MICROSECONDS,
        limit_s,
    )
