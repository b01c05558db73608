"""What a virtual clock needs: simulated models, tasks whose programs can be looked up, and nothing that is real."""

from __future__ import annotations

from pathlib import Path

from mlesearch.config.settings import Settings
from mlesearch.models.protocol import Embedder, Model
from mlesearch.sandbox.ladder import AUTO
from mlesearch.storage import file_systems
from mlesearch.tasks.protocol import Task, Validation
from mlesearch.types import ConfigError

REAL, VIRTUAL = "real", "virtual"
CLOCKS = (REAL, VIRTUAL)
"""Whose time is charged: that of programs which run and models which answer, or that of tables and engineers."""

TABLE = "table"
"""What stands in place of a rung."""

WHY = "none is used: programs are looked up (clock=virtual)"


def is_virtual(s: Settings) -> bool:
    """Whether the programs of a cell are looked up."""
    return s.clock == VIRTUAL


def check_clock(s: Settings) -> None:
    """Refuse an unknown clock, and settings that mean nothing on a virtual one.

    Raises:
        ConfigError: names the setting, and what to set it to.
    """
    if s.clock not in CLOCKS:
        raise ConfigError(f"clock: {s.clock!r} is no clock; there are: {', '.join(CLOCKS)}")
    if not is_virtual(s):
        return
    b, r, u = s.sandbox, s.run, s.budget
    for key, value, wanted, why in (
        ("sandbox.kind", b.kind, b.kind if b.kind in (AUTO, TABLE) else AUTO, "no program is run"),
        ("sandbox.gpus", b.gpus, 0, "no program is run"),
        ("sandbox.require", list(b.require), [], "no program is run, so no promise is kept"),
        ("sandbox.weights", b.weights, None, "no program is run"),
        ("sandbox.exec_store", b.exec_store, "off", "executions are looked up, so none needs to be stored"),
        ("cassette", s.cassette, "live", "simulated engineers answer the same again, so no call needs to be recorded"),
        ("run.trial.share", r.trial.share, 0.0, "a table knows nothing of samples"),
        (
            "run.selection",
            r.selection,
            r.selection if r.selection != "revalidate" else "best_validation",
            "a table has one split",
        ),
        ("budget.real_time_s", u.real_time_s, None, "nothing waits"),
        ("budget.cell_usd", u.cell_usd, None, "runs that share a budget would depend on each other's pace"),
        ("budget.study_usd", u.study_usd, None, "runs that share a budget would depend on each other's pace"),
    ):
        if value != wanted:
            shown: object = "null" if wanted is None else wanted
            raise ConfigError(f"{key}: {value}, but with clock=virtual {why}; set {key}={shown}, or clock=real")
    folder = Path(s.study.dir)
    if s.limits.network is not False and file_systems.on_network(folder):
        raise ConfigError(
            f"clock: {folder.absolute()} is on a network file system, where the store of a cell can't be locked; "
            "choose a study.dir on a local disk"
        )


def check_virtual_models(s: Settings, models: tuple[Model, ...], embedder: Embedder) -> None:
    """Refuse models on a virtual clock whose calls take real time.

    Raises:
        ConfigError: names one.
    """
    if not is_virtual(s):
        return
    for model in models:
        if not model.simulated:
            raise ConfigError(
                f"clock: virtual, but the model {model.name!r} is not simulated; choose a simulated engineer "
                "(model=sim_05), or clock=real"
            )
    if embedder.live:
        raise ConfigError(f"clock: virtual, but the embedder {embedder.name!r} is paid for; set embedder.kind=hashed")


def check_virtual_task(s: Settings, task: Task) -> None:
    """Refuse a task on a virtual clock whose programs can't be looked up.

    Raises:
        ConfigError: names it.
    """
    from mlesearch.models.simulated.spaces import TASKS, has_space

    if is_virtual(s) and not has_space(task.id):
        raise ConfigError(
            f"clock: virtual, but nobody knows what programs of {task.id!r} come to; choose from {', '.join(TASKS)} "
            "and the synthetic tasks, or clock=real"
        )
    if is_virtual(s) and task.validation is not Validation.HARNESS:
        raise ConfigError(
            f"clock: virtual, but programs of {task.id!r} report their own scores, which are not known without running "
            "them; set clock=real"
        )
