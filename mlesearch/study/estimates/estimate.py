"""What a launch will take before it starts: calls, tokens, USD, GPU hours, wall time and disk.

Every number is (steps of a run) x (a profile: what one step took, see `mlesearch.study.estimates.profiles`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mlesearch.config.parts.build import make_model, make_roles
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.parts.virtual import is_virtual
from mlesearch.config.planning.plan import RunPlan, StudyPlan
from mlesearch.config.settings import Settings
from mlesearch.models.price import Price
from mlesearch.storage.documents import STUDY
from mlesearch.study.estimates.profiles import PastRuns, Profile, default_profile, kind_of
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
        most_usd: what is to be agreed to: `usd`, or by the default profile where that is more and `usd` is from runs
            of another model, strategy or task.
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
    most_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of a launch: its cells, and their limits taken together.

    Attributes:
        rows: one a cell.
        usd: real money of all cells; None where a price is not known.
        most_usd: likewise, what is to be agreed to.
        unpriced: models whose price is not known.
    """

    rows: tuple[RunsEstimate, ...]
    usd: float | None
    unpriced: tuple[str, ...]
    most_usd: float | None

    def total(self, read: Callable[[RunsEstimate], float]) -> float:
        """A sum over the cells."""
        return math.fsum(map(read, self.rows))

    def exceeds(self, limit_usd: float | None) -> bool:
        """Whether it costs more real money than a limit, or may; None: there is no limit."""
        if not self.rows or self.most_usd == 0.0 or limit_usd is None:
            return False
        return self.most_usd is None or self.most_usd > limit_usd

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
    limit = runs[0].settings.budget.study_usd if runs else None
    paid = [r for r in rows if not r.virtual]
    usd, most = _sum_within([r.usd for r in paid], limit), _sum_within([r.most_usd for r in paid], limit)
    return Estimate(tuple(rows), usd, tuple(sorted(unpriced)), most)


def _sum_within(amounts: Sequence[float | None], limit: float | None) -> float | None:
    """A sum of money, no more than a limit; None where a part is not known."""
    known = [a for a in amounts if a is not None]
    if len(known) < len(amounts):
        return None
    return math.fsum(known) if limit is None else min(math.fsum(known), limit)


def _cell(name: str, runs: Sequence[RunPlan], past: PastRuns, price: Price | None) -> RunsEstimate:
    s = runs[0].settings
    of_task: dict[str, RunsEstimate] = {}
    for run in runs:  # seeds of a task are alike
        if run.key.task not in of_task:
            of_task[run.key.task] = _run(run, past, price)
    found = [of_task[run.key.task] for run in runs]
    usd = _sum_within([r.usd for r in found], s.budget.cell_usd)
    most = _sum_within([r.most_usd for r in found], s.budget.cell_usd)

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
        most,
    )


def _run(run: RunPlan, past: PastRuns, price: Price | None) -> RunsEstimate:
    """One run: as many steps as its tightest limit allows."""
    s = run.settings
    kind = kind_of(not spends(s), price is not None and price.most_nusd(1_000_000, 1_000_000) == 0)
    guess = default_profile(s, run.identity["limits"]["time_s"], run.identity.get("audit", False))
    beside = past.kinds_beside(kind)
    if beside:
        guess = replace(guess, source=f"{guess.source} (recorded runs are of {' and '.join(beside)} models alone)")
    profile = past.profile_of(run, kind) or guess
    replays = s.cassette == "replay"
    steps, usd = _steps_and_usd(s, profile, price)
    most = usd
    if not profile.trusted:
        by_guess = _steps_and_usd(s, guess, price)[1]
        most = None if usd is None or by_guess is None else max(usd, by_guess)
    executed = s.sandbox.exec_store != "replay" and not is_virtual(s)
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
        most,
    )


def _steps_and_usd(s: Settings, profile: Profile, price: Price | None) -> tuple[float, float | None]:
    """How many steps a run's limits allow by a profile, and what they cost; None where no price is known."""
    step_usd = 0.0 if s.cassette == "replay" else None
    if price is not None:
        step_usd = price.most_nusd(round(profile.tokens_in), round(profile.tokens_out)) / 1e9
    steps = _steps(s, profile, step_usd)
    if step_usd is None:
        return steps, None
    usd = steps * step_usd
    return steps, usd if s.budget.cost_usd is None else min(usd, s.budget.cost_usd)


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
