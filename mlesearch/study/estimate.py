"""What a launch will take before it starts: calls, tokens, USD, GPU hours, wall time and disk.

Every number is (steps of a run) x (a profile: what one step took, see `mlesearch.study.profiles`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlesearch.config.build import make_model, make_roles
from mlesearch.config.plan import RunPlan, StudyPlan
from mlesearch.config.resources import ProcessResources
from mlesearch.config.settings import Settings
from mlesearch.models.price import Price
from mlesearch.storage.documents import STUDY
from mlesearch.study.profiles import PastRuns, Profile, default_profile
from mlesearch.types import ConfigError

_NEVER_PAID = ("scripted", "simulated")


def spends(s: Settings) -> bool:
    """Whether a cell calls a model that real money may be paid for, as for any of a plug-in."""
    kinds = {s.model.kind, *(role["kind"] for role in s.model.roles.values())}
    return s.cassette != "replay" and not kinds <= {*_NEVER_PAID}


@dataclass(frozen=True, slots=True)
class RunsEstimate:
    """A run, or a cell: what its unfinished runs will take.

    Attributes:
        name: of the run or the cell.
        runs: to do.
        usd: None where a price is not known.
        virtual: whether no real money is spent.
        profile: where the numbers are from.
    """

    name: str
    runs: int
    steps: float
    calls: float
    tokens_in: float
    tokens_out: float
    usd: float | None
    virtual: bool
    charged_s: float
    gpu_h: float
    disk_bytes: float
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of a launch: its cells, and their limits taken together.

    Attributes:
        rows: one a cell.
        usd: real money of all cells; None where a price is not known.
        unpriced: models whose price is not known.
    """

    rows: tuple[RunsEstimate, ...]
    usd: float | None
    unpriced: tuple[str, ...]

    def total(self, read: Callable[[RunsEstimate], float]) -> float:
        """A sum over the cells."""
        return math.fsum(map(read, self.rows))

    def exceeds(self, limit_usd: float | None) -> bool:
        """Whether it costs more real money than a limit, or may; None: there is no limit."""
        if not self.rows or self.usd == 0.0 or limit_usd is None:
            return False
        return self.usd is None or self.usd > limit_usd

    def wall_s(self, gpus: int, slots: int, side_by_side: int) -> float:
        """Wall-clock seconds with so many GPUs, of so many slots each, and so many timelines at once."""
        on_gpus = self.total(lambda r: r.gpu_h) * 3600 / (gpus * slots) if gpus else 0.0
        return max(on_gpus, self.total(lambda r: r.charged_s) / side_by_side)


def estimate_plan(planned: StudyPlan, resources: ProcessResources, like: Sequence[Path] = ()) -> Estimate:
    """What the runs of a launch that are not finished will take, as measured in its study and in those that are named.

    Raises:
        ConfigError: what was named is no study.
    """
    for path in like:
        if not (path / STUDY).exists():
            raise ConfigError(f"--like: {path} is no study (no study.json); name the folder that a launch wrote")
    runs = [r for r in planned.runs if planned.states[r.key] != "finished"]
    return estimate(runs, PastRuns([*like, planned.folder]), partial(_dearest_price, resources))


def _dearest_price(resources: ProcessResources, s: Settings) -> Price | None:
    """Of the models that answer in a cell, since a call may be any role's; None where one is not known."""
    models = [make_model(s, resources), *(role.model for role in make_roles(s, resources).values())]
    known = [model.price for model in models if model.price is not None]
    return max(known, key=lambda p: p.most_nusd(3_000, 1_000)) if len(known) == len(models) else None


def estimate(runs: Sequence[RunPlan], past: PastRuns, price_of: Callable[[Settings], Price | None]) -> Estimate:
    """What these runs will take.

    Args:
        runs: the unfinished runs of a launch.
        past: what was measured.
        price_of: of a cell's model; of several in roles, the dearest.
    """
    cells: dict[str, list[RunPlan]] = {}
    for run in runs:
        cells.setdefault(run.key.cell, []).append(run)
    rows, unpriced = [], set()
    for name, members in cells.items():
        s = members[0].settings
        price = None if s.cassette == "replay" else price_of(s)
        row = _cell(name, members, past, price)
        if row.usd is None:
            unpriced.add(s.model.name)
        rows.append(row)
    paid = [r.usd for r in rows if not r.virtual and r.usd is not None]
    usd = None if any(r.usd is None and not r.virtual for r in rows) else math.fsum(paid)
    limit = runs[0].settings.budget.study_usd if runs else None
    if usd is not None and limit is not None:
        usd = min(usd, limit)
    return Estimate(tuple(rows), usd, tuple(sorted(unpriced)))


def _cell(name: str, runs: Sequence[RunPlan], past: PastRuns, price: Price | None) -> RunsEstimate:
    s = runs[0].settings
    found = [_run(run, past, price) for run in runs]
    usd = None if any(r.usd is None for r in found) else math.fsum(r.usd for r in found if r.usd is not None)
    if usd is not None and s.budget.cell_usd is not None:
        usd = min(usd, s.budget.cell_usd)

    def total(read: Callable[[RunsEstimate], float]) -> float:
        return math.fsum(map(read, found))

    return RunsEstimate(
        name,
        len(found),
        total(lambda r: r.steps),
        total(lambda r: r.calls),
        total(lambda r: r.tokens_in),
        total(lambda r: r.tokens_out),
        usd,
        found[0].virtual,
        total(lambda r: r.charged_s),
        total(lambda r: r.gpu_h),
        total(lambda r: r.disk_bytes),
        "; ".join(sorted({r.profile for r in found})),
    )


def _run(run: RunPlan, past: PastRuns, price: Price | None) -> RunsEstimate:
    """One run: as many steps as its tightest limit allows."""
    s = run.settings
    profile = past.profile_of(run.key.model, run.key.strategy, run.key.task) or default_profile(
        s, run.identity["limits"]["time_s"], run.identity.get("audit", False)
    )
    replays = s.cassette == "replay"
    step_usd = 0.0 if replays else None
    if price is not None:
        step_usd = price.most_nusd(round(profile.tokens_in), round(profile.tokens_out)) / 1e9
    steps = _steps(s, profile, step_usd)
    usd = None if step_usd is None else steps * step_usd
    if usd is not None and s.budget.cost_usd is not None:
        usd = min(usd, s.budget.cost_usd)
    executed = s.sandbox.exec_store != "replay"
    return RunsEstimate(
        run.key.id,
        1,
        steps,
        0.0 if replays else steps * profile.calls,
        steps * profile.tokens_in,
        steps * profile.tokens_out,
        usd,
        replays or not spends(s),
        steps * (profile.call_s * (not replays) + profile.program_s * executed),
        steps * profile.program_s * executed / 3600 if s.sandbox.gpus else 0.0,
        steps * profile.disk_bytes,
        profile.source,
    )


def _steps(s: Settings, profile: Profile, step_usd: float | None) -> float:
    """Steps until the first limit of a run is reached."""
    b, step_s = s.budget, (profile.call_s + profile.program_s) / s.run.workers
    allowed: Mapping[str, float | None] = {
        "steps": b.steps,
        "time_s": _ratio(None if b.time_s is None else b.time_s - b.reserve_s, step_s),
        "cost_usd": _ratio(b.cost_usd, step_usd),
        "tokens": _ratio(b.tokens, profile.tokens_in + profile.tokens_out),
        "gpu_s": _ratio(b.gpu_s, profile.program_s),
    }
    return min((n for n in allowed.values() if n is not None), default=0.0)


def _ratio(limit: float | None, step: float | None) -> float | None:
    return None if limit is None or not step else limit / step
