"""Settings of one run: the strategy that decides, what it may spend, and how it is carried out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlesearch.budgets.meter import Budget
from mlesearch.config.settings.model import MISSING

AUDITS = ("reported", "always", "off")
"""Where `run.audit` has the review's word on bugs count."""

PREFLIGHTS = ("refuse", "warn", "off")
"""What an error of a task's preflight does to a launch: refuse it, be told only, or not be looked for."""

KEPT_SUBMISSIONS = ("best", "all")
"""Of which valid nodes submissions are kept after the end of a run."""

_NO_LIMIT = Budget()


@dataclass
class StrategySettings:
    """A strategy: one file in `conf/strategy/`.

    Attributes:
        name: what tables call it, and the second part of its runs' folders.
        kind: the strategy that decides; a name, or one that a plug-in brings.
        review: whether the model reviews every executed program.
        params: of its kind; `mlesearch strategies NAME` lists them.
    """

    name: str = MISSING
    kind: str = MISSING
    review: bool = True
    params: dict[str, Any] = field(default_factory=dict)


@dataclass
class BudgetSettings:
    """What one run may spend; null: not limited. At least one of steps, time_s, cost_usd and tokens must be set.

    Attributes:
        steps: programs.
        time_s: charged time: calls and programs, waiting excluded, seconds.
        cost_usd: of its calls, US dollars.
        tokens: of its calls, input and output together.
        real_time_s: wall-clock seconds, as a cluster limits them.
        reserve_s: charged seconds that are kept back for reruns after the search, or so that a run ends in time.
        gpu_s: GPU seconds of the programs of the search (with sandbox.gpus=1).
        cell_usd: US dollars of all runs of a cell; what is spent stops the runs, and a launch with more goes on.
        study_usd: likewise of the whole study.
        confirm_usd: a launch that is estimated to cost more asks first, or needs --yes; null: never asks.
    """

    steps: int | None = _NO_LIMIT.steps
    time_s: float | None = _NO_LIMIT.time_s
    cost_usd: float | None = _NO_LIMIT.cost_usd
    tokens: int | None = _NO_LIMIT.tokens
    real_time_s: float | None = _NO_LIMIT.real_time_s
    reserve_s: float = _NO_LIMIT.reserve_s
    gpu_s: float | None = _NO_LIMIT.gpu_s
    cell_usd: float | None = None
    study_usd: float | None = None
    confirm_usd: float | None = 20.0


@dataclass
class TrialRunSettings:
    """The trial run of each program on a sample of the labelled rows, before it runs in full (docs/budgets.md).

    Attributes:
        share: of the labelled rows, from 0 (no trial runs) to below 1.
        rows: at least so many.
        time_s: limit of one, seconds.
    """

    share: float = 0.0
    rows: int = 500
    time_s: float = 60.0


@dataclass
class RunSettings:
    """How a run is carried out; all of it is part of its identity, keep_* and preflight excepted.

    Attributes:
        workers: proposals under way at one time.
        operators: the set of operators, which brings the prompts.
        context: whose rule fills the context of prompts.
        context_tokens: most tokens of it.
        selection: how the submitted node is chosen.
        revalidate_k: so many of the best are run again (selection=revalidate); runners-up (mlebench.validation=twice).
        revalidate_splits: on so many fresh splits.
        trial: trial runs on a sample.
        audit: where a valid program that its review calls a bug has failed; reported: where programs report scores.
        keep_submissions: of which valid nodes submissions are kept after the end.
        keep_prompts: null: for live models, whose prompts can't be made again for nothing.
        preflight: what an error of a task's preflight does to a launch: refuse it, warn only, or off: none is made.
    """

    workers: int = 1
    operators: str = "aide"
    context: str = "shared"
    context_tokens: int = 4000
    selection: str = "best_validation"
    revalidate_k: int = 3
    revalidate_splits: int = 2
    trial: TrialRunSettings = field(default_factory=TrialRunSettings)
    audit: str = "reported"
    keep_submissions: str = "best"
    keep_prompts: bool | None = None
    preflight: str = "refuse"
