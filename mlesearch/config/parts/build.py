"""From settings to objects: plain functions, usable with no Hydra at all; what lives long comes from the resources."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TypeVar

from mlesearch.budgets.meter import Budget
from mlesearch.budgets.paid import PaidEmbedder, PaidModel
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.settings import ROLE_OPS, ModelSettings, Settings, role_settings
from mlesearch.engine.trial import Role
from mlesearch.models.protocol import Embedder, Model, Sampling
from mlesearch.models.recorded.models import RecordedEmbedder, RecordedModel
from mlesearch.operators.base import Operators, Resources, Scope
from mlesearch.sandbox.protocol import GIB, Limits, Sandbox
from mlesearch.tasks.protocol import Task, Validation
from mlesearch.tasks.row_sample import SampleRule
from mlesearch.types import MOST_USD, ConfigError, Context, Direction, Op

D = TypeVar("D", RecordedModel, RecordedEmbedder)


@dataclass(frozen=True, slots=True)
class CellParts:
    """What the runs of a cell are made of, whichever their task and seed.

    Attributes:
        settings: of the cell; they name the rung, if it is chosen.
        budget: of each run.
        model: that answers where no role does.
        roles: who answers in a role.
        embedder: of hypotheses.
        sandbox: where programs run; None where it is left to workers.
    """

    settings: Settings
    budget: Budget
    model: Model
    roles: Mapping[str, Role]
    embedder: Embedder
    sandbox: Sandbox | None

    @property
    def models(self) -> tuple[Model, ...]:
        """All that may be called."""
        return (self.model, *(role.model for role in self.roles.values()))


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
        if value is not None and key.endswith("_usd") and value > MOST_USD:
            raise ConfigError(f"budget.{key}: {value:g}; at most {MOST_USD:g} is needed, or null for no limit")
    if b.steps is None and b.time_s is None and b.cost_usd is None and b.tokens is None:
        raise ConfigError("budget: no limit is set; set at least one of steps, time_s, cost_usd, tokens")
    if b.reserve_s < 0 or (b.time_s is not None and b.reserve_s >= b.time_s):
        raise ConfigError(f"budget.reserve_s: {b.reserve_s}; at least 0 and less than budget.time_s is needed")
    if b.gpu_s is not None and not s.sandbox.gpus:
        raise ConfigError("budget.gpu_s: no program gets a GPU, so none of it is spent; set sandbox.gpus=1, or null")
    return Budget(**{f.name: getattr(b, f.name) for f in fields(Budget)})


def make_model(s: Settings, resources: ProcessResources, cell: str = "") -> Model:
    """The model of a cell: paid from the study's shared budget where the cell is named, behind the cassette."""
    return _model(s, s.model, resources, cell)


def _model(s: Settings, m: ModelSettings, resources: ProcessResources, cell: str) -> Model:
    from mlesearch.models.registry import make_model as make

    model: Model = resources.share_limits(s, make(m.name, m.kind, m.params))
    shared_budget, cassette = resources.shared_budget(s) if cell else None, resources.cassette(s)
    model = model if shared_budget is None else PaidModel(model, shared_budget, cell)
    return model if cassette is None else _recorded(RecordedModel(model, cassette), cell)


def make_roles(s: Settings, resources: ProcessResources, cell: str = "") -> dict[str, Role]:
    """The models that answer in a role, and how they sample; paid for and recorded as the model of the cell is."""
    found = {}
    for name, plain in s.model.roles.items():
        m = role_settings(plain)
        found[name] = Role(_model(s, m, resources, cell), Sampling(**asdict(m.sampling)))
    return found


def roles_by_op(s: Settings, model: Model, roles: Mapping[str, Role]) -> dict[Op, Role]:
    """Who answers each operator: the model of the cell, where no role does."""
    own = Role(model, Sampling(**asdict(s.model.sampling)))
    return {op: next((roles[r] for r in roles if op in ROLE_OPS[r]), own) for op in Op}


def calls_litellm(s: Settings) -> bool:
    """Whether some of a cell's calls go through litellm; none of a replay do."""
    kinds = {s.model.kind, s.embedder.kind, *(role["kind"] for role in s.model.roles.values())}
    return "litellm" in kinds and s.cassette != "replay"


def make_embedder(s: Settings, resources: ProcessResources, cell: str = "") -> Embedder:
    """What turns hypotheses into vectors; one that is paid for, likewise."""
    from mlesearch.models.embed import make_embedder as make

    embedder: Embedder = resources.share_limits(s, make({"kind": s.embedder.kind, **s.embedder.params}))
    shared_budget, cassette = resources.shared_budget(s) if cell else None, resources.cassette(s)
    embedder = embedder if shared_budget is None or not embedder.live else PaidEmbedder(embedder, shared_budget, cell)
    return embedder if cassette is None or not embedder.live else _recorded(RecordedEmbedder(embedder, cassette), cell)


def _recorded(made: D, cell: str) -> D:
    """Of what a run is made of, called or not, the cassette must know; a plan writes nothing."""
    if cell:
        made.record_metadata()
    return made


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


def make_sample_rule(s: Settings) -> SampleRule | None:
    """What programs run on before they run in full; None where there are no trial runs."""
    return SampleRule(s.run.trial.share, s.run.trial.rows) if s.run.trial.share else None


def is_audited(s: Settings, task: Task) -> bool:
    """Whether a valid program that its review calls a bug counts as failed."""
    return s.run.audit == "always" or (s.run.audit == "reported" and task.validation is Validation.REPORTED)


def shown_resources(limits: Limits, sandbox: Sandbox) -> Resources:
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
