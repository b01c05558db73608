"""From settings to plans of runs: everything is checked and named before anything is written or paid for.

`plan` turns the cells of a launch into run plans, refusing what can't work; `mlesearch.config.assemble` turns one of
them into the parts of an engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from mlesearch.budgets.meter import Budget
from mlesearch.config.build import (
    CellParts,
    make_budget,
    make_context,
    make_embedder,
    make_limits,
    make_model,
    make_roles,
)
from mlesearch.config.checks import check_grid, check_prices, check_run_settings, check_task
from mlesearch.config.groups import names
from mlesearch.config.identity import cell_identity, cell_labels
from mlesearch.config.mlebench import with_competitions
from mlesearch.config.plugins import check_claims, name_source
from mlesearch.config.resources import ProcessResources, check_shared
from mlesearch.config.same_run import same_run
from mlesearch.config.sandboxes import ReachChecks, program_spec, sandbox_request
from mlesearch.config.sequential import sequential_plan
from mlesearch.config.settings import Settings
from mlesearch.config.virtual import (
    TABLE,
    WHY,
    check_clock,
    check_virtual_models,
    check_virtual_task,
    is_virtual,
)
from mlesearch.config.windows import check_window
from mlesearch.engine.randomness import proposal_rng
from mlesearch.optimizers.base import factory
from mlesearch.sandbox.protocol import Limits
from mlesearch.storage.cell_store import exists, state_of
from mlesearch.storage.claim import OUTCOMES, Claim, ClaimPart, Trend, claim_problem
from mlesearch.storage.claimed_measures import BudgetsJson, budgets_problem, measures_problem
from mlesearch.storage.diff import first_difference
from mlesearch.storage.documents import RUN, Identity, Labels, StudyFile, read_run
from mlesearch.storage.imported import read_imported
from mlesearch.storage.layout import (
    RunKey,
    RunState,
    check_run,
    check_study,
    identity_digest,
    is_simulated,
    study_header,
)
from mlesearch.tasks.synthetic.names import expanded
from mlesearch.types import ConfigError, Direction, Problem


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One run, checked, as plain data that travels to a worker process.

    Attributes:
        key: its place in the grid.
        study_dir: absolute.
        settings: of its cell.
        task: as its settings name it, by name or folder.
        budget: what it may spend.
        limits: of one program.
        identity: all that changes its result.
        labels: what tables say of it beside: tier, capability, simulated, ...
        recorded: the folder of the run that this one replays.
        out: where the best submission is handed over at every improvement; None: nowhere.
    """

    key: RunKey
    study_dir: Path
    settings: Settings
    task: str
    budget: Budget
    limits: Limits
    identity: Identity
    labels: Labels
    recorded: Path | None = None
    out: Path | None = None

    @property
    def folder(self) -> Path:
        """The run's own."""
        return self.study_dir / self.key.id


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """A launch: the study's header and all its runs, with what their folders hold already."""

    folder: Path
    header: StudyFile
    runs: tuple[RunPlan, ...]
    states: Mapping[RunKey, RunState]


def plan(cells: Sequence[Settings], resources: ProcessResources, *, keys: bool = True) -> StudyPlan:
    """Check a launch as a whole; nothing is written.

    Args:
        cells: of the launch.
        resources: of this process.
        keys: whether the keys of its models must be there.

    Raises:
        ConfigError: the first thing that can't work, in one line.
    """
    cells = [with_competitions(replace(s, tasks=expanded(s.tasks))) for s in cells]
    check_claims(cells)
    first = cells[0]
    folder = Path(first.study.dir).absolute()
    header = study_header(first.study.name, _claim(first))
    runs: dict[RunKey, RunPlan] = {}
    reach = ReachChecks()
    for s in cells:
        same_claim = study_header(s.study.name, _claim(s)) == header and s.claim.sequential == first.claim.sequential
        if Path(s.study.dir).absolute() != folder or not same_claim:
            raise ConfigError("study, claim: one launch has one study and one claim; don't sweep over them")
        for run in _cell(s, folder, resources, reach, keys=keys):
            run = _as_begun(run)
            known = runs.setdefault(run.key, run)
            if not same_run(known.identity, run.identity):
                different = first_difference(known.identity, run.identity, "")
                raise ConfigError(
                    f"variant: two cells of this launch would be one run ({run.key.id}) and differ: {different}; "
                    f"give them different names (variant=...)"
                )
    header = _with_looks(header, runs, folder)
    check_study(folder, header)
    header = _stamped(header, runs, folder)
    _check_claim(header, runs)
    _check_outcome(header, runs)
    states = {k: check_run(r.folder, r.identity) for k, r in runs.items()}
    return StudyPlan(folder, header, tuple(runs.values()), states)


def _as_begun(run: RunPlan) -> RunPlan:
    """A run with the identity that stands in its folder, where that is the same one in other words."""
    stored = state_of(run.folder)
    if (stored is not None and stored[1] == identity_digest(run.identity)) or not exists(run.folder / RUN):
        return run
    known = read_run(run.folder)["identity"]
    return replace(run, identity=known) if same_run(known, run.identity) else run


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
    if problem := claim_problem(c.trend, c.order, c.margin_points):
        raise ConfigError(problem)
    if problem := measures_problem(c.measures) or budgets_problem(c.budget_axis, c.low_budgets, c.high_budgets):
        raise ConfigError(problem)
    trend, order = cast(Trend, c.trend), cast("tuple[ClaimPart, ...]", tuple(c.order))
    budgets: BudgetsJson | None = None
    if c.budget_axis is not None:
        budgets = {
            "axis": c.budget_axis,
            "low": [float(b) for b in c.low_budgets],
            "high": [float(b) for b in c.high_budgets],
        }
    return Claim(
        c.treatment,
        c.baseline,
        c.outcome,
        c.capability,
        tuple(c.tiers),
        c.primary,
        trend,
        order,
        c.margin_points,
        tuple(c.measures),
        budgets,
    )


def _with_looks(header: StudyFile, runs: Mapping[RunKey, RunPlan], folder: Path) -> StudyFile:
    """The header with the plan of looks that is asked for, where one is."""
    models = {key.model: run.settings.model for key, run in runs.items()}
    first = next(iter(runs.values())).settings
    found = sequential_plan(
        first.claim.sequential,
        header["claim"],
        {name: m.capability for name, m in models.items()},
        {name: m.tier for name, m in models.items()},
        runs,
        first.seeds,
        folder,
    )
    claim = header["claim"]
    return header if found is None or claim is None else {**header, "claim": {**claim, "sequential": found}}


def _stamped(header: StudyFile, runs: Mapping[RunKey, RunPlan], folder: Path) -> StudyFile:
    """The header, which says so where simulated engineers answer: a study is simulated as a whole, or not at all.

    Raises:
        ConfigError: this launch, or this launch and what the study holds, would put both into one table.
    """
    models: dict[bool, str] = {}
    for key, run in runs.items():
        models.setdefault(run.labels["simulated"], key.model)
    if len(models) == 2:
        raise ConfigError(
            f"model: {models[True]!r} is a simulated engineer and {models[False]!r} is none; simulated and other "
            "results may never stand in one table: launch them into two studies (study.name=...)"
        )
    ((simulated, model),) = models.items()
    if is_simulated(folder) is (not simulated):
        has, comes = ("live", "a simulated engineer") if simulated else ("simulated", "none")
        raise ConfigError(
            f"study.dir: the runs in {folder} are {has}, and the model {model!r} is {comes}; simulated and other "
            "results may never stand in one table: choose another study (study.name=...)"
        )
    if simulated and (imports := read_imported(folder)):
        raise ConfigError(
            f"study.dir: {imports[0]['name']} was imported into {folder}, and the model {model!r} is a simulated "
            "engineer; simulated and other results may never stand in one table: choose another study (study.name=...)"
        )
    return {**header, "simulated": True} if simulated else header


def _check_claim(header: StudyFile, runs: Mapping[RunKey, RunPlan]) -> None:
    """A claim names strategies of this launch, or ones that have a file: a typo would be frozen into the study."""
    claim = header["claim"]
    if claim is None:
        return
    known = {k.strategy for k in runs} | {f"{k.strategy}/{k.variant}" for k in runs} | set(names("strategy"))
    for arm, strategy in (("treatment", claim["treatment"]), ("baseline", claim["baseline"])):
        if strategy not in known and strategy.partition("/")[0] not in known:
            raise ConfigError(f"claim.{arm}: no strategy is called {strategy!r}; there are: {', '.join(sorted(known))}")


def _check_outcome(header: StudyFile, runs: Mapping[RunKey, RunPlan]) -> None:
    """A claim about medals needs a task that has some; runs that nothing grades would count as failures of it."""
    claim = header["claim"]
    if claim is None or claim["outcome"] == "valid":
        return
    ungraded = sorted({k.task for k, r in runs.items() if r.labels.get("ungraded", False)})
    if ungraded:
        raise ConfigError(
            f"claim.outcome: {claim['outcome']}, and {', '.join(ungraded)} is ungraded (no test answers, no "
            f"leaderboard), so nothing can be claimed of it but validity; leave it out, or set claim.outcome=valid"
        )
    if all(r.labels.get("no_board", False) for r in runs.values()):
        raise ConfigError(
            f"claim.outcome: {claim['outcome']}, and no task of this launch has a leaderboard, so there are no medals; "
            f"set claim.outcome=valid, or give a task a leaderboard.csv"
        )


def _cell(s: Settings, folder: Path, resources: ProcessResources, reach: ReachChecks, *, keys: bool) -> list[RunPlan]:
    """All runs of one cell."""
    check_grid(s)
    budget = make_budget(s)
    check_run_settings(s)
    check_clock(s)
    model = make_model(s, resources)
    roles = make_roles(s, resources)
    embedder = make_embedder(s, resources)
    check_virtual_models(s, (model, *(role.model for role in roles.values())), embedder)
    if keys:
        for each in (model, *(role.model for role in roles.values())):
            each.check()
        embedder.check()
    problem = Problem(Direction.MAXIMIZE, budget.steps, make_context(s), trial_runs=s.run.trial.share > 0)
    factory(s.strategy.kind)(s.strategy.params, problem, partial(proposal_rng, 0))
    s, why = _with_rung(s)
    cell = CellParts(s, budget, model, roles, embedder, resources.sandbox(s))
    check_prices(cell)
    check_shared(s)
    runs, specs = [], []
    for name in s.tasks:
        task = resources.task(name, s)
        check_virtual_task(s, task)
        check_task(s, task)
        limits = make_limits(s, task)
        check_window(cell, task, limits)
        if not is_virtual(s):
            specs.append(program_spec(s, task, limits))
        identity, labels = cell_identity(cell, task, limits), cell_labels(cell, task, why)
        name_source(labels, name)
        for seed in s.seeds:
            key = RunKey(s.model.name, s.strategy.name, s.variant, task.id, seed)
            runs.append(RunPlan(key, folder, s, name, budget, limits, {**identity, "seed": seed}, labels))
    reach.check(s, specs)
    return runs


def _with_rung(s: Settings) -> tuple[Settings, str]:
    """Settings that name the rung, so that every worker process takes the same one; and why it is that one."""
    if s.sandbox.exec_store == "replay":
        return s, "none is used: executions are replayed from a store"
    if is_virtual(s):
        return replace(s, sandbox=replace(s.sandbox, kind=TABLE, params={})), WHY
    choice = sandbox_request(s).choose()
    taken = replace(s.sandbox, kind=choice.name, params=choice.params(s.sandbox.params))
    return replace(s, sandbox=taken), choice.why
