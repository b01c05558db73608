"""What makes two runs the same run, and what is said of a run beside."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cached_property
from typing import TypeVar, cast

from mlesearch.budgets.meter import Budget
from mlesearch.config.parts.build import CellParts, is_audited, make_operators, make_sample_rule
from mlesearch.config.parts.plugins import metric_package, name_packages
from mlesearch.config.parts.virtual import is_virtual
from mlesearch.config.settings import Settings
from mlesearch.optimizers.base import STRATEGIES
from mlesearch.optimizers.describe import chosen_by, described
from mlesearch.sandbox.protocol import Limits
from mlesearch.storage.documents import (
    BudgetIdentity,
    CellIdentity,
    Labels,
    LimitsIdentity,
    MlebenchIdentity,
    SandboxIdentity,
    SelectionIdentity,
)
from mlesearch.tasks.protocol import OfficialGrading, Task
from mlesearch.tasks.row_sample import RULE_VERSION
from mlesearch.types import Direction

J = TypeVar("J", CellIdentity, MlebenchIdentity)


class CellIdentifier:
    """Identities and labels of a cell's runs, task by task: what no task changes is put together once."""

    def __init__(self, cell: CellParts, sandbox: SandboxIdentity) -> None:
        """Nothing is put together yet.

        Args:
            cell: its parts.
            sandbox: what it says of itself; empty where it is still to be chosen.
        """
        self._cell = cell
        self._sandbox = sandbox
        self._shared: dict[Direction, CellIdentity] = {}

    def identity(self, task: Task, limits: Limits) -> CellIdentity:
        """All that changes the result of the cell's runs on a task, the seed excepted; to be read only.

        Args:
            task: that was loaded.
            limits: of one program.
        """
        if task.direction not in self._shared:
            self._shared[task.direction] = _plain(_shared_identity(self._cell, self._sandbox, task.direction))
        s = self._cell.settings
        identity: CellIdentity = {
            **self._shared[task.direction],
            "task": {"id": task.id, "version": task.version, "validation": task.validation.value},
            "selection": _selection_identity(s, task),
            "limits": cast("LimitsIdentity", asdict(limits)),
        }
        if package := metric_package(task):
            identity["task"]["metric_package"] = package
        if is_audited(s, task):
            identity["audit"] = True
        if task.official is not None:
            identity["mlebench"] = _plain(mlebench_identity(task, task.official, s))
        return identity

    @cached_property
    def _family(self) -> str:
        """The kind of search that the strategy declares itself to be."""
        strategy = self._cell.settings.strategy
        chosen = chosen_by(described(STRATEGIES.load(strategy.kind)), strategy.params)
        return "" if chosen is None else chosen.family or ""

    def labels(self, task: Task) -> Labels:
        """What tables say of the cell's runs on a task, and changes no result; of the sandbox nothing yet."""
        s = self._cell.settings
        labels: Labels = {
            "tier": s.model.tier,
            "capability": s.model.capability,
            "capability_source": s.model.capability_source,
            "simulated": any(model.simulated for model in self._cell.models),
            "suite": task.suite,
            "metric": task.metric,
            "lower_is_better": task.direction is Direction.MINIMIZE,
            "validation": task.validation.value,
            "sandbox": "",
            "promises": [],
            "exec_store": s.sandbox.exec_store,
            "cassette": s.cassette,
            "sandbox_why": "",
        }
        if self._family:
            labels["family"] = self._family
        if task.board is None:
            labels["no_board"] = True
        if task.ungraded is not None:
            labels["ungraded"] = True
        if task.category:
            labels["category"] = task.category
        return labels


def _shared_identity(cell: CellParts, sandbox: SandboxIdentity, direction: Direction) -> CellIdentity:
    """What all runs of a cell have in common whose tasks have one direction; the parts of a task are still empty."""
    s = cell.settings
    operators = make_operators(s, direction)[0]
    identity: CellIdentity = {
        "task": {"id": "", "version": "", "validation": ""},
        "model": {"name": s.model.name, **cell.model.identity(), "sampling": asdict(s.model.sampling)},
        "strategy": {"kind": s.strategy.kind, "params": dict(s.strategy.params)},
        "review": s.strategy.review,
        "operators": {"set": s.run.operators, "prompts": dict(operators.digests())},
        "context": {"rule": s.run.context, "tokens": s.run.context_tokens},
        "embedder": cell.embedder.name,
        "selection": "",
        "budget": _budget_identity(cell.budget),
        "workers": s.run.workers,
        "limits": cast("LimitsIdentity", {}),
        "sandbox": sandbox,
    }
    rule = make_sample_rule(s)
    if rule is not None:
        time_s = s.run.trial.time_s
        identity["trial"] = {"share": rule.share, "rows": rule.rows, "time_s": time_s, "version": RULE_VERSION}
    if cell.roles:
        identity["roles"] = {
            name: {"name": role.model.name, **role.model.identity(), "sampling": asdict(role.sampling)}
            for name, role in cell.roles.items()
        }
    if is_virtual(s):
        identity["clock"] = s.clock
    name_packages(identity, s)
    return identity


def _plain(value: J) -> J:
    """As it is read back from a run's folder."""
    found: J = json.loads(json.dumps(value))
    return found


def mlebench_identity(task: Task, official: OfficialGrading, s: Settings) -> MlebenchIdentity:
    """Who grades, what of that a search is shown, and whether a set that was held out scores its programs.

    Args:
        task: a competition.
        official: how it is graded.
        s: of the cell.
    """
    identity: MlebenchIdentity = {
        "commit": official.commit,
        "versions": dict(official.versions),
        "feedback": official.feedback,
        "unpack": official.unpack,
    }
    if task.full is not None:
        identity["validation"] = "twice"
        identity["runners_up"] = s.run.revalidate_k
    return identity


def _selection_identity(s: Settings, task: Task) -> SelectionIdentity | str:
    """The rule, with its settings where it has some, and what fresh splits follow."""
    r = s.run
    if r.selection != "revalidate":
        return r.selection
    found: SelectionIdentity = {"rule": r.selection, "k": r.revalidate_k, "splits": r.revalidate_splits}
    if task.time_column is not None:
        found["by"] = "time"
    elif task.group_column is not None:
        found["by"] = "group"
    return found


def _budget_identity(budget: Budget) -> BudgetIdentity:
    return cast("BudgetIdentity", {k: v for k, v in asdict(budget).items() if k != "gpu_s" or v is not None})
