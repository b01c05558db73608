"""A cell of a launch, checked: what its runs are made of, what makes them those runs, and what is left to workers.

Where a launch is planned and where its runs are carried out may be two machines. What depends on the machine (a rung
that works, a GPU, processors, keys) is checked on the one that carries runs out: here, or on workers.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, cast

from mlesearch.analysis.text import plural
from mlesearch.config.identity.cell import CellIdentifier
from mlesearch.config.parts.build import (
    CellParts,
    make_budget,
    make_context,
    make_embedder,
    make_limits,
    make_model,
    make_roles,
)
from mlesearch.config.parts.plugins import name_source
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.parts.sandboxes import program_spec, sandbox_request
from mlesearch.config.parts.virtual import TABLE, WHY, check_clock, check_virtual_models, check_virtual_task, is_virtual
from mlesearch.config.planning.checks import check_grid, check_prices, check_processors, check_run_settings, check_task
from mlesearch.config.planning.windows import check_window, small_windows
from mlesearch.config.settings import Settings
from mlesearch.engine.randomness import proposal_rng
from mlesearch.models.protocol import Embedder, Model
from mlesearch.optimizers.base import factory
from mlesearch.sandbox.protocol import Limits, Sandbox, Spec
from mlesearch.storage.documents import CellIdentity, Labels, SandboxIdentity
from mlesearch.storage.study_sandboxes import StudySandbox, read_sandbox
from mlesearch.tasks.protocol import Task
from mlesearch.types import ConfigError, Direction, Problem

On = Literal["here", "workers"]
"""Which machines carry out what is planned: this one, or others, on which a part is checked later."""

LEFT_OPEN = "chosen by the first worker that begins a run, and kept by all others"
"""Why a rung is what it is, while it is none yet."""


@dataclass(frozen=True, slots=True)
class LaterCheck:
    """What a planner left to workers.

    Attributes:
        setting: what it is about, by its dotted name.
        text: what each worker is asked for, in words.
    """

    setting: str
    text: str

    def __str__(self) -> str:
        return f"{self.setting}: {self.text}"


@dataclass(frozen=True, slots=True)
class CheckedCell:
    """A cell without faults.

    Attributes:
        parts: what its runs are made of; the sandbox is None where it is left to workers, or known but not opened.
        sandbox: what its runs keep to; None: nobody has chosen yet.
        asked: the digest of what is asked of a sandbox; empty where none is used.
        later: what was left to workers.
        identifier: says which run is which.
    """

    parts: CellParts
    sandbox: StudySandbox | None
    asked: str
    later: tuple[LaterCheck, ...]
    identifier: CellIdentifier


@dataclass(frozen=True, slots=True)
class TaskRuns:
    """A cell on a task, without faults: what its runs of all seeds share.

    Attributes:
        task: that was loaded.
        limits: of one program.
        identity: all that changes a result, the seed excepted.
        labels: what tables say beside it.
        spec: what programs can reach; None where none is run.
    """

    task: Task
    limits: Limits
    identity: CellIdentity
    labels: Labels
    spec: Spec | None


def check_cell(
    s: Settings, folder: Path, resources: ProcessResources, *, keys: bool = True, on: On = "here"
) -> CheckedCell:
    """Check all of a cell but its tasks; nothing is written.

    Args:
        s: of the cell.
        folder: of the study.
        resources: of this process.
        keys: whether the keys of its models must be there.
        on: which machines carry out its runs.

    Raises:
        ConfigError: the first thing that can't work, in one line.
    """
    later: list[LaterCheck] = []
    check_grid(s)
    budget = make_budget(s)
    check_run_settings(s)
    check_clock(s)
    model = make_model(s, resources)
    roles = make_roles(s, resources)
    embedder = make_embedder(s, resources)
    check_virtual_models(s, (model, *(role.model for role in roles.values())), embedder)
    if keys:
        called: list[tuple[str, Model | Embedder]] = [("model", model)]
        called += [(f"model.roles.{name}", role.model) for name, role in roles.items()]
        later += _missing_keys([*called, ("embedder", embedder)], on)
    problem = Problem(Direction.MAXIMIZE, budget.steps, make_context(s), trial_runs=s.run.trial.share > 0)
    factory(s.strategy.kind)(s.strategy.params, problem, partial(proposal_rng, 0))
    asked = _asked(s)
    fixed = read_sandbox(folder, asked) if asked else None
    if asked and on == "workers":
        later += _left_to_workers(s, fixed)
        taken, opened, keeps = s, None, fixed
    else:
        if asked:
            check_processors(s)
        taken, why = _with_rung(s, fixed)
        opened = resources.sandbox(taken)
        keeps = _kept_to(taken, opened, why)
    parts = CellParts(taken, budget, model, roles, embedder, opened)
    check_prices(parts, folder)
    if on == "workers":
        later += [
            LaterCheck("model.params.context_window", f"the shortest prompt for a task fits into {name}'s {w} tokens")
            for name, w in small_windows(parts).items()
            if opened is None
        ]
    kept = cast(SandboxIdentity, {}) if keeps is None else keeps["identity"]
    return CheckedCell(parts, keeps, asked, tuple(later), CellIdentifier(parts, kept))


def check_on_task(cell: CheckedCell, name: str, resources: ProcessResources) -> TaskRuns:
    """Check a cell's runs on one of its tasks.

    Args:
        cell: checked.
        name: of the task, as the cell names it.
        resources: of this process.

    Raises:
        ConfigError: the first thing that can't work, in one line.
    """
    s = cell.parts.settings
    task = resources.task(name, s)
    check_virtual_task(s, task)
    check_task(s, task)
    limits = make_limits(s, task)
    check_window(cell.parts, task, limits)
    spec = None if is_virtual(s) else program_spec(s, task, limits)
    labels = cell.identifier.labels(task)
    name_source(labels, name)
    return TaskRuns(task, limits, cell.identifier.identity(task, limits), sandbox_labels(labels, cell.sandbox), spec)


def sandbox_labels(labels: Labels, sandbox: StudySandbox | None) -> Labels:
    """What tables say of a run, its sandbox included, or that it is still to be chosen."""
    if sandbox is None:
        return {**labels, "sandbox": "", "promises": [], "sandbox_why": LEFT_OPEN}
    promises = sandbox["identity"].get("promises", [])
    return {**labels, "sandbox": sandbox["name"], "promises": promises, "sandbox_why": sandbox["why"]}


def _asked(s: Settings) -> str:
    """The digest of what a cell asks of a sandbox that machines differ in; empty where no program is run."""
    if s.sandbox.exec_store == "replay" or is_virtual(s):
        return ""
    request = sandbox_request(s)
    gpu = None if request.gpu is None else [request.gpu.slots, request.gpu.charge_wait]
    params = {name: value for name, value in request.params.items() if name != "min_free_gib"}
    asked = {"kind": request.kind, "require": list(request.require), "gpu": gpu, "params": params}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def _with_rung(s: Settings, fixed: StudySandbox | None) -> tuple[Settings, str]:
    """Settings that name the rung, so that every worker process takes the same one; and why it is that one."""
    if s.sandbox.exec_store == "replay":
        return s, "none is used: executions are replayed from a store"
    if is_virtual(s):
        return replace(s, sandbox=replace(s.sandbox, kind=TABLE, params={})), WHY
    if fixed is not None and fixed["kind"] != s.sandbox.kind:
        named = replace(s, sandbox=replace(s.sandbox, kind=fixed["kind"], params=dict(fixed["params"])))
        try:
            choice = sandbox_request(named).choose()
        except ConfigError as error:
            raise ConfigError(
                f"sandbox={s.sandbox.kind}: the runs of {Path(s.study.dir).absolute()} keep to {fixed['kind']}, which "
                f"{fixed['host']} fixed, and here: {error}; run them where it works, or choose another study.dir"
            ) from None
        return named, fixed["why"]
    choice = sandbox_request(s).choose()
    return replace(s, sandbox=replace(s.sandbox, kind=choice.name, params=choice.params(s.sandbox.params))), choice.why


def _kept_to(s: Settings, opened: Sandbox, why: str) -> StudySandbox:
    identity = cast(SandboxIdentity, json.loads(json.dumps(dict(opened.identity()))))
    return {
        "kind": s.sandbox.kind,
        "params": dict(s.sandbox.params),
        "name": opened.name,
        "identity": identity,
        "why": why,
        "host": socket.gethostname(),
    }


def _missing_keys(called: Sequence[tuple[str, Model | Embedder]], on: On) -> list[LaterCheck]:
    """What can't be called here, each by its setting; workers may have the keys.

    Raises:
        ConfigError: runs are carried out here.
    """
    found = []
    for setting, each in called:
        try:
            each.check()
        except ConfigError as error:
            if on == "here":
                raise
            found.append(LaterCheck(setting, f"a worker can call it, which can't be done here: {error}"))
    return found


def _left_to_workers(s: Settings, fixed: StudySandbox | None) -> list[LaterCheck]:
    """What is asked of the machines that will run a cell's programs."""
    b = s.sandbox
    if fixed is None:
        rung = f"{b.kind}: " + (LEFT_OPEN if b.kind == "auto" else "it works on each worker, and is the same on all")
    else:
        rung = f"{fixed['kind']}, which {fixed['host']} fixed for this study, works on each worker, and is the same"
    found = [LaterCheck("sandbox", rung)]
    if b.require:
        found.append(LaterCheck("sandbox.require", f"it keeps {', '.join(b.require)}"))
    if b.gpus:
        found.append(LaterCheck("sandbox.gpus", "a worker has a GPU for its programs, of the same kind on all workers"))
    found.append(LaterCheck("sandbox.cpu_count", f"a worker has {plural(b.cpu_count, 'processor')} for each program"))
    found.append(LaterCheck("study.dir", "programs can't read the study, the answers of its tasks or its stores"))
    return found
