"""What an engine is made of, and how a run can end."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from mlesearch.budgets.meter import Budget
from mlesearch.engine.clock import Timelines
from mlesearch.engine.delivery import Delivery
from mlesearch.engine.folder import RunFolder
from mlesearch.engine.fresh_splits import Splits
from mlesearch.engine.replay import Recording
from mlesearch.engine.scoring import Scorer
from mlesearch.engine.trial import RunContext
from mlesearch.engine.work import Result, charged_us
from mlesearch.engine.workers import FollowingWorkers, InlineWorkers, ThreadWorkers, VirtualWorkers, Workers
from mlesearch.optimizers.base import Optimizer
from mlesearch.sandbox.protocol import Sandbox, Spec
from mlesearch.types import Direction


class RunStatus(enum.StrEnum):
    """How a run ended. INTERRUPTED is no end: run again, and it goes on."""

    COMPLETED = "completed"  # all steps spent
    BUDGET = "budget"  # time, USD, tokens or judgements spent
    FINISHED = "finished"  # the strategy had nothing more to propose
    REAL_TIME = "real_time"  # the wall-clock cap
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class RunEnd:
    """What the engine returns.

    Attributes:
        status: how the run ended.
        selected: the node that is submitted; None where no node was valid.
        charged_us: charged time.
        steps: program proposals that were told or begun.
    """

    status: RunStatus
    selected: int | None
    charged_us: int
    steps: int


@dataclass(frozen=True, slots=True)
class Execution:
    """Who carries out the work, and in which order it ends.

    Attributes:
        workers: proposals carried out side by side; part of the run's identity.
        virtual: use a virtual clock (recorded or simulated durations, nothing waits).
        recording: the journal of the run that this one replays, in its order.
    """

    workers: int = 1
    virtual: bool = False
    recording: Recording | None = None

    def make_workers(self, time: Timelines) -> Workers[Result]:
        """In the order of the recording, on a virtual clock, or as it comes."""
        if self.recording is not None:
            return FollowingWorkers(self.recording.whose)
        if self.virtual:
            return VirtualWorkers(time.at, charged_us)
        return InlineWorkers() if self.workers == 1 else ThreadWorkers(self.workers)


@dataclass(frozen=True, slots=True)
class Revalidate:
    """What `selection: revalidate` runs again before it chooses.

    Attributes:
        source: of fresh validation splits.
        k: how many of the best on validation.
        splits: on how many fresh splits.
    """

    source: Splits
    k: int = 3
    splits: int = 2


@dataclass(frozen=True, slots=True)
class FullRunTerms:
    """How the chosen program runs once more, on the full data of a task whose search sees a part of it.

    Attributes:
        spec: what it runs in.
        scorer: whether what it submits there is valid, and its test grade.
        runners_up: so many follow, one after the other, as long as those before fail.
    """

    spec: Spec
    scorer: Scorer
    runners_up: int


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What an engine is made of.

    Attributes:
        optimizer: a new one; its state comes from the journal.
        context: what all proposals share.
        sandbox: where programs run.
        spec: what its slots are prepared for.
        folder: where everything is written.
        budget: limits.
        direction: of the validation score.
        selection: rule of the final choice.
        revalidate: what the rule `revalidate` runs again; None with any other rule.
        full: how the chosen program runs on the full data; None where each program of the search has.
        execution: workers, and the order of their work.
        keep_submissions: "best" prunes the others after the end, "all" keeps them.
        delivery: hands the best submission over at every improvement; None: nobody waits for it.
    """

    optimizer: Optimizer
    context: RunContext
    sandbox: Sandbox
    spec: Spec
    folder: RunFolder
    budget: Budget
    direction: Direction
    selection: str = "best_validation"
    revalidate: Revalidate | None = None
    full: FullRunTerms | None = None
    execution: Execution = Execution()
    keep_submissions: str = "best"
    delivery: Delivery | None = None
