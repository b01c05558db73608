"""A toy run for tests of the engine: real operators and journal, a model and a sandbox that cost nothing.

The model writes a program that holds a number of its own; the sandbox "runs" it by looking the number up in a
function of the test; the scorer reads the score from what the program "printed". So every score and failure is the
test's choice.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from mlesearch.budgets.meter import Budget
from mlesearch.engine.folder import RunFolder
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import EngineParts, Execution, RunEnd
from mlesearch.engine.randomness import proposal_rng
from mlesearch.engine.trial import Role, RunContext
from mlesearch.models.embed import make_embedder
from mlesearch.models.price import Price
from mlesearch.models.protocol import Message, Reply, Request, Sampling
from mlesearch.operators import make as make_operators
from mlesearch.operators.base import Brief, Resources
from mlesearch.optimizers.base import Factory, factory
from mlesearch.sandbox.protocol import Job, Limits, Slot, Spec
from mlesearch.tasks.protocol import Grade, Medal, Scored
from mlesearch.types import Captured, Direction, ExecResult, ExecStatus, Op, Problem, Usage

Score = Callable[[int], float | None]
"""Score of the program of a proposal; None: it fails."""


def by_formula(id: int) -> float | None:
    """A third of the programs fail, the others score something that looks random."""
    return None if id % 3 == 2 else ((id * 7919) % 1000) / 1000


PRICE = Price(1.0, 2.0)
BRIEF = Brief("toy", "A toy", "Predict y.", "accuracy", "maximize", "train.csv: 3 rows", "Write submission.csv.")


@dataclass
class ToyModel:
    """Answers every operator in a usable form; keeps what it was asked."""

    name: str = "toy"
    live: bool = False
    simulated: bool = False
    price: Price | None = PRICE
    service_us: int = 1000
    fail: Callable[[Request], Exception | None] = lambda r: None
    reply: Callable[[Request], str | None] = lambda r: None
    keep: bool = True
    requests: list[Request] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def identity(self) -> Mapping[str, object]:
        return {"model": "toy"}

    def check(self) -> None:
        pass

    def complete(self, request: Request) -> Reply:
        if self.keep:
            with self.lock:
                self.requests.append(request)
        error = self.fail(request)
        if error is not None:
            raise error
        text = self.reply(request) or answer(request)
        return Reply(text, "stop", Usage(1, 100, 0, 50, 0, 200_000, self.service_us, 0), "toy-1")


def answer(request: Request) -> str:
    """A usable reply to any operator."""
    op, id = request.address.op, request.address.proposal
    if op.makes_program:
        return f"Plan of proposal {id}.\n\n```python\nNUMBER = {id}\n```\n"
    if op is Op.REVIEW:
        return json.dumps({"is_bug": False, "lesson": f"Lesson of {id}."})
    if op is Op.DIAGNOSE:
        return json.dumps(
            {
                "format_valid": True,
                "severely_misaligned": False,
                "changes": "a number",
                "observations": "it ran",
                "hypothesis_supported": None,
                "quality_better": True,
                "replace": True,
                "reason": "it is better",
            }
        )
    one = {
        "hypothesis": f"Try number {id}",
        "problem": "the number is small",
        "problem_kind": "scenario",
        "component": "model",
        "scores": {"alignment": 5, "impact": 6, "novelty": 5, "feasibility": 5, "risk": 5},
    }
    return json.dumps({"hypotheses": [one] if op is Op.SELECT else [one, {**one, "hypothesis": f"Try another {id}"}]})


@dataclass
class ToySandbox:
    """Prints the score of a program's number."""

    score: Score = by_formula
    name: str = "toy"
    wall_us: int = 2000
    fail: Callable[[Job], Exception | None] = lambda job: None
    keep: bool = True
    jobs: list[Job] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def identity(self) -> Mapping[str, object]:
        return {"rung": self.name}

    def packages(self) -> Mapping[str, str]:
        return {}

    def check(self) -> None:
        pass

    def prepare(self, spec: Spec) -> Slot:
        return Slot(spec)

    def reap_orphans(self) -> int:
        return 0

    def close(self) -> None:
        pass

    def run(self, slot: Slot, job: Job) -> ExecResult:
        if self.keep:
            with self.lock:
                self.jobs.append(job)
        error = self.fail(job)
        if error is not None:
            raise error
        found = re.search(r"NUMBER = (\d+)", job.program)
        score = self.score(int(found[1])) if found else None
        if score is None:
            return ExecResult(ExecStatus.ERROR, exit_code=1, wall_us=self.wall_us, reason="ValueError: no such number")
        text = f"score {score!r}"
        return ExecResult(ExecStatus.OK, 0, wall_us=self.wall_us, stdout=Captured(text, "", len(text)))


@dataclass(frozen=True)
class ToyScorer:
    """Reads the score from the output; the test score is the validation score less 0.1."""

    def validation(self, result: ExecResult) -> Scored:
        return Scored(float(result.stdout.head.split()[1]))

    def submission_problem(self, result: ExecResult) -> str:
        return ""

    def test(self, result: ExecResult) -> Grade:
        score = float(result.stdout.head.split()[1]) - 0.1
        return Grade(score, Medal.BRONZE if score > 0.5 else Medal.NONE, score > 0.4, True)


@dataclass
class ToySplits:
    """Fresh splits that differ in their seed alone; counts how often they were closed."""

    folder: Path
    closed: int = 0

    def make(self, seed: int) -> tuple[Spec, ToyScorer]:
        return Spec("toy@1", self.folder, (), seed), ToyScorer()

    def close(self) -> None:
        self.closed += 1


def parts(
    folder: Path,
    *,
    strategy: str | Factory = "greedy",
    params: Mapping[str, object] | None = None,
    budget: Budget | None = None,
    workers: int = 1,
    virtual: bool = False,
    review: bool = True,
    direction: Direction = Direction.MAXIMIZE,
    model: ToyModel | None = None,
    sandbox: ToySandbox | None = None,
    selection: str = "best_validation",
    keep_prompts: bool = False,
    durable: bool = False,
    entropy: int = 7,
) -> EngineParts:
    """All that an engine needs, in `folder`."""
    budget = budget or Budget(steps=12)
    operators, scope = make_operators(direction=direction)
    make = factory(strategy) if isinstance(strategy, str) else strategy
    optimizer = make(params or {}, Problem(direction, budget.steps), partial(proposal_rng, entropy))
    role = Role(model or ToyModel(), Sampling(max_tokens=200))
    brief = replace(BRIEF, direction=direction.value)
    context = RunContext(
        run_id="toy/run",
        entropy=entropy,
        brief=brief,
        resources=Resources(60.0, 2**30, 1),
        operators=operators,
        scope=scope,
        roles=dict.fromkeys(Op, role),
        embedder=make_embedder({"kind": "hashed"}),
        scorer=ToyScorer(),
        review=review,
        call_timeout_s=60.0,
    )
    record = RunFolder(folder, {"mlesearch": "test", "run": "toy/run"}, durable=durable, keep_prompts=keep_prompts)
    return EngineParts(
        optimizer=optimizer,
        context=context,
        sandbox=sandbox or ToySandbox(),
        spec=Spec("toy@1", folder, (), 0, Limits(time_s=60.0)),
        folder=record,
        budget=budget,
        direction=direction,
        selection=selection,
        execution=Execution(workers, virtual),
    )


def run(folder: Path, should_stop: Callable[[], bool] = lambda: False, **options: object) -> RunEnd:
    """Run an engine to its end and give the journal back."""
    made = parts(folder, **options)  # type: ignore[arg-type]
    try:
        return Engine(made, should_stop).run()
    finally:
        made.folder.close()


def prompt_text(messages: tuple[Message, ...]) -> str:
    """All of a prompt as one text."""
    return "\n".join(m.content for m in messages)


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""
