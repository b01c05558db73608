"""What makes two runs the same run, and what is said of a run beside."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import cast

from mlesearch.budgets.meter import Budget
from mlesearch.config.build import CellParts, is_audited, make_operators, make_sample_rule
from mlesearch.config.plugins import name_packages
from mlesearch.config.settings import Settings
from mlesearch.config.virtual import is_virtual
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


def cell_identity(cell: CellParts, task: Task, limits: Limits, sandbox: SandboxIdentity) -> CellIdentity:
    """All that changes the result of a cell's runs on a task, the seed excepted.

    Args:
        cell: its parts.
        task: that was loaded.
        limits: of one program.
        sandbox: what it says of itself; empty where it is still to be chosen.
    """
    s = cell.settings
    operators = make_operators(s, task.direction)[0]
    identity: CellIdentity = {
        "task": {"id": task.id, "version": task.version, "validation": task.validation.value},
        "model": {"name": s.model.name, **cell.model.identity(), "sampling": asdict(s.model.sampling)},
        "strategy": {"kind": s.strategy.kind, "params": dict(s.strategy.params)},
        "review": s.strategy.review,
        "operators": {"set": s.run.operators, "prompts": dict(operators.digests())},
        "context": {"rule": s.run.context, "tokens": s.run.context_tokens},
        "embedder": cell.embedder.name,
        "selection": _selection_identity(s, task),
        "budget": _budget_identity(cell.budget),
        "workers": s.run.workers,
        "limits": cast("LimitsIdentity", asdict(limits)),
        "sandbox": sandbox,
    }
    rule = make_sample_rule(s)
    if rule is not None:
        time_s = s.run.trial.time_s
        identity["trial"] = {"share": rule.share, "rows": rule.rows, "time_s": time_s, "version": RULE_VERSION}
    if is_audited(s, task):
        identity["audit"] = True
    if cell.roles:
        identity["roles"] = {
            name: {"name": role.model.name, **role.model.identity(), "sampling": asdict(role.sampling)}
            for name, role in cell.roles.items()
        }
    if is_virtual(s):
        identity["clock"] = s.clock
    if task.official is not None:
        identity["mlebench"] = mlebench_identity(task, task.official, s)
    name_packages(identity, s, task)
    plain: CellIdentity = json.loads(json.dumps(identity))
    return plain


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


def cell_labels(cell: CellParts, task: Task) -> Labels:
    """What tables say of a cell's runs on a task, and changes no result; of the sandbox nothing yet."""
    s = cell.settings
    labels: Labels = {
        "tier": s.model.tier,
        "capability": s.model.capability,
        "capability_source": s.model.capability_source,
        "simulated": any(model.simulated for model in cell.models),
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
    described_as = chosen_by(described(STRATEGIES.load(s.strategy.kind)), s.strategy.params)
    if described_as is not None and described_as.family:
        labels["family"] = described_as.family
    if task.board is None:
        labels["no_board"] = True
    if task.ungraded is not None:
        labels["ungraded"] = True
    if task.category:
        labels["category"] = task.category
    return labels
