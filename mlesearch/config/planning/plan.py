"""From settings to plans of runs: everything is checked and named before anything is written or paid for.

`plan` turns the cells of a launch into run plans, refusing what can't work; `mlesearch.config.assemble` turns one of
them into the parts of an engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from mlesearch.budgets.meter import Budget
from mlesearch.config.catalogue.groups import names
from mlesearch.config.identity.same_run import same_run
from mlesearch.config.parts.mlebench import with_competitions
from mlesearch.config.parts.plugins import check_claims
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.parts.sandboxes import ReachChecks
from mlesearch.config.planning.cells import CheckedCell, LaterCheck, On, check_cell, check_on_task, sandbox_labels
from mlesearch.config.planning.sequential import sequential_plan
from mlesearch.config.settings import Settings, from_recorded
from mlesearch.sandbox.protocol import Limits
from mlesearch.storage.cell_store import FAILED, exists, state_of
from mlesearch.storage.claim import Claim, ClaimPart, Trend, claim_problem, outcome_problem
from mlesearch.storage.claimed_measures import BudgetsJson, budgets_problem, measures_problem
from mlesearch.storage.diff import first_difference
from mlesearch.storage.documents import RUN, Identity, Labels, RunFile, StudyFile, read_run
from mlesearch.storage.imported import read_imported
from mlesearch.storage.layout import (
    RunKey,
    RunState,
    check_place,
    check_run,
    check_study,
    identity_digest,
    is_simulated,
    state_of_result,
    study_header,
)
from mlesearch.storage.study_sandboxes import StudySandbox
from mlesearch.tasks.synthetic.names import expanded
from mlesearch.types import ConfigError, did_you_mean


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
        identity: all that changes its result; its sandbox is empty where workers choose it (`sandbox_open`).
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

    @property
    def sandbox_open(self) -> bool:
        """Whether the first worker that begins a run of its kind chooses the sandbox for all."""
        return not self.identity["sandbox"]

    def keeping_to(self, sandbox: StudySandbox) -> RunPlan:
        """The same run in a sandbox that is chosen."""
        kept = replace(self.settings.sandbox, kind=sandbox["kind"], params=dict(sandbox["params"]))
        return replace(
            self,
            settings=replace(self.settings, sandbox=kept),
            identity={**self.identity, "sandbox": sandbox["identity"]},
            labels=sandbox_labels(self.labels, sandbox),
        )


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """A launch: the study's header and all its runs, with what their folders hold already.

    Attributes:
        folder: of the study, absolute.
        header: of the study.
        runs: all of them.
        states: what the folder of each holds.
        sandboxes: what its runs keep to, by the digest of what is asked for.
        later: what was left to workers.
    """

    folder: Path
    header: StudyFile
    runs: tuple[RunPlan, ...]
    states: Mapping[RunKey, RunState]
    sandboxes: Mapping[str, StudySandbox] = field(default_factory=dict)
    later: tuple[LaterCheck, ...] = ()


def plan(cells: Sequence[Settings], resources: ProcessResources, *, keys: bool = True, on: On = "here") -> StudyPlan:
    """Check a launch as a whole; nothing is written.

    Args:
        cells: of the launch.
        resources: of this process.
        keys: whether the keys of its models must be there.
        on: which machines carry out its runs. Of `workers`, no GPU, rung, processor or key is asked for here: what is
            left to them stands in the plan, and `mlesearch.config.planning.node_check` checks it there.

    Raises:
        ConfigError: the first thing that can't work, in one line.
    """
    cells = [with_competitions(replace(s, tasks=expanded(s.tasks))) for s in cells]
    check_claims(cells)
    first = cells[0]
    folder = Path(first.study.dir).absolute()
    check_place(first.study.name, folder)
    header = study_header(first.study.name, _claim(first))
    runs: dict[RunKey, RunPlan] = {}
    reach = ReachChecks()
    sandboxes: dict[str, StudySandbox] = {}
    later: dict[LaterCheck, None] = {}
    asked: dict[RunKey, str] = {}
    states: dict[RunKey, RunState] = {}
    for s in cells:
        same_claim = study_header(s.study.name, _claim(s)) == header and s.claim.sequential == first.claim.sequential
        if Path(s.study.dir).absolute() != folder or not same_claim:
            raise ConfigError("study, claim: one launch has one study and one claim; don't sweep over them")
        cell = check_cell(s, folder, resources, keys=keys, on=on)
        later |= dict.fromkeys(cell.later)
        if cell.asked and cell.sandbox is not None:
            sandboxes.setdefault(cell.asked, cell.sandbox)
        new = not (folder / RunKey(s.model.name, s.strategy.name, s.variant, "", 0).cell).exists()
        for planned in _runs(cell, folder, resources, reach):
            run, state = (planned, "new") if new else _as_begun(planned)
            if state is not None:
                states[run.key] = state
            if planned.sandbox_open and not run.sandbox_open:
                sandboxes.setdefault(cell.asked, _sandbox_of(read_run(run.folder)))
            asked[run.key] = cell.asked
            known = runs.setdefault(run.key, run)
            if not same_run(known.identity, run.identity):
                different = first_difference(known.identity, run.identity, "")
                raise ConfigError(
                    f"variant: two cells of this launch would be one run ({run.key.id}) and differ: {different}; "
                    f"give them different names (variant=...)"
                )
    for key, run in runs.items():
        if run.sandbox_open and asked[key] in sandboxes:
            runs[key] = run.keeping_to(sandboxes[asked[key]])
    header = _with_looks(header, runs, folder)
    _check_claim(header, runs)
    check_study(folder, header)
    header = _stamped(header, runs, folder)
    _check_outcome(header, runs)
    states = {k: states.get(k) or check_run(r.folder, r.identity) for k, r in runs.items()}
    return StudyPlan(folder, header, tuple(runs.values()), states, sandboxes, tuple(later))


def _runs(cell: CheckedCell, folder: Path, resources: ProcessResources, reach: ReachChecks) -> list[RunPlan]:
    """All runs of one cell."""
    s, runs, specs = cell.parts.settings, [], []
    for name in s.tasks:
        on_task = check_on_task(cell, name, resources)
        if on_task.spec is not None:
            specs.append(on_task.spec)
        for seed in s.seeds:
            key = RunKey(s.model.name, s.strategy.name, s.variant, on_task.task.id, seed)
            identity: Identity = {**on_task.identity, "seed": seed}
            runs.append(RunPlan(key, folder, s, name, cell.parts.budget, on_task.limits, identity, on_task.labels))
    if cell.parts.sandbox is not None:
        reach.check(s, specs)
    return runs


def _as_begun(run: RunPlan) -> tuple[RunPlan, RunState | None]:
    """A run with the identity that stands in its folder, where that is the same one in other words, and its state.

    Of a run whose folder holds another one the state is None: `check_run` says why.
    """
    stored = state_of(run.folder)
    if stored is not None and stored[1] == identity_digest(run.identity):
        return run, "failed" if stored[0] == FAILED else "finished"
    if not exists(run.folder / RUN):
        return run, "new"
    begun = read_run(run.folder)
    known = begun["identity"]
    if run.sandbox_open:
        run = run.keeping_to(_sandbox_of(begun))
    if begun["digest"] != identity_digest(run.identity):
        run = replace(run, identity=known) if same_run(known, run.identity) else run
        return run, None
    return run, state_of_result(run.folder)


def _sandbox_of(begun: RunFile) -> StudySandbox:
    """What a run keeps to that was begun before studies fixed it."""
    asked, labels = from_recorded(begun["settings"]).sandbox, begun["labels"]
    return {
        "kind": asked.kind,
        "params": dict(asked.params),
        "name": labels["sandbox"],
        "identity": begun["identity"]["sandbox"],
        "why": labels["sandbox_why"],
        "host": "an earlier launch",
    }


def _claim(s: Settings) -> Claim | None:
    c = s.claim
    if c.treatment is None and c.baseline is None:
        return None
    if c.treatment is None or c.baseline is None:
        raise ConfigError(
            f"claim.{'treatment' if c.treatment is None else 'baseline'}: a claim compares two strategies"
        )
    if problem := outcome_problem(c.outcome, c.measures) or claim_problem(c.trend, c.order, c.margin_points):
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
            hint = did_you_mean(strategy, known)
            raise ConfigError(
                f"claim.{arm}: no strategy is called {strategy!r}{hint}; there are: {', '.join(sorted(known))}"
            )


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
