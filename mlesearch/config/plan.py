"""From settings to a run: everything is checked and named before anything is written or paid for.

`plan` turns the cells of a launch into run plans, refusing what can't work; `mlesearch.config.build` turns one plan
into the parts of an engine.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from mlesearch.budgets.meter import Budget
from mlesearch.config.build import (
    choose_sandbox,
    load_task,
    make_budget,
    make_context,
    make_embedder,
    make_limits,
    make_model,
    make_operators,
    make_roles,
    make_sandbox,
)
from mlesearch.config.compose import names
from mlesearch.config.plugins import check_claims, name_packages, task_label
from mlesearch.config.settings import ModelSettings, Settings, role_settings
from mlesearch.config.spending import check_shared
from mlesearch.engine.selection import check_rule
from mlesearch.engine.trial import Role
from mlesearch.models.protocol import Embedder, Model
from mlesearch.optimizers.base import factory
from mlesearch.sandbox.gpu_pool import MAX_SLOTS
from mlesearch.sandbox.protocol import Limits, Sandbox
from mlesearch.sandbox.recorded import check_mode
from mlesearch.storage.codec import Json
from mlesearch.storage.diff import first_difference
from mlesearch.storage.layout import OUTCOMES, Claim, RunKey, check_run, check_study, study_header
from mlesearch.tasks.protocol import Task
from mlesearch.tasks.resplit import check_resplit
from mlesearch.types import ConfigError, Direction, Problem

MIN_MEMORY_GIB = 0.25


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One run, checked, as plain data that travels to a worker process.

    Attributes:
        key: its place in the grid.
        study_dir: absolute.
        settings: of its cell.
        identity: all that changes its result.
        labels: what tables say of it beside: tier, capability, simulated, ...
        recorded: the folder of the run that this one replays.
    """

    key: RunKey
    study_dir: Path
    settings: Settings
    identity: Json
    labels: Json = field(default_factory=dict)
    recorded: Path | None = None

    @property
    def folder(self) -> Path:
        """The run's own."""
        return self.study_dir / self.key.id


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """A launch: the study's header and all its runs, with what their folders hold already."""

    folder: Path
    header: Json
    runs: tuple[RunPlan, ...]
    states: Mapping[RunKey, str]


def plan(cells: Sequence[Settings], *, keys: bool = True) -> StudyPlan:
    """Check a launch as a whole; nothing is written.

    Args:
        cells: of the launch.
        keys: whether the keys of its models must be there.

    Raises:
        ConfigError: the first thing that can't work, in one line.
    """
    check_claims(cells)
    first = cells[0]
    folder = Path(first.study.dir).absolute()
    header = study_header(first.study.name, _claim(first))
    runs: dict[RunKey, RunPlan] = {}
    for s in cells:
        if Path(s.study.dir).absolute() != folder or study_header(s.study.name, _claim(s)) != header:
            raise ConfigError("study, claim: one launch has one study and one claim; don't sweep over them")
        for run in _cell(s, folder, keys):
            known = runs.setdefault(run.key, run)
            if known.identity != run.identity:
                different = first_difference(known.identity, run.identity, "")
                raise ConfigError(
                    f"variant: two cells of this launch would be one run ({run.key.id}) and differ: {different}; "
                    f"give them different names (variant=...)"
                )
    check_study(folder, header)
    _check_claim(header, runs)
    states = {k: check_run(r.folder, r.identity) for k, r in runs.items()}
    return StudyPlan(folder, header, tuple(runs.values()), states)


def _claim(s: Settings) -> Claim | None:
    c = s.claim
    if c.treatment is None and c.baseline is None:
        return None
    if c.treatment is None or c.baseline is None:
        raise ConfigError(
            f"claim.{'treatment' if c.treatment is None else 'baseline'}: a claim compares two strategies"
        )
    if c.outcome not in OUTCOMES:
        raise ConfigError(f"claim.outcome: {c.outcome!r} is no outcome; there are: {', '.join(OUTCOMES)}")
    return Claim(c.treatment, c.baseline, c.outcome, c.capability, tuple(c.tiers), c.primary)


def _check_claim(header: Json, runs: Mapping[RunKey, RunPlan]) -> None:
    """A claim names strategies of this launch, or ones that have a file: a typo would be frozen into the study."""
    claim = header["claim"]
    if claim is None:
        return
    known = {k.strategy for k in runs} | {f"{k.strategy}/{k.variant}" for k in runs} | set(names("strategy"))
    for arm in ("treatment", "baseline"):
        if claim[arm] not in known and claim[arm].partition("/")[0] not in known:
            raise ConfigError(
                f"claim.{arm}: no strategy is called {claim[arm]!r}; there are: {', '.join(sorted(known))}"
            )


def _cell(s: Settings, folder: Path, keys: bool) -> list[RunPlan]:
    """All runs of one cell."""
    for key, value in (
        ("study.name", s.study.name),
        ("model.name", s.model.name),
        ("strategy.name", s.strategy.name),
        ("variant", s.variant),
    ):
        if not value.strip():
            raise ConfigError(f"{key}: it is empty; a name is needed")
    if not s.tasks or not s.seeds:
        raise ConfigError(f"{'tasks' if not s.tasks else 'seeds'}: at least one is needed")
    for name, values in (("tasks", s.tasks), ("seeds", s.seeds)):
        if len(set(map(str, values))) < len(values):
            raise ConfigError(f"{name}: {values} names one of them twice")
    budget = make_budget(s)
    _check_run_settings(s)
    model = make_model(s)
    roles = make_roles(s)
    embedder = make_embedder(s)
    if keys:
        for each in (model, *(role.model for role in roles.values())):
            each.check()
        embedder.check()
    factory(s.strategy.kind)(s.strategy.params, Problem(Direction.MAXIMIZE, budget.steps, make_context(s)), _no_rng)
    s, why = _with_rung(s)
    sandbox = make_sandbox(s)
    _check_prices(s, budget, model, roles, embedder)
    check_shared(s)
    runs = []
    for name in s.tasks:
        task = load_task(name)
        for m in (s.model, *map(role_settings, s.model.roles.values())):
            if m.kind == "simulated":
                _check_simulated(m, task)
        if s.run.selection == "revalidate":
            check_resplit(task)
        limits = make_limits(s, task)
        shared = _identity(s, model, roles, sandbox, embedder, task, limits, budget)
        labels = {**_labels(s, model, roles, task, sandbox), "sandbox_why": why, **task_label(name)}
        runs += [
            RunPlan(
                RunKey(s.model.name, s.strategy.name, s.variant, task.id, seed),
                folder,
                s,
                {**shared, "seed": seed},
                labels,
            )
            for seed in s.seeds
        ]
    return runs


def _with_rung(s: Settings) -> tuple[Settings, str]:
    """Settings that name the rung, so that every worker process takes the same one; and why it is that one."""
    if s.sandbox.exec_store == "replay":
        return s, "none is used: executions are replayed from a store"
    choice = choose_sandbox(s)
    taken = replace(s.sandbox, kind=choice.name, params=choice.params(s.sandbox.params))
    return replace(s, sandbox=taken), choice.why


def _check_simulated(m: ModelSettings, task: Task) -> None:
    """A simulated engineer knows only tasks whose pipelines were all executed."""
    from mlesearch.models.simulated.spaces import TASKS

    if task.id not in TASKS:
        raise ConfigError(
            f"tasks: the simulated engineer {m.name!r} knows nothing of {task.id!r}, only of {', '.join(TASKS)}; "
            f"choose one of these, or a real model"
        )


def _check_prices(s: Settings, budget: Budget, model: Model, roles: Mapping[str, Role], embedder: Embedder) -> None:
    """A budget in USD can be kept only where every price is known."""
    limited = [
        key
        for key, usd in (
            ("cost_usd", budget.cost_usd),
            ("cell_usd", s.budget.cell_usd),
            ("study_usd", s.budget.study_usd),
        )
        if usd is not None
    ]
    if not limited:
        return
    paid: list[tuple[str, str, Model | Embedder]] = [("model", s.model.name, model)]
    paid += [(f"model.roles.{name}", role.model.name, role.model) for name, role in roles.items()]
    for what, name, priced in (*paid, ("embedder", embedder.name, embedder)):
        if priced.price is None:
            raise ConfigError(
                f"budget.{limited[0]}: the price of {what} {name!r} is not known, so a budget in USD can't be kept; "
                f"add `price: {{input_usd_per_mtok: ..., output_usd_per_mtok: ...}}` to {what}.params (0 where free)"
            )


def _no_rng(proposal: int) -> np.random.Generator:
    return np.random.default_rng(proposal)


def _check_run_settings(s: Settings) -> None:
    r = s.run
    check_rule(r.selection)
    counts = {"workers": r.workers, "revalidate_k": r.revalidate_k, "revalidate_splits": r.revalidate_splits}
    for name, count in counts.items():
        if count < 1:
            raise ConfigError(f"run.{name}: {count}; at least 1 is needed")
    if r.keep_submissions not in ("best", "all"):
        raise ConfigError(f"run.keep_submissions: {r.keep_submissions!r}; there are: best, all")
    if s.launcher.n_jobs == 0 or s.launcher.n_jobs < -1:
        raise ConfigError(f"launcher.n_jobs: {s.launcher.n_jobs}; a number of runs side by side, or -1 for one per CPU")
    for key, value in (
        ("sandbox.memory_gib", s.sandbox.memory_gib),
        ("sandbox.disk_gib", s.sandbox.disk_gib),
        ("sandbox.cpu_count", s.sandbox.cpu_count),
        ("sandbox.processes", s.sandbox.processes),
        ("sandbox.program_time_s", s.sandbox.program_time_s),
        ("model.call_timeout_s", s.model.call_timeout_s),
        ("model.sampling.max_tokens", s.model.sampling.max_tokens),
    ):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{key}: {value}; a number above 0 is needed")
    if s.sandbox.memory_gib < MIN_MEMORY_GIB:
        raise ConfigError(f"sandbox.memory_gib: {s.sandbox.memory_gib}; at least {MIN_MEMORY_GIB} is needed for python")
    if s.sandbox.gpus not in (0, 1):
        raise ConfigError(f"sandbox.gpus: {s.sandbox.gpus}; 0 for none, or 1 for a GPU a program")
    if s.sandbox.gpus and not 1 <= s.sandbox.gpu_slots <= MAX_SLOTS:
        raise ConfigError(f"sandbox.gpu_slots: {s.sandbox.gpu_slots}; a number from 1 to {MAX_SLOTS} is needed")
    check_mode(s.sandbox.exec_store)
    processors = os.cpu_count() or 1
    if s.sandbox.cpu_count > processors and s.sandbox.exec_store != "replay":
        raise ConfigError(f"sandbox.cpu_count: {s.sandbox.cpu_count}; this machine has {processors}")
    temperature = s.model.sampling.temperature
    if temperature is not None and not 0 <= temperature <= 2:
        raise ConfigError(f"model.sampling.temperature: {temperature}; a number from 0 to 2 is needed, or null")
    make_operators(s, Direction.MAXIMIZE)


def _identity(
    s: Settings,
    model: Model,
    roles: Mapping[str, Role],
    sandbox: Sandbox,
    embedder: Embedder,
    task: Task,
    limits: Limits,
    budget: Budget,
) -> Json:
    """All that changes a result, the seed excepted."""
    operators = make_operators(s, task.direction)[0]
    identity: Json = {
        "task": {"id": task.id, "version": task.version, "validation": task.validation.value},
        "model": {"name": s.model.name, **model.identity(), "sampling": asdict(s.model.sampling)},
        "strategy": {"kind": s.strategy.kind, "params": dict(s.strategy.params)},
        "review": s.strategy.review,
        "operators": {"set": s.run.operators, "prompts": dict(operators.digests())},
        "context": {"rule": s.run.context, "tokens": s.run.context_tokens},
        "embedder": embedder.name,
        "selection": _selection_identity(s),
        "budget": {k: v for k, v in asdict(budget).items() if k != "gpu_s" or v is not None},
        "workers": s.run.workers,
        "limits": asdict(limits),
        "sandbox": dict(sandbox.identity()),
    }
    if roles:
        identity["roles"] = {
            name: {"name": role.model.name, **role.model.identity(), "sampling": asdict(role.sampling)}
            for name, role in roles.items()
        }
    name_packages(identity, s, task)
    plain: Json = json.loads(json.dumps(identity))
    return plain


def _selection_identity(s: Settings) -> Json | str:
    """The rule, with its settings where it has some."""
    r = s.run
    if r.selection != "revalidate":
        return r.selection
    return {"rule": r.selection, "k": r.revalidate_k, "splits": r.revalidate_splits}


def _labels(s: Settings, model: Model, roles: Mapping[str, Role], task: Task, sandbox: Sandbox) -> Json:
    return {
        "tier": s.model.tier,
        "capability": s.model.capability,
        "capability_source": s.model.capability_source,
        "simulated": model.simulated or any(role.model.simulated for role in roles.values()),
        "suite": task.suite,
        "metric": task.metric,
        "lower_is_better": task.direction is Direction.MINIMIZE,
        "validation": task.validation.value,
        "sandbox": sandbox.name,
        "promises": sandbox.identity().get("promises", []),
        "exec_store": s.sandbox.exec_store,
        "cassette": s.cassette,
    }
