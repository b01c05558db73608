"""From settings to the objects of the house: plain functions and dictionaries by kind, usable with no Hydra at all."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

from mlesearch import __version__
from mlesearch.budgets.meter import Budget
from mlesearch.budgets.paid import PaidEmbedder, PaidModel
from mlesearch.config.settings import ModelSettings, Settings, role_settings
from mlesearch.config.spending import cell_of, on_network, shared_budget_of
from mlesearch.engine.folder import RunFolder
from mlesearch.engine.fresh_splits import TaskSplits
from mlesearch.engine.parts import EngineParts, Execution, Revalidate
from mlesearch.engine.randomness import proposal_rng, replicate_entropy
from mlesearch.engine.replay import Recording
from mlesearch.engine.scoring import TaskScorer
from mlesearch.engine.trial import Role, RunContext
from mlesearch.models.limits.counters import CallCounters
from mlesearch.models.limits.place import Limited, place_of
from mlesearch.models.protocol import Embedder, Model, Sampling
from mlesearch.models.recorded.cassette import Cassette, check_mode
from mlesearch.models.recorded.models import RecordedEmbedder, RecordedModel
from mlesearch.models.recorded.single_flight import SingleFlight
from mlesearch.operators.base import Operators, Resources, Scope
from mlesearch.optimizers.base import factory
from mlesearch.sandbox import ladder
from mlesearch.sandbox.protocol import GIB, Limits, Sandbox, Spec
from mlesearch.storage.events import HeaderFields
from mlesearch.storage.layout import RunKey
from mlesearch.storage.store import open_store
from mlesearch.tasks.protocol import Task
from mlesearch.types import ConfigError, Context, Direction, Op, Problem

M = TypeVar("M")
D = TypeVar("D", RecordedModel, RecordedEmbedder)

ROLE_OPS = {"feedback": (Op.REVIEW, Op.DIAGNOSE), "ideas": (Op.HYPOTHESIZE, Op.SELECT)}
"""The operators of each role."""


def make_budget(s: Settings) -> Budget:
    """The budget of a run.

    Raises:
        ConfigError: none is declared, or one is not above 0.
    """
    b = s.budget
    for key in ("steps", "time_s", "cost_usd", "tokens", "real_time_s", "gpu_s", "cell_usd", "study_usd"):
        value = getattr(b, key)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"budget.{key}: {value}; a number above 0 is needed, or null for no limit")
    if b.steps is None and b.time_s is None and b.cost_usd is None and b.tokens is None:
        raise ConfigError("budget: no limit is set; set at least one of steps, time_s, cost_usd, tokens")
    if b.reserve_s < 0 or (b.time_s is not None and b.reserve_s >= b.time_s):
        raise ConfigError(f"budget.reserve_s: {b.reserve_s}; at least 0 and less than budget.time_s is needed")
    if b.gpu_s is not None and not s.sandbox.gpus:
        raise ConfigError("budget.gpu_s: no program gets a GPU, so none of it is spent; set sandbox.gpus=1, or null")
    return Budget(b.steps, b.time_s, b.cost_usd, b.tokens, b.real_time_s, b.reserve_s, b.gpu_s)


def make_model(s: Settings, cell: str = "") -> Model:
    """The model of a cell: paid from the study's shared budget where the cell is named, behind the cassette."""
    return _model(s, s.model, cell)


def _model(s: Settings, m: ModelSettings, cell: str) -> Model:
    from mlesearch.models.registry import make_model as make

    model: Model = shared(s, make(m.name, m.kind, m.params))
    shared_budget, tape = shared_budget_of(s) if cell else None, make_tape(s)
    model = model if shared_budget is None else PaidModel(model, shared_budget, cell)
    return model if tape is None else _described(RecordedModel(model, tape), cell)


def make_roles(s: Settings, cell: str = "") -> dict[str, Role]:
    """The models that answer in a role, and how they sample; paid for and recorded as the model of the cell is."""
    found = {}
    for name, plain in s.model.roles.items():
        m = role_settings(plain)
        found[name] = Role(_model(s, m, cell), Sampling(**asdict(m.sampling)))
    return found


def models_by_op(s: Settings, model: Model, cell: str = "") -> dict[Op, Role]:
    """Who answers each operator: the model of the cell, where no role does."""
    roles = make_roles(s, cell)
    own = Role(model, Sampling(**asdict(s.model.sampling)))
    return {op: next((roles[r] for r in roles if op in ROLE_OPS[r]), own) for op in Op}


def make_embedder(s: Settings, cell: str = "") -> Embedder:
    """What turns hypotheses into vectors; one that is paid for, likewise."""
    from mlesearch.models.embed import make_embedder as make

    embedder: Embedder = shared(s, make({"kind": s.embedder.kind, **s.embedder.params}))
    shared_budget, tape = shared_budget_of(s) if cell else None, make_tape(s)
    embedder = embedder if shared_budget is None or not embedder.live else PaidEmbedder(embedder, shared_budget, cell)
    return embedder if tape is None or not embedder.live else _described(RecordedEmbedder(embedder, tape), cell)


def _described(made: D, cell: str) -> D:
    """Of what a run is made of, called or not, the cassette must know; a plan writes nothing."""
    if cell:
        made.record_metadata()
    return made


def make_tape(s: Settings) -> Cassette | None:
    """The cassette of a cell, kept for the life of the process; None for live.

    Raises:
        ConfigError: unknown mode or form, or nothing to replay from.
    """
    check_mode(s.cassette)
    if s.cassette == "live":
        return None
    form = s.cassette_form or ("files" if on_network(s) else "sqlite")
    name = "cassette.db" if form == "sqlite" else "cassette"
    path = Path(s.cassette_path or Path(s.study.dir) / name).absolute()
    return _tape(s.cassette, path, form, os.getpid())


@lru_cache(maxsize=8)
def _tape(mode: str, path: Path, form: str, pid: int) -> Cassette:
    store = open_store(path, form, must_exist=mode == "replay")
    return Cassette(store, mode, SingleFlight(path.with_name(f"{path.name}-flights")))


def reset_breakers(s: Settings) -> None:
    """Before a launch: what failed or was refused in an earlier one may work again."""
    place = place_of(Path(s.study.dir).absolute(), s.limits.partition, network=s.limits.network, limited=False)
    if place.path is not None and place.path.exists():
        counters = CallCounters(place.path)
        counters.reset_breakers()
        counters.close()


def shared(s: Settings, made: M) -> M:
    """Let a live model or embedder keep to its limits together with all other runs of the study."""
    if isinstance(made, Limited) and s.cassette != "replay":
        folder = Path(s.study.dir).absolute()
        made.use_place(place_of(folder, s.limits.partition, network=s.limits.network, limited=made.caps.any))
    return made


def make_sandbox(s: Settings) -> Sandbox:
    """The sandbox of a cell, tried once; kept for the life of the process, so that what is warm stays warm.

    Raises:
        ConfigError: unknown kind, it does not work here, it does not keep `sandbox.require`, no GPU where one is asked
            for, or its store is missing or another sandbox's.
    """
    b = s.sandbox
    gpu = (b.gpu_slots, b.charge_gpu_wait) if b.gpus else None
    asked = (b.kind, json.dumps(list(b.require)), json.dumps(_sandbox_params(s), sort_keys=True), gpu)
    if b.exec_store == "off":
        return _sandbox(*asked, os.getpid())
    name = "executions.db" if b.exec_store_form == "sqlite" else "executions"
    path = Path(b.exec_store_path or Path(s.study.dir) / name).absolute()
    return _recorded(*asked, b.exec_store, path, b.exec_store_form, os.getpid())


def choose_sandbox(s: Settings) -> ladder.ChosenRung:
    """The rung that a cell's programs run on, tried once a process, and why it is that one.

    Raises:
        ConfigError: unknown kind, it does not work here, or it does not keep `sandbox.require`.
    """
    return ladder.choose(s.sandbox.kind, s.sandbox.require, _sandbox_params(s), bool(s.sandbox.gpus))


def _sandbox_params(s: Settings) -> dict[str, object]:
    general: dict[str, object] = {
        "require": list(s.sandbox.require),
        "warm": s.sandbox.warm,
        "min_free_gib": s.sandbox.min_free_gib,
    }
    if s.sandbox.weights is not None:
        general["weights"] = str(Path(s.sandbox.weights).absolute())
    for key in (*general, "weights"):
        if key in s.sandbox.params:
            raise ConfigError(f"sandbox.params.{key}: it is no parameter of one rung; set sandbox.{key} instead")
    return {**s.sandbox.params, **general}


@lru_cache(maxsize=8)
def _recorded(
    kind: str, require: str, params: str, gpu: tuple[int, bool] | None, mode: str, path: Path, form: str, pid: int
) -> Sandbox:
    from mlesearch.sandbox.recorded import recorded

    given = {k: v for k, v in json.loads(params).items() if k != "min_free_gib"}
    if "weights" in given:
        given["weights"] = True  # their digest is in the identity; where they lie is no part of what was asked
    automatic = kind == ladder.AUTO
    asked = [
        {
            "kind": name,
            "params": ladder.known_params(name, given) if automatic else given,
            "gpu": None if gpu is None else list(gpu),
        }
        for name in (ladder.CHOSEN_BY_AUTO if automatic else (kind,))
    ]
    return recorded(
        mode,
        partial(_sandbox, kind, require, params, gpu, pid),
        partial(open_store, path, form, must_exist=mode == "replay"),
        asked,
    )


@lru_cache(maxsize=8)
def _sandbox(kind: str, require: str, params: str, gpu: tuple[int, bool] | None, pid: int) -> Sandbox:
    given = json.loads(params)
    sandbox = ladder.open_chosen(ladder.choose(kind, json.loads(require), given, gpu is not None), given)
    if gpu is not None:
        from mlesearch.sandbox.gpu.sandbox import GpuSandbox

        sandbox = GpuSandbox(sandbox, slots=gpu[0], charge_wait=gpu[1])
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


def make_resources(limits: Limits, sandbox: Sandbox) -> Resources:
    """What prompts say of a run's machine: what it declares, and nothing else of it."""
    from mlesearch.sandbox import weights
    from mlesearch.sandbox.gpu import devices

    identity = sandbox.identity()
    return Resources(
        limits.time_s,
        limits.memory_bytes,
        limits.cpu_count,
        devices.describe(identity),
        sandbox.packages(),
        weights.describe(identity),
    )


def make_context(s: Settings) -> Context:
    """Whose rule fills the context of prompts.

    Raises:
        ConfigError: unknown rule.
    """
    try:
        return Context(s.run.context)
    except ValueError:
        allowed = ", ".join(Context)
        raise ConfigError(f"run.context: {s.run.context!r} is no rule; there are: {allowed}") from None


def make_operators(s: Settings, direction: Direction) -> tuple[Operators, Scope]:
    """Operators and scope of a run."""
    from mlesearch.operators import make

    return make(
        direction=direction,
        operator_set=s.run.operators,
        context_tokens=s.run.context_tokens,
    )


def build(s: Settings, key: RunKey, folder: Path, digest: str, recorded: Path | None = None) -> EngineParts:
    """The parts of an engine for one run; opens (or creates) its `folder`.

    `recorded` is the folder of the run that this one replays.
    """
    from mlesearch.operators.scene import brief
    from mlesearch.tasks.preview import preview

    task = load_task(key.task) if key.task in s.tasks else _task_by_id(s, key.task)
    recording = None if recorded is None else Recording(recorded / "journal.jsonl")
    budget = make_budget(s)
    if recording is not None:
        budget = replace(budget, real_time_s=None)  # the recording says when the wall clock ended it
    limits = make_limits(s, task)
    model = make_model(s, cell_of(key))
    sandbox = make_sandbox(s)
    operators, scope = make_operators(s, task.direction)
    entropy = replicate_entropy(task.id, key.seed)
    problem = Problem(task.direction, budget.steps, make_context(s))
    optimizer = factory(s.strategy.kind)(s.strategy.params, problem, partial(proposal_rng, entropy))
    roles = models_by_op(s, model, cell_of(key))
    live = any(role.model.live for role in roles.values())
    context = RunContext(
        run_id=key.id,
        entropy=entropy,
        brief=brief(task, preview(task.public_dir)),
        resources=make_resources(limits, sandbox),
        operators=operators,
        scope=scope,
        roles=roles,
        embedder=make_embedder(s, cell_of(key)),
        scorer=TaskScorer(task),
        review=s.strategy.review,
        call_timeout_s=s.model.call_timeout_s,
    )
    revalidate = None
    if s.run.selection == "revalidate":
        fresh = TaskSplits(task, limits, s.sandbox.gpus)
        revalidate = Revalidate(fresh, s.run.revalidate_k, s.run.revalidate_splits)
    header: HeaderFields = {"mlesearch": __version__, "run": key.id, "identity": digest}
    keep_prompts = live if s.run.keep_prompts is None else s.run.keep_prompts
    durable = live and s.cassette != "replay"  # what was recorded can be had again
    run_folder = RunFolder(folder, header, durable=durable, keep_prompts=keep_prompts, recording=recording)
    return EngineParts(
        optimizer=optimizer,
        context=context,
        sandbox=sandbox,
        spec=Spec(f"{task.id}@{task.version}", task.public_dir, (task.private_dir,), 0, limits, gpus=s.sandbox.gpus),
        folder=run_folder,
        budget=budget,
        direction=task.direction,
        selection=s.run.selection,
        revalidate=revalidate,
        execution=Execution(s.run.workers, s.cassette == s.sandbox.exec_store == "replay", recording),
        keep_submissions=s.run.keep_submissions,
    )


def _task_by_id(s: Settings, id: str) -> Task:
    """A task that the settings name by its folder."""
    for name in s.tasks:
        task = load_task(name)
        if task.id == id:
            return task
    raise ConfigError(f"tasks: none of {s.tasks} has the id {id!r}")
