"""What is refused of a cell before anything is written or paid for, each in one line."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path

from mlesearch.config.parts.build import CellParts, make_operators, make_sample_rule
from mlesearch.config.settings import ModelSettings, Settings, TrialRunSettings, role_settings
from mlesearch.config.settings.modes import check_mode
from mlesearch.config.settings.run import AUDITS, KEPT_SUBMISSIONS, PREFLIGHTS
from mlesearch.engine.selection import check_rule
from mlesearch.models.protocol import Embedder, Model
from mlesearch.sandbox.gpu.pool import MAX_SLOTS
from mlesearch.sandbox.recorded import MODES
from mlesearch.storage import machine
from mlesearch.storage.requests import study_usd_in_force
from mlesearch.tasks.protocol import Task, Validity
from mlesearch.tasks.resplit import check_resplit
from mlesearch.tasks.row_sample import check_sample
from mlesearch.types import ConfigError, Direction

MIN_MEMORY_GIB = 0.25
LOCAL, DASK, RAY = "local", "dask", "ray"
BACKENDS = {LOCAL: None, DASK: "distributed", RAY: "ray"}
"""What starts workers (launcher.backend), and the module that it needs."""


def check_grid(s: Settings) -> None:
    """Every run of a cell has a place of its own, and its model a capability that is a number, if any.

    Raises:
        ConfigError: a name is empty, or there is no task or seed, or one of them twice, or a capability is not finite.
    """
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
    if s.model.capability is not None and not math.isfinite(s.model.capability):
        raise ConfigError(
            f"model.capability: {s.model.capability:g} is no number that models can be compared by; give a finite one, "
            "or null"
        )
    for name, values in (("tasks", s.tasks), ("seeds", s.seeds)):
        if len(set(map(str, values))) < len(values):
            raise ConfigError(f"{name}: {values} names one of them twice")


def check_task(s: Settings, task: Task) -> None:
    """A task that a cell's models and its rule of selection can do.

    Raises:
        ConfigError: a simulated engineer knows nothing of it, the server that says what is valid is not named, it
            can't be split anew, no sample of it can be drawn, or no time is kept for the run on its full data.
    """
    for m in (s.model, *map(role_settings, s.model.roles.values())):
        if m.kind == "simulated":
            _check_simulated(m, task)
    if task.ungraded is Validity.SERVER and s.mlebench.validate_url is None and s.cassette != "replay":
        raise ConfigError(
            f"tasks: a grading server says whether a submission to {task.id!r} is valid, and none is named; set "
            "mlebench.validate_url=http://localhost:5000/validate, or as it is"
        )
    if task.full is not None:
        _check_reserve(s, task)
    elif s.run.selection == "revalidate":
        check_resplit(task)
    rule = make_sample_rule(s)
    if rule is not None:
        check_sample(task, rule)


def _check_reserve(s: Settings, task: Task) -> None:
    """With a time budget, the run on the full data needs some of it."""
    if s.budget.time_s is not None and not s.budget.reserve_s:
        raise ConfigError(
            f"budget.reserve_s: 0; with mlebench.validation=twice the chosen program of {task.id} runs once more, on "
            "all of the data, when the search is over: set budget.reserve_s to the seconds that a program may take"
        )


def _check_trial_runs(t: TrialRunSettings) -> None:
    if not 0 <= t.share < 1:
        raise ConfigError(f"run.trial.share: {t.share}; a share of the labelled rows below 1, or 0 for no trial runs")
    if t.rows < 1:
        raise ConfigError(f"run.trial.rows: {t.rows}; at least 1 is needed")
    if not (math.isfinite(t.time_s) and t.time_s > 0):
        raise ConfigError(f"run.trial.time_s: {t.time_s}; a number above 0 is needed")


def _check_simulated(m: ModelSettings, task: Task) -> None:
    """A simulated engineer knows only tasks whose pipelines were all executed, and synthetic ones."""
    from mlesearch.models.simulated.spaces import TASKS, has_space

    if not has_space(task.id):
        raise ConfigError(
            f"tasks: the simulated engineer {m.name!r} knows nothing of {task.id!r}, only of {', '.join(TASKS)} and of "
            "synthetic tasks; choose one of these, or a real model"
        )


def check_prices(cell: CellParts, study: Path) -> None:
    """A budget in USD can be kept only where every price is known.

    Args:
        cell: whose models are called.
        study: its folder: somebody may have set a limit there.

    Raises:
        ConfigError: one is not; says of whom. Or what was set as the study's limit can't be read.
    """
    s = cell.settings
    study_usd = s.budget.study_usd if s.cassette == "replay" else study_usd_in_force(study, s.budget.study_usd)
    limited = [
        key
        for key, usd in (
            ("cost_usd", s.budget.cost_usd),
            ("cell_usd", s.budget.cell_usd),
            ("study_usd", study_usd),
        )
        if usd is not None
    ]
    if not limited:
        return
    paid: list[tuple[str, str, Model | Embedder]] = [("model", s.model.name, cell.model)]
    paid += [(f"model.roles.{name}", role.model.name, role.model) for name, role in cell.roles.items()]
    for what, name, priced in (*paid, ("embedder", cell.embedder.name, cell.embedder)):
        if priced.price is None:
            raise ConfigError(
                f"budget.{limited[0]}: the price of {what} {name!r} is not known, so a budget in USD can't be kept; "
                f"add `price: {{input_usd_per_mtok: ..., output_usd_per_mtok: ...}}` to {what}.params (0 where free)"
            )


def check_processors(s: Settings) -> None:
    """Refuse a machine on which a program can't have the processors that it is promised.

    Raises:
        ConfigError: it has fewer for this process.
    """
    there = machine.processors()
    if s.sandbox.cpu_count > there:
        raise ConfigError(f"sandbox.cpu_count: {s.sandbox.cpu_count}; this machine has {there} for this process")


def _check_backend(name: str) -> None:
    if name not in BACKENDS:
        raise ConfigError(f"launcher.backend: {name!r} is none; there are: {', '.join(BACKENDS)}")
    module = BACKENDS[name]
    if module is not None and find_spec(module) is None:
        raise ConfigError(f"launcher.backend: {name} is not installed here; pip install 'mlesearch[{name}]'")


def check_run_settings(s: Settings) -> None:
    """Numbers and words of a cell that nothing else checks.

    Raises:
        ConfigError: one is out of range or unknown.
    """
    r = s.run
    check_rule(r.selection)
    counts = {"workers": r.workers, "revalidate_k": r.revalidate_k, "revalidate_splits": r.revalidate_splits}
    for name, count in counts.items():
        if count < 1:
            raise ConfigError(f"run.{name}: {count}; at least 1 is needed")
    if r.audit not in AUDITS:
        raise ConfigError(f"run.audit: {r.audit!r}; there are: {', '.join(AUDITS)}")
    if r.preflight not in PREFLIGHTS:
        raise ConfigError(f"run.preflight: {r.preflight!r}; there are: {', '.join(PREFLIGHTS)}")
    _check_trial_runs(r.trial)
    if r.keep_submissions not in KEPT_SUBMISSIONS:
        raise ConfigError(f"run.keep_submissions: {r.keep_submissions!r}; there are: {', '.join(KEPT_SUBMISSIONS)}")
    if s.launcher.n_jobs == 0 or s.launcher.n_jobs < -1:
        raise ConfigError(f"launcher.n_jobs: {s.launcher.n_jobs}; a number of runs side by side, or -1 for one per CPU")
    _check_backend(s.launcher.backend)
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
    check_mode("sandbox.exec_store", s.sandbox.exec_store, MODES)
    temperature = s.model.sampling.temperature
    if temperature is not None and not 0 <= temperature <= 2:
        raise ConfigError(f"model.sampling.temperature: {temperature}; a number from 0 to 2 is needed, or null")
    make_operators(s, Direction.MAXIMIZE)
