"""What a study declared before its first run, and what its tables are therefore read as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.arrays import Floats
from mlesearch.analysis.data.columns import distinct, distinct_pairs
from mlesearch.analysis.data.tables import Tables, declared_names, has_result
from mlesearch.analysis.data.unranked import counted, outcomes_of
from mlesearch.storage.claim import CLAIMABLE, OUTCOMES, ClaimPart, Trend, claim_problem
from mlesearch.storage.claimed_measures import MEASURE_NAMES
from mlesearch.types import ConfigError


@dataclass(frozen=True, slots=True)
class Arm:
    """One thing that is compared: a strategy in one variant.

    Attributes:
        strategy: its name.
        variant: its variant.
        label: the strategy alone where it ran in one variant only, else strategy/variant.
    """

    strategy: str
    variant: str
    label: str


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a study, weakest first where that is known.

    Attributes:
        names: ids.
        tier: declared tiers, empty strings where none.
        capability: shape (M,): external figures, or the ranks of declared tiers; None when neither orders the models.
        ordinal: whether `capability` holds ranks of tiers.
        tier_order: declared tiers, lowest first; empty where none are declared.
        source: where the capability figures come from.
    """

    names: tuple[str, ...]
    tier: tuple[str, ...]
    capability: Floats | None
    ordinal: bool
    tier_order: tuple[str, ...]
    source: str

    def some(self, there: npt.NDArray[np.bool_]) -> Models:
        """Some of them, shape (M,)."""
        tier = tuple(t for t, s in zip(self.tier, there, strict=True) if s)
        return replace(
            self,
            names=tuple(n for n, s in zip(self.names, there, strict=True) if s),
            tier=tier,
            capability=None if self.capability is None else self.capability[there],
            tier_order=tuple(t for t in self.tier_order if t in tier),
        )


@dataclass(frozen=True, slots=True)
class TestedClaim:
    """The claim that the report tests: what study.json declares, with its arms found in the tables.

    Attributes:
        treatment: arm.
        baseline: arm.
        outcome: one of `CLAIMABLE`.
        primary: the declared claim in words, or empty.
        capability: whether it was declared that the gap grows with capability (or along tiers).
        declared: whether study.json declared it before the first run; if not, all is exploratory.
        trend: what the gap is claimed to do as capability grows.
        order: the declared sequence of the claim's parts; empty where they share one level.
        margin: the declared margin of equivalence, as a fraction; None where none is declared.
        unmet: why the declared claim is not tested here, in words; then the pair here is one to explore.
        why: why this pair was chosen, in words, where none was declared and others could have been.
    """

    treatment: Arm
    baseline: Arm
    outcome: str
    primary: str
    capability: bool
    declared: bool
    unmet: str = ""
    why: str = ""
    trend: Trend = "rises"
    order: tuple[ClaimPart, ...] = ()
    margin: float | None = None


def arms_of(tables: Tables) -> tuple[Arm, ...]:
    """The arms, in the order in which study.json declares the strategies.

    Where it declares none: the claim's baseline first, its treatment last, the others by name.

    Raises:
        ConfigError: two of them would have one label.
    """
    pairs = distinct_pairs(tables.runs["strategy"], tables.runs["variant"])
    order = {name: place for place, name in enumerate(declared_names(tables.study, "strategies"))}
    raw = tables.study.get("claim")
    if not order and isinstance(raw, Mapping):
        middle = {strategy: 1 for strategy, _ in pairs}
        ends = {str(raw.get("baseline")).split("/")[0]: 0, str(raw.get("treatment")).split("/")[0]: 2}
        order = middle | ends
    pairs.sort(key=lambda pair: (order.get(pair[0], len(order)), pair))
    alone = pd.Series([strategy for strategy, _ in pairs]).value_counts()
    arms = tuple(Arm(s, v, s if alone[s] == 1 else f"{s}/{v}") for s, v in pairs)
    for a, b in combinations(arms, 2):
        if a.label == b.label:
            raise ConfigError(
                f"table runs: {a.label!r} would name both strategy {a.strategy!r} in variant {a.variant!r} and "
                f"strategy {b.strategy!r} in variant {b.variant!r}; give one of them another name"
            )
    return arms


def find_arm(name: str, arms: Sequence[Arm], field: str) -> Arm:
    """The arm that a claim names, by label or by strategy.

    Raises:
        ConfigError: there is none, or several and none of them is the variant "base".
    """
    by_label = [arm for arm in arms if name in (arm.label, f"{arm.strategy}/{arm.variant}")]
    matches = by_label or [arm for arm in arms if arm.strategy == name]
    if len(matches) > 1:
        matches = [arm for arm in matches if arm.variant == "base"]
    if len(matches) != 1:
        allowed = ", ".join(arm.label for arm in arms)
        raise ConfigError(f"study.json: claim.{field} is {name!r}; allowed here: {allowed}")
    return matches[0]


def claim_of(tables: Tables) -> TestedClaim | None:
    """The declared claim; without one, a default pair to explore; None when there is a single arm.

    Without a declaration the baseline is `greedy` where it ran (else the first arm), the treatment is the other arm
    with the most runs that have a result (of equals the first; its outcomes have no say in it), and the outcome is any
    medal (a valid submission where no task has a leaderboard).

    Raises:
        ConfigError: the declared claim is no claim (an unknown outcome, a strategy against itself, one of several
            variants without saying which).
    """
    arms = arms_of(tables)
    raw = tables.study.get("claim")
    possible = outcomes_of(tables.runs)
    if not raw:
        return _to_explore(tables, arms, possible[0], "")
    if not isinstance(raw, Mapping) or not {"treatment", "baseline", "outcome"} <= set(raw):
        raise ConfigError("study.json: claim needs treatment, baseline and outcome, or must be null")
    outcome = str(raw["outcome"])
    if outcome not in CLAIMABLE:
        raise ConfigError(f"study.json: claim.outcome is {outcome!r}; allowed: {', '.join(CLAIMABLE)}")
    if counted(tables.runs, outcome).empty:
        about = OUTCOMES.get(outcome) or MEASURE_NAMES[outcome]
        unmet = f"The declared claim is about {about}, and no task of this study has a leaderboard."
        return _to_explore(tables, arms, possible[0], unmet)
    absent = [str(raw[f]) for f in ("treatment", "baseline") if not _named(str(raw[f]), arms)]
    if absent:
        pair = f"{raw['treatment']} with {raw['baseline']}"
        unmet = f"The declared claim compares {pair}; this study has no runs of {' and '.join(absent)} (yet)."
        if outside := [name for name in absent if tables.has_imported(name)]:
            unmet += (
                f" Imported results of {' and '.join(outside)} are no runs of it, and no claim is tested with them."
            )
        return _to_explore(tables, arms, outcome, unmet)
    treatment = find_arm(str(raw["treatment"]), arms, "treatment")
    baseline = find_arm(str(raw["baseline"]), arms, "baseline")
    if treatment == baseline:
        raise ConfigError(f"study.json: claim compares {treatment.label} with itself; name two different strategies")
    if tables.to_come:
        unmet = f"{tables.interim}; a declared claim is tested once, when all of them are there."
        return TestedClaim(treatment, baseline, outcome, "", capability=False, declared=False, unmet=unmet)
    capability = bool(raw.get("capability") or raw.get("tiers"))
    trend, order, margin = claim_options(raw)
    primary = str(raw.get("primary") or "")
    return TestedClaim(
        treatment, baseline, outcome, primary, capability, declared=True, trend=trend, order=order, margin=margin
    )


def claim_options(raw: Mapping[str, Any]) -> tuple[Trend, tuple[ClaimPart, ...], float | None]:
    """The optional keys of a declared claim: trend, order and margin (as a fraction).

    Raises:
        ConfigError: a value that is none.
    """
    trend, order, margin = raw.get("trend") or "rises", tuple(raw.get("order") or ()), raw.get("margin_points")
    if margin is not None and not isinstance(margin, int | float):
        raise ConfigError(f"study.json: claim.margin_points: {margin!r} is no number; give percentage points, or null")
    if problem := claim_problem(trend, order, margin):
        raise ConfigError(f"study.json: {problem}")
    declared = cast(Trend, trend), cast("tuple[ClaimPart, ...]", order)
    return *declared, None if margin is None else float(margin) / 100.0


def without_measure(tables: Tables) -> TestedClaim | None:
    """What is explored in place of a claim about a measure that the tables do not give."""
    about = str(tables.study["claim"]["outcome"])
    unmet = f"The declared claim is about {MEASURE_NAMES[about]} ({about}), which these tables do not give."
    return _to_explore(tables, arms_of(tables), outcomes_of(tables.runs)[0], unmet)


def _named(name: str, arms: Sequence[Arm]) -> bool:
    """Whether any arm goes by this name."""
    return any(name in (arm.label, arm.strategy, f"{arm.strategy}/{arm.variant}") for arm in arms)


def _to_explore(tables: Tables, arms: Sequence[Arm], outcome: str, unmet: str) -> TestedClaim | None:
    """The pair that is compared where no declared one can be; None for a single arm."""
    if len(arms) < 2:
        return None
    baseline = next((arm for arm in arms if arm.strategy == "greedy"), arms[0])
    others = [arm for arm in arms if arm is not baseline]
    ended = tables.runs[has_result(tables.runs)]
    counts = ended.groupby(["strategy", "variant"]).size().to_dict()
    runs = [counts.get((arm.strategy, arm.variant), 0) for arm in others]
    treatment = others[runs.index(max(runs))]
    order = "in study.json" if declared_names(tables.study, "strategies") else "by name"
    reason = "has the most runs with a result" if max(runs) > min(runs) else f"comes first {order}"
    why = f"{treatment.label} against {baseline.label} is shown first since {treatment.label} {reason}"
    why += "; its results have no say in that, and the other comparisons stand beside"
    return TestedClaim(
        treatment, baseline, outcome, "", capability=False, declared=False, unmet=unmet, why=why if others[1:] else ""
    )


def models_of(tables: Tables) -> Models:
    """The models with their order: by declared tiers where the claim has them, else by the capability column.

    Raises:
        ConfigError: a model has two tiers or two capabilities, or one that is not finite, or a tier that the claim's
            list lacks, or the claim asks for a capability that some model lacks.
    """
    runs = tables.runs
    raw = tables.study.get("claim")
    claim: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    names = distinct(runs["model"])
    tier: dict[str, str] = {}
    figure: dict[str, float] = {}
    for name, part in runs[["model", "tier", "capability"]].drop_duplicates().groupby("model", sort=True):
        tiers, figures = part["tier"].dropna().unique(), part["capability"].dropna().unique()
        if len(tiers) > 1 or len(figures) > 1:
            raise ConfigError(f"model {name} has more than one tier or capability in table runs; collect again")
        tier[str(name)] = str(tiers[0]) if len(tiers) else ""
        figure[str(name)] = float(figures[0]) if len(figures) else float("nan")
        if np.isinf(figure[str(name)]):
            raise ConfigError(
                f"model {name} has the capability {figure[str(name)]:g} in table runs, which is no number that models "
                "can be compared by; give a finite one in its configuration, or none"
            )
    begun = set(distinct(runs.loc[runs["status"] != "missing", "model"]))  # others may not have told their labels yet
    order = _tier_order(claim, tier, begun)
    sources = "; ".join(sorted({str(s) for s in runs["capability_source"].dropna().unique()}))
    use_figures = not np.isnan(list(figure.values())).any()
    lacking = [name for name in names if np.isnan(figure[name]) and name in begun]
    if claim.get("capability") and lacking:
        raise ConfigError(
            f"study.json: the claim is about capability, but table runs has none for {', '.join(lacking)}; "
            "name the models' capability in their configuration, or declare tiers"
        )
    if claim.get("tiers") and not claim.get("capability"):
        use_figures = False
    if use_figures:
        names.sort(key=lambda name: (figure[name], name))
        values = np.array([figure[name] for name in names], dtype=np.float64)
        return Models(tuple(names), tuple(tier[n] for n in names), values, False, order, sources)
    if order and not claim.get("capability"):
        names.sort(key=lambda name: (order.index(tier[name]), name))
        ranks = np.array([order.index(tier[name]) for name in names], dtype=np.float64)
        return Models(tuple(names), tuple(tier[n] for n in names), ranks, True, order, "declared tiers")
    return Models(tuple(names), tuple(tier[n] for n in names), None, False, (), "")


def _tier_order(claim: Mapping[str, Any], tier: Mapping[str, str], begun: set[str]) -> tuple[str, ...]:
    """The claim's tiers that models have, lowest first; none while some model has not told its own."""
    declared = claim.get("tiers")
    if not declared:
        return ()
    order = [str(item) for item in declared]
    for name, value in tier.items():
        if value not in order and name in begun:
            raise ConfigError(
                f"study.json: claim.tiers ({', '.join(order)}) lacks the tier {value or '(none)'!r} of model {name}"
            )
    complete = all(value in order for value in tier.values())
    return tuple(item for item in order if item in tier.values()) if complete else ()
