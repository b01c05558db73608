"""From settings to a run: everything is checked and named before anything is written or paid for.

`plan` turns the cells of a launch into run plans (refusing what can't work), `build` turns one plan into the parts
of an engine. Both are plain dictionaries by kind: the library is usable with no Hydra at all.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path

import numpy as np

from mlesearch import __version__
from mlesearch.budget import Budget
from mlesearch.codec import Json
from mlesearch.flight import Cockpit, Role
from mlesearch.models.protocol import Embedder, Model, Sampling, replicate_entropy
from mlesearch.operators.base import Operators, Resources, Scope
from mlesearch.optimizers.base import factory
from mlesearch.parts import EngineParts
from mlesearch.record import Record
from mlesearch.sandbox.protocol import GIB, Limits, Sandbox, Spec
from mlesearch.scoring import TaskScorer
from mlesearch.selection import check_rule
from mlesearch.settings import Settings
from mlesearch.study import (
    OUTCOMES,
    Claim,
    RunKey,
    check_run,
    check_study,
    first_difference,
    identity_digest,
    study_header,
)
from mlesearch.tasks.protocol import Task
from mlesearch.types import ConfigError, Direction, Op, Problem

SANDBOXES = {"local": "mlesearch.sandbox.local"}


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One run, checked, as plain data that travels to a worker process.

    Attributes:
        key: its place in the grid.
        study_dir: absolute.
        settings: of its cell.
        identity: all that changes its result.
        labels: what tables say of it beside: tier, capability, simulated, ...
    """

    key: RunKey
    study_dir: Path
    settings: Settings
    identity: Json
    labels: Json = field(default_factory=dict)

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


def plan(cells: Sequence[Settings]) -> StudyPlan:
    """Check a launch as a whole; nothing is written.

    Raises:
        ConfigError: the first thing that can't work, in one line.
    """
    first = cells[0]
    folder = Path(first.study.dir).absolute()
    header = study_header(first.study.name, _claim(first))
    runs: dict[RunKey, RunPlan] = {}
    for s in cells:
        if Path(s.study.dir).absolute() != folder or study_header(s.study.name, _claim(s)) != header:
            raise ConfigError("study, claim: one launch has one study and one claim; don't sweep over them")
        for run in _cell(s, folder):
            known = runs.setdefault(run.key, run)
            if known.identity != run.identity:
                different = first_difference(known.identity, run.identity, "")
                raise ConfigError(
                    f"variant: two cells of this launch would be one run ({run.key.id}) and differ: {different}; "
                    f"give them different names (variant=...)"
                )
    check_study(folder, header)
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


def _cell(s: Settings, folder: Path) -> list[RunPlan]:
    """All runs of one cell."""
    if not s.tasks or not s.seeds:
        raise ConfigError(f"{'tasks' if not s.tasks else 'seeds'}: at least one is needed")
    for name, values in (("tasks", s.tasks), ("seeds", s.seeds)):
        if len(set(map(str, values))) < len(values):
            raise ConfigError(f"{name}: {values} names one of them twice")
    budget = make_budget(s)
    _check_run_settings(s)
    model = make_model(s)
    model.check()
    factory(s.strategy.kind)(s.strategy.params, Problem(Direction.MAXIMIZE, budget.steps), _no_rng)
    sandbox = make_sandbox(s)
    embedder = make_embedder(s)
    embedder.check()
    _check_prices(s, budget, model, embedder)
    runs = []
    for name in s.tasks:
        task = load_task(name)
        if s.model.kind == "simulated":
            _check_simulated(s, task)
        limits = make_limits(s, task)
        shared = _identity(s, model, sandbox, embedder, task, limits, budget)
        labels = _labels(s, model, task, sandbox)
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


def _check_simulated(s: Settings, task: Task) -> None:
    """A simulated engineer knows only tasks whose pipelines were all executed."""
    from mlesearch.models.simulated.spaces import TASKS

    if task.id not in TASKS:
        raise ConfigError(
            f"tasks: the simulated engineer {s.model.name!r} knows nothing of {task.id!r}, only of {', '.join(TASKS)}; "
            f"choose one of these, or a real model"
        )


def _check_prices(s: Settings, budget: Budget, model: Model, embedder: Embedder) -> None:
    """A budget in USD can be kept only where every price is known."""
    if budget.cost_usd is None:
        return
    for what, name, priced in (("model", s.model.name, model), ("embedder", embedder.name, embedder)):
        if priced.price is None:
            raise ConfigError(
                f"budget.cost_usd: the price of {what} {name!r} is not known, so a budget in USD can't be kept; add "
                f"`price: {{input_usd_per_mtok: ..., output_usd_per_mtok: ...}}` to {what}.params (0 where it is free)"
            )


def _no_rng(proposal: int) -> np.random.Generator:
    return np.random.default_rng(proposal)


def _check_run_settings(s: Settings) -> None:
    r = s.run
    check_rule(r.selection)
    if r.workers < 1:
        raise ConfigError(f"run.workers: {r.workers}; at least 1 is needed")
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
    make_operators(s, Direction.MAXIMIZE)


def make_budget(s: Settings) -> Budget:
    """The budget of a run.

    Raises:
        ConfigError: none is declared, or one is not above 0.
    """
    b = s.budget
    for key in ("steps", "time_s", "cost_usd", "tokens", "real_time_s"):
        value = getattr(b, key)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"budget.{key}: {value}; a number above 0 is needed, or null for no limit")
    if b.steps is None and b.time_s is None and b.cost_usd is None and b.tokens is None:
        raise ConfigError("budget: no limit is set; set at least one of steps, time_s, cost_usd, tokens")
    if b.reserve_s < 0 or (b.time_s is not None and b.reserve_s >= b.time_s):
        raise ConfigError(f"budget.reserve_s: {b.reserve_s}; at least 0 and less than budget.time_s is needed")
    return Budget(b.steps, b.time_s, b.cost_usd, b.tokens, b.real_time_s, b.reserve_s)


def make_model(s: Settings) -> Model:
    """The model of a cell."""
    from mlesearch.models.registry import make_model as make

    return make(s.model.name, s.model.kind, s.model.params)


def make_embedder(s: Settings) -> Embedder:
    """What turns hypotheses into vectors."""
    from mlesearch.models.embed import make_embedder as make

    return make({"kind": s.embedder.kind, **s.embedder.params})


def make_sandbox(s: Settings) -> Sandbox:
    """The sandbox of a cell, tried once; kept for the life of the process, so that what is warm stays warm.

    Raises:
        ConfigError: unknown kind, or its self-check failed.
    """
    if s.sandbox.kind not in SANDBOXES:
        raise ConfigError(f"sandbox.kind: no sandbox is called {s.sandbox.kind!r}; there are: {', '.join(SANDBOXES)}")
    return _sandbox(s.sandbox.kind, json.dumps(s.sandbox.params, sort_keys=True), os.getpid())


@lru_cache(maxsize=8)
def _sandbox(kind: str, params: str, pid: int) -> Sandbox:
    sandbox: Sandbox = import_module(SANDBOXES[kind]).make(json.loads(params))
    return sandbox


@lru_cache(maxsize=256)
def load_task(name: str) -> Task:
    """A task by name or folder, loaded once a process."""
    from mlesearch.tasks.folder import load

    return load(name)


def make_limits(s: Settings, task: Task) -> Limits:
    """What a program may use."""
    b = s.sandbox
    return Limits(
        time_s=b.program_time_s or task.program_time_s,
        memory_bytes=round(b.memory_gib * GIB),
        cpu_count=b.cpu_count,
        disk_bytes=round(b.disk_gib * GIB),
        file_bytes=round(b.disk_gib * GIB),
        processes=b.processes,
    )


def _identity(
    s: Settings, model: Model, sandbox: Sandbox, embedder: Embedder, task: Task, limits: Limits, budget: Budget
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
        "selection": s.run.selection,
        "budget": asdict(budget),
        "workers": s.run.workers,
        "limits": asdict(limits),
        "sandbox": dict(sandbox.identity()),
    }
    plain: Json = json.loads(json.dumps(identity))
    return plain


def _labels(s: Settings, model: Model, task: Task, sandbox: Sandbox) -> Json:
    return {
        "tier": s.model.tier,
        "capability": s.model.capability,
        "capability_source": s.model.capability_source,
        "simulated": model.simulated,
        "suite": task.suite,
        "metric": task.metric,
        "lower_is_better": task.direction is Direction.MINIMIZE,
        "validation": task.validation.value,
        "sandbox": sandbox.name,
    }


def make_operators(s: Settings, direction: Direction) -> tuple[Operators, Scope]:
    """Operators and scope of a run."""
    from mlesearch.operators import make

    return make(
        direction=direction,
        operator_set=s.run.operators,
        context=s.run.context,
        context_tokens=s.run.context_tokens,
    )


def build(run: RunPlan) -> EngineParts:
    """The parts of an engine for one run; opens (or creates) its record."""
    from mlesearch.operators.scene import brief
    from mlesearch.tasks.preview import preview

    s = run.settings
    task = load_task(run.key.task) if run.key.task in s.tasks else _task_by_id(s, run.key.task)
    budget = make_budget(s)
    limits = make_limits(s, task)
    model = make_model(s)
    sandbox = make_sandbox(s)
    operators, scope = make_operators(s, task.direction)
    entropy = replicate_entropy(task.id, run.key.seed)
    problem = Problem(task.direction, budget.steps)
    optimizer = factory(s.strategy.kind)(s.strategy.params, problem, partial(proposal_rng, entropy))
    role = Role(model, Sampling(**asdict(s.model.sampling)))
    cockpit = Cockpit(
        run_id=run.key.id,
        entropy=entropy,
        brief=brief(task, preview(task.public_dir)),
        resources=Resources(limits.time_s, limits.memory_bytes, limits.cpu_count, packages=sandbox.packages()),
        operators=operators,
        scope=scope,
        roles=dict.fromkeys(Op, role),
        embedder=make_embedder(s),
        scorer=TaskScorer(task),
        review=s.strategy.review,
        call_timeout_s=s.model.call_timeout_s,
    )
    header = {"mlesearch": __version__, "run": run.key.id, "identity": identity_digest(run.identity)}
    keep_prompts = model.live if s.run.keep_prompts is None else s.run.keep_prompts
    record = Record(run.folder, header, durable=model.live, keep_prompts=keep_prompts)
    return EngineParts(
        optimizer=optimizer,
        cockpit=cockpit,
        sandbox=sandbox,
        spec=Spec(f"{task.id}@{task.version}", task.public_dir, (task.private_dir,), 0, limits),
        record=record,
        budget=budget,
        direction=task.direction,
        selection=s.run.selection,
        workers=s.run.workers,
        keep_submissions=s.run.keep_submissions,
    )


def _task_by_id(s: Settings, id: str) -> Task:
    """A task that the settings name by its folder."""
    for name in s.tasks:
        task = load_task(name)
        if task.id == id:
            return task
    raise ConfigError(f"tasks: none of {s.tasks} has the id {id!r}")


def proposal_rng(entropy: int, proposal: int) -> np.random.Generator:
    """A strategy's randomness for one proposal."""
    return np.random.default_rng([entropy, proposal])
