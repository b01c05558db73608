"""The shape of a configuration: what `conf/` may hold, with its types and defaults.

Every YAML file and every override is checked against these schemas before anything runs. What a setting means stands in
the section "Attributes" of its class; docs/settings.md is made from there (`mlesearch.config.settings_reference`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, cast, get_type_hints

from mlesearch.budgets.meter import Budget
from mlesearch.config.claim_settings import ClaimSettings
from mlesearch.types import Op

MISSING = "???"
NO_URL = "http://not-recorded.invalid"
"""Stands in a run's folder for the URL of an own endpoint, which says nothing of a result."""
ROLE_OPS = {"feedback": (Op.REVIEW, Op.DIAGNOSE), "ideas": (Op.HYPOTHESIZE, Op.SELECT)}
"""What of a search a model of its own may answer, by role: see `ModelSettings`."""

MLEBENCH = "mlebench:"
"""Begins the names of tasks that are competitions of MLE-bench."""

_NO_LIMIT = Budget()


@dataclass
class SamplingSettings:
    """How a model samples; null leaves the model's own default.

    Attributes:
        temperature: of sampling, from 0 to 2.
        top_p: nucleus sampling: the share of probability that is sampled from.
        max_tokens: most tokens of one reply, reasoning included.
        reasoning_effort: for models that take one, such as low, medium or high.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int = 8192
    reasoning_effort: str | None = None


@dataclass
class ModelSettings:
    """A model: one file in `conf/model/`.

    Attributes:
        name: what tables call it, and the first part of its runs' folders.
        kind: what calls it; a name, or one that a plug-in brings.
        tier: its class of capability, for claims about tiers.
        capability: a number by which a report orders models.
        capability_source: where that number is from.
        sampling: how it samples.
        call_timeout_s: seconds after which an unanswered call is given up and tried again.
        retires: the day from which its provider answers no more, as 2026-12-31.
        params: of its kind (docs/models.md).
        roles: who answers in its place, by role: feedback (review, diagnose) or ideas (hypothesize, select). Each is
            the name of a model's file, or a mapping with that `name` and what differs from it (sampling, params).
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
class SandboxSettings:
    """Where programs run and what each may use: one file in `conf/sandbox/`.

    Attributes:
        kind: a rung of the ladder, or auto (docs/sandbox.md).
        require: promises without which nothing is run.
        warm: import the usual libraries before a program arrives.
        min_free_gib: of the scratch disk, below which nothing is run, GiB.
        weights: a folder of pretrained weights that programs may read, as `weights/`.
        program_time_s: seconds that a program may run; null: the task's own limit.
        memory_gib: memory of a program, GiB.
        cpu_count: processors of a program.
        disk_gib: what a program may write, GiB.
        processes: of a program at one time, threads included.
        gpus: 0, or 1 for a GPU a program.
        gpu_slots: programs that may share one GPU.
        charge_gpu_wait: whether waiting for a free GPU counts as charged time.
        exec_store: record: what was executed once is not executed again; replay: nothing is executed.
        exec_store_path: where the store is; null: in the study's folder.
        exec_store_form: files for a network file system.
        params: of the rung (docs/sandbox.md).
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


@dataclass
class EmbedderSettings:
    """What turns hypotheses into vectors.

    Attributes:
        kind: hashed costs nothing; litellm calls a model.
        params: of its kind: dim of hashed; model, api_base and the like of litellm.
    """

    kind: str = "hashed"
    params: dict[str, Any] = field(default_factory=dict)


@dataclass
class LimitsSettings:
    """How the runs of a study share the limits of a model (`model.params.limits`).

    Attributes:
        partition: null: by one database in the study's folder; N: N jobs that share nothing keep to an Nth each.
        network: whether the study's folder is on a network file system; null: look.
    """

    partition: int | None = None
    network: bool | None = None


@dataclass
class MlebenchSettings:
    """MLE-bench's competitions, which are asked for as tasks=[mlebench:NAME] (docs/mlebench.md).

    Attributes:
        data_dir: folder of prepared competitions; null: that of MLEBENCH_DATA_DIR, else MLE-bench's own default.
        python: interpreter that has MLE-bench; null: MLESEARCH_MLEBENCH_PYTHON, else that of `mlebench install`.
        missing: competitions of a suite that are not prepared: refuse the launch, or skip them.
        verify: whether prepared files must be those whose checksums MLE-bench records.
        unpack: auto: archives of the public data are unpacked once, for all programs.
        feedback: what a search learns of an invalid submission: the grader's message, or no more than that it is.
        validation: reported: programs report their own score; twice: it is that on labelled rows that are held out.
        fallback: where `twice` is impossible: programs report their own score, or the launch is refused.
        validate_url: of a grading server's /validate, where an ungraded task asks one whether a submission is valid.
        grade_timeout_s: seconds after which a grader that does not answer is given up.
        grade_memory_gib: memory of a grader, GiB.
    """

    data_dir: str | None = None
    python: str | None = None
    missing: str = "refuse"
    verify: str = "checksums"
    unpack: str = "auto"
    feedback: str = "message"
    validation: str = "reported"
    fallback: str = "reported"
    validate_url: str | None = None
    grade_timeout_s: float = 900.0
    grade_memory_gib: float = 8.0


@dataclass
class LauncherSettings:
    """How runs are spread.

    Attributes:
        backend: what starts workers: local, dask or ray (docs/clusters.md).
        n_jobs: runs side by side, -1 for one per processor.
        grace_s: what is in flight may take so long once a batch system asks to stop (SIGTERM, SIGUSR1, ...), seconds.
        retries: of a run whose failure may pass by itself (a server, a sandbox), after growing waits.
        min_free_gib: nothing is begun where less is free on the study's disk; work goes on once there is room again.
    """

    backend: str = "local"
    n_jobs: int = -1
    grace_s: float = 20.0
    retries: int = 2
    min_free_gib: float = 0.1


@dataclass
class NotifySettings:
    """Who is told.

    Attributes:
        command: for the shell; gets JSON on its standard input at the end, at first failures, ... (docs/launches.md).
    """

    command: str | None = None


@dataclass
class StudySettings:
    """Where a study lives.

    Attributes:
        name: what reports call it; part of its usual folder.
        dir: its folder.
    """

    name: str = "main"
    dir: str = "studies/${study.name}"


@dataclass
class Settings:
    """A whole configuration: one cell (model, strategy, variant) of a study's grid.

    Attributes:
        study: where it lives.
        claim: what is claimed.
        model: that answers.
        strategy: that decides.
        variant: a name for what else differs between cells, and the third part of its runs' folders.
        tasks: names, or paths of task folders; mlebench:NAME is a competition or a suite of MLE-bench.
        seeds: of the runs, one run each a task.
        budget: what one run may spend.
        run: how it is carried out.
        sandbox: where programs run.
        embedder: of hypotheses.
        limits: how runs share those of a model.
        mlebench: where MLE-bench's competitions are, and how they are graded.
        launcher: how runs are spread.
        notify: who is told what becomes of the study.
        clock: virtual: programs of simulated engineers are looked up instead of run (docs/simulation.md).
        cassette: record: a call that was made once is not made again; replay: no call is made.
        cassette_path: where the recorded calls are; null: in the study's folder.
        cassette_form: null: files on a network file system, else sqlite.
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
    mlebench: MlebenchSettings = field(default_factory=MlebenchSettings)
    launcher: LauncherSettings = field(default_factory=LauncherSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    clock: str = "real"
    cassette: str = "live"
    cassette_path: str | None = None
    cassette_form: str | None = None


def recordable(s: Settings) -> dict[str, Any]:
    """Settings as plain data for a run's folder: from them a recorded run is built again."""
    plain = asdict(s)
    del plain["run"]["preflight"], plain["mlebench"]["validate_url"]  # of launches, and not of runs
    for name in ("backend", "grace_s", "retries"):
        del plain["launcher"][name]
    del plain["notify"]
    if not s.claim.sequential.looks:
        del plain["claim"]["sequential"]
    used = {"mlebench": any(name.startswith(MLEBENCH) for name in s.tasks), "clock": s.clock != Settings.clock}
    plain = {name: value for name, value in plain.items() if used.get(name, True)}
    for part in (plain["model"], plain["embedder"], *plain["model"]["roles"].values()):
        if part["params"].get("api_base") is not None:
            part["params"]["api_base"] = NO_URL
    return plain


def from_recorded(plain: Mapping[str, Any]) -> Settings:
    """Inverse of `recordable`; what a later version added has its default.

    Raises:
        TypeError: a key that this version does not know.
    """
    return cast(Settings, _typed(Settings, plain))


def _typed(kind: type, plain: Mapping[str, Any]) -> Any:
    hints = get_type_hints(kind)
    unknown = set(plain) - {f.name for f in fields(kind)}
    if unknown:
        raise TypeError(f"no setting is called {min(unknown)!r}")
    return kind(**{k: _typed(hints[k], v) if is_dataclass(hints[k]) else v for k, v in plain.items()})
