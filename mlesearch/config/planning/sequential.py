"""Looks at a study that are declared before its first run: the plan of them that study.json keeps."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mlesearch.analysis.text import plural
from mlesearch.config.settings import SequentialSettings
from mlesearch.storage.claim import OUTCOMES, ClaimJson
from mlesearch.storage.documents import STUDY
from mlesearch.storage.files import read_json
from mlesearch.storage.layout import RunKey
from mlesearch.storage.sequential import SequentialJson
from mlesearch.types import ConfigError

DIGITS = 4
"""Of bounds, in study.json: what is tested is what stands there."""


def sequential_plan(
    asked: SequentialSettings,
    claim: ClaimJson | None,
    capability: Mapping[str, float | None],
    tier: Mapping[str, str | None],
    keys: Collection[RunKey],
    seeds: Sequence[int],
    folder: Path,
) -> SequentialJson | None:
    """The plan of a launch; that of the study's folder, where it holds one by the same settings.

    So a later launch may be of some models, tasks or seeds alone, and is of the same plan.

    Args:
        asked: in the settings.
        claim: of the launch, without the plan.
        capability: of each model.
        tier: likewise.
        keys: of its runs.
        seeds: in the order in which they are run.
        folder: of the study.

    Returns:
        None where no looks are asked for.

    Raises:
        ConfigError: the plan can't be followed: what is wrong and what to set.
    """
    if not asked.looks:
        return None
    _check(asked, len(seeds), claim)
    kept = _kept(folder)
    if kept is not None and (kept["looks"], kept["alpha"], kept["futility"]) == (
        asked.looks,
        asked.alpha,
        asked.futility,
    ):
        return kept
    if claim is None or len(seeds) < asked.looks[-1]:
        raise ConfigError(
            f"claim.sequential.looks: the last look is after {plural(asked.looks[-1], 'seed')}, and seeds has "
            f"{len(seeds)}; declare all of them beforehand, as 'seeds=[{','.join(map(str, range(asked.looks[-1])))}]'"
        )
    low, high = _groups(claim, capability, tier)
    tasks = list(dict.fromkeys(key.task for key in keys))
    _check_whole(claim, [*low, *high], tasks, seeds, keys)
    from mlesearch.analysis.planning.looks import LookBounds

    bounds = LookBounds.of(asked.looks, asked.alpha, asked.futility)
    return {
        "looks": asked.looks,
        "alpha": asked.alpha,
        "futility": asked.futility,
        "bounds": [round(b, DIGITS) for b in bounds.upper],
        "gives_up_below": [None if math.isinf(b) else round(b, DIGITS) for b in bounds.futile],
        "low": low,
        "high": high,
        "tasks": tasks,
        "seeds": list(seeds),
    }


def _check(asked: SequentialSettings, seeds: int, claim: ClaimJson | None) -> None:
    looks = asked.looks
    if any(b <= a for a, b in zip([0, *looks], looks, strict=False)):
        raise ConfigError(f"claim.sequential.looks: {looks}; numbers of seeds are needed that rise from 1, as [1,2,3]")
    if not 0 < asked.alpha <= 0.2:
        raise ConfigError(f"claim.sequential.alpha: {asked.alpha:g}; above 0 and at most 0.2 is allowed")
    if not 0 <= asked.futility < 0.5:
        raise ConfigError(f"claim.sequential.futility: {asked.futility:g}; 0 (never) to below 0.5 is allowed")
    if claim is None or not (claim["capability"] or claim["tiers"]):
        raise ConfigError(
            "claim.sequential.looks: looks are at a crossover; set claim.treatment, claim.baseline, and "
            "claim.capability=true or claim.tiers"
        )
    if claim["outcome"] not in OUTCOMES:
        raise ConfigError(
            f"claim.sequential.looks: looks count successes, and claim.outcome={claim['outcome']} is a measure; set "
            f"claim.outcome to one of {', '.join(OUTCOMES)}, or leave the looks out"
        )


def _kept(folder: Path) -> SequentialJson | None:
    """The plan that stands in a study's folder."""
    claim = read_json(folder / STUDY).get("claim") if (folder / STUDY).exists() else None
    plan: SequentialJson | None = claim.get("sequential") if isinstance(claim, dict) else None
    return plan


def _groups(
    claim: ClaimJson, capability: Mapping[str, float | None], tier: Mapping[str, str | None]
) -> tuple[dict[str, float], dict[str, float]]:
    """The models of the two end groups, each with its capability, or the rank of its tier."""
    from mlesearch.analysis.statistics.crossover import groups_by_capability

    order, figures = claim["tiers"], {}
    for name in capability:
        value, of_tier = capability[name], tier[name]
        if order and not claim["capability"]:
            value = float(order.index(of_tier)) if of_tier in order else None
        if value is None or not math.isfinite(value):
            what = "tier among claim.tiers" if order and not claim["capability"] else "capability"
            raise ConfigError(f"claim.sequential.looks: model {name} has no {what}, by which groups are made; name it")
        figures[name] = value
    if order and not claim["capability"]:
        ends = (0.0, float(len(order) - 1))
        low, high = ([name for name, rank in figures.items() if rank == end] for end in ends)
    elif len(figures) >= 4:
        low, high = (list(g) for g in groups_by_capability(list(figures), list(figures.values())))
    else:
        low, high = [], []
    if min(len(low), len(high)) < 2 or set(low) & set(high):
        raise ConfigError(
            f"claim.sequential.looks: the groups at the ends have {len(low)} and {len(high)} models of "
            f"{len(figures)}; two at each end are needed: launch at least four models of different capability together"
        )
    return {name: figures[name] for name in low}, {name: figures[name] for name in high}


def _check_whole(
    claim: ClaimJson, models: Sequence[str], tasks: Sequence[str], seeds: Sequence[int], keys: Collection[RunKey]
) -> None:
    """Both strategies with every end model, on every task with every seed."""
    there = set(keys)
    for declared in (claim["treatment"], claim["baseline"]):
        strategy, _, variant = declared.partition("/")
        for model in models:
            for task in tasks:
                for seed in seeds:
                    key = RunKey(model, strategy, variant or "base", task, seed)
                    if key not in there:
                        raise ConfigError(
                            f"claim.sequential.looks: this launch has no run {key.id}, and the plan needs both "
                            "strategies with all models at the ends, on all tasks with all seeds; launch them together "
                            "once (later launches may be of some)"
                        )
    if len(tasks) < 2:
        raise ConfigError("claim.sequential.looks: one task; errors are estimated over tasks, at least two are needed")
