"""What installed packages bring: all that they can bring something for, and which of it a run is made of."""

from __future__ import annotations

from collections.abc import Sequence

from mlesearch.config.settings import Settings
from mlesearch.models.registry import MODEL_KINDS
from mlesearch.operators import OPERATOR_SETS
from mlesearch.optimizers.base import STRATEGIES
from mlesearch.sandbox.ladder import SANDBOXES
from mlesearch.storage.documents import CellIdentity, Labels
from mlesearch.tasks.metrics import METRIC_NAMES
from mlesearch.tasks.protocol import Task
from mlesearch.tasks.sources import TASK_SOURCES, of

REGISTRIES = (STRATEGIES, MODEL_KINDS, SANDBOXES, OPERATOR_SETS, METRIC_NAMES, TASK_SOURCES)
"""All that a package can bring something for."""


def check_claims(cells: Sequence[Settings]) -> None:
    """Refuse names of a launch that it is not clear about whose they are.

    Raises:
        ConfigError: several packages claim a name that it uses, or a package claims a built-in one.
    """
    STRATEGIES.check({s.strategy.kind for s in cells})
    MODEL_KINDS.check(kind for s in cells for kind in _kinds(s))
    SANDBOXES.check({s.sandbox.kind for s in cells})
    OPERATOR_SETS.check({s.run.operators for s in cells})
    TASK_SOURCES.check(of(name) for s in cells for name in s.tasks)


def metric_package(task: Task) -> str | None:
    """The package that a task's metric comes from; None where it is built in, or the task has a grader of its own."""
    return METRIC_NAMES.package(task.metric) if task.grader is None else None


def name_packages(identity: CellIdentity, s: Settings) -> None:
    """Write into a cell's identity which packages its parts come from; built-in parts name none.

    Where a task comes from is not in it: the task's version has a digest of its files. What a sandbox says of itself
    names its package already, so that executions are recorded with it.
    """
    if package := STRATEGIES.package(s.strategy.kind):
        identity["strategy"]["package"] = package
    if package := MODEL_KINDS.package(s.model.kind):
        identity["model"]["package"] = package
    for name, plain in s.model.roles.items():
        if package := MODEL_KINDS.package(plain["kind"]):
            identity["roles"][name]["package"] = package
    if package := OPERATOR_SETS.package(s.run.operators):
        identity["operators"]["package"] = package


def name_source(labels: Labels, name: str) -> None:
    """Write into a run's labels which package its task is from, by the name that it was asked for."""
    if of(name) and (package := TASK_SOURCES.package(of(name))):
        labels["task_package"] = package


def _kinds(s: Settings) -> list[str]:
    return [s.model.kind, *(plain["kind"] for plain in s.model.roles.values())]
