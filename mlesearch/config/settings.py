"""The shape of a configuration: what `conf/` may hold, with its types and defaults.

These are the schemas that every YAML file and every override is checked against, so that a typo or a wrong type is
refused before anything runs. `mlesearch.config.plan` turns them into plans of runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, get_type_hints

from mlesearch.budgets.meter import Budget
from mlesearch.types import ConfigError, Op

MISSING = "???"
NO_URL = "http://not-recorded.invalid"
"""Stands in a run's folder for the URL of an own endpoint, which says nothing of a result."""
ROLE_OPS = {"feedback": (Op.REVIEW, Op.DIAGNOSE), "ideas": (Op.HYPOTHESIZE, Op.SELECT)}
"""What of a search a model of its own may answer, by role: see `ModelSettings`."""

_NO_LIMIT = Budget()


@dataclass
class SamplingSettings:
    """How a model samples; null leaves the model's own default."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int = 8192
    reasoning_effort: str | None = None


@dataclass
class ModelSettings:
    """A model: one file in `conf/model/`.

    retires: the day from which its provider answers no more, as 2026-12-31; changes no result.
    roles: who answers in its place, by role: feedback (review, diagnose) or ideas (hypothesize, select). Each is the
    name of a model's file, or a mapping with that `name` and what differs from the file (sampling, params).
    """

    name: str = MISSING
    kind: str = MISSING
    tier: str | None = None
    capability: float | None = None
    capability_source: str | None = None
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    call_timeout_s: float = 600.0
    retires: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, Any] = field(default_factory=dict)


def role_settings(plain: dict[str, Any]) -> ModelSettings:
    """The model of a role, from the plain data that `ModelSettings.roles` holds once it is composed."""
    return ModelSettings(**{**plain, "sampling": SamplingSettings(**plain["sampling"])})


@dataclass
class StrategySettings:
    """A strategy: one file in `conf/strategy/`."""

    name: str = MISSING
    kind: str = MISSING
    review: bool = True
    params: dict[str, Any] = field(default_factory=dict)


@dataclass
class SandboxSettings:
    """Where programs run and what each may use: one file in `conf/sandbox/`.

    kind: a rung of the ladder, or auto (docs/sandbox.md). require: promises without which nothing is run. warm: import
    the usual libraries before a program arrives. min_free_gib: of the scratch disk, below which nothing is run.
    weights: a folder of pretrained weights that programs may read, as `weights/`.
    program_time_s null: the task's own limit.

    gpus: 0, or 1 for a GPU a program; gpu_slots: programs that may share one GPU; charge_gpu_wait: whether waiting for
    a free GPU counts as charged time.

    exec_store: off, record (what was executed once is not executed again) or replay (nothing is executed);
    exec_store_path null: in the study's folder; exec_store_form: sqlite, or files for a network file system.
    """

    kind: str = "auto"
    require: list[str] = field(default_factory=list)
    warm: bool = True
    min_free_gib: float = 1.0
    weights: str | None = None
    program_time_s: float | None = None
    memory_gib: float = 4.0
    cpu_count: int = 1
    disk_gib: float = 1.0
    processes: int = 512
    gpus: int = 0
    gpu_slots: int = 1
    charge_gpu_wait: bool = False
    exec_store: str = "off"
    exec_store_path: str | None = None
    exec_store_form: str = "sqlite"
    params: dict[str, Any] = field(default_factory=dict)


@dataclass
class BudgetSettings:
    """What one run may spend; null: not limited. At least one of the first four must be set.

    gpu_s: GPU seconds of the programs of the search (with sandbox.gpus=1).

    cell_usd, study_usd: US dollars of all runs of a cell, of the whole study; what is spent stops the runs, and a
    launch with more goes on. confirm_usd: a launch that is estimated to cost more asks first, or needs --yes.
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

    share: of the labelled rows, from 0 (no trial runs) to below 1. rows: at least so many. time_s: limit of one.
    """

    share: float = 0.0
    rows: int = 500
    time_s: float = 60.0


@dataclass
class RunSettings:
    """How a run is carried out; all of it is part of its identity, keep_* excepted.

    trial: see `TrialRunSettings`. audit: where a valid program that its review calls a bug counts as failed: reported
    (on tasks whose programs report their own score), always or off.

    revalidate_k, revalidate_splits: how many of the best nodes `selection: revalidate` runs again, on how many splits.

    keep_prompts null: for live models, whose prompts can't be made again for nothing.
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


@dataclass
class EmbedderSettings:
    """What turns hypotheses into vectors."""

    kind: str = "hashed"
    params: dict[str, Any] = field(default_factory=dict)


@dataclass
class LimitsSettings:
    """How the runs of a study share the limits of a model (`model.params.limits`); changes no result.

    partition null: by one database in the study's folder; N: N jobs that share nothing keep to an Nth each.
    network: whether the study's folder is on a network file system; null: look.
    """

    partition: int | None = None
    network: bool | None = None


@dataclass
class LauncherSettings:
    """How runs are spread; changes no result. n_jobs: runs side by side, -1 for one per processor."""

    n_jobs: int = -1


@dataclass
class StudySettings:
    """Where a study lives."""

    name: str = "main"
    dir: str = "studies/${study.name}"


@dataclass
class ClaimSettings:
    """See `mlesearch.storage.layout.Claim`; treatment and baseline null: nothing is claimed, all is exploratory."""

    treatment: str | None = None
    baseline: str | None = None
    outcome: str = "any_medal"
    capability: bool = False
    tiers: list[str] = field(default_factory=list)
    primary: str = ""


@dataclass
class Settings:
    """A whole configuration: one cell (model, strategy, variant) of a study's grid.

    cassette: live, record (a call that was made once is not made again) or replay (no call is made);
    cassette_path null: in the study's folder; cassette_form: sqlite, or files; null: files on a network file system.
    """

    study: StudySettings = field(default_factory=StudySettings)
    claim: ClaimSettings = field(default_factory=ClaimSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    strategy: StrategySettings = field(default_factory=StrategySettings)
    variant: str = "base"
    tasks: list[str] = field(default_factory=lambda: ["rentals"])
    seeds: list[int] = field(default_factory=lambda: [0])
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    run: RunSettings = field(default_factory=RunSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    embedder: EmbedderSettings = field(default_factory=EmbedderSettings)
    limits: LimitsSettings = field(default_factory=LimitsSettings)
    launcher: LauncherSettings = field(default_factory=LauncherSettings)
    cassette: str = "live"
    cassette_path: str | None = None
    cassette_form: str | None = None


def check_mode(key: str, mode: str, modes: Sequence[str]) -> None:
    """Refuse what is no mode of a cassette, or of a store of executions.

    Raises:
        ConfigError: names those that there are.
    """
    if mode not in modes:
        raise ConfigError(f"{key}: {mode!r} is no mode; there are: {', '.join(modes)}")


def recordable(s: Settings) -> dict[str, Any]:
    """Settings as plain data for a run's folder: from them a recorded run is built again."""
    plain = asdict(s)
    for part in (plain["model"], plain["embedder"], *plain["model"]["roles"].values()):
        if part["params"].get("api_base") is not None:
            part["params"]["api_base"] = NO_URL
    return plain


def from_recorded(plain: Mapping[str, Any]) -> Settings:
    """Inverse of `recordable`; what a later version added has its default.

    Raises:
        TypeError: a key that this version does not know.
    """
    found: Settings = _typed(Settings, plain)
    return found


def _typed(kind: type, plain: Mapping[str, Any]) -> Any:
    hints = get_type_hints(kind)
    unknown = set(plain) - {f.name for f in fields(kind)}
    if unknown:
        raise TypeError(f"no setting is called {min(unknown)!r}")
    return kind(**{k: _typed(hints[k], v) if is_dataclass(hints[k]) else v for k, v in plain.items()})
