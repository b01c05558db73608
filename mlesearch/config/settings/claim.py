"""Settings of what a study claims before its first run, and of declared looks at it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class SequentialSettings:
    """A plan of looks at a crossover while seeds are added (docs/planning.md); looks empty: there is none.

    Attributes:
        looks: numbers of seeds after which the study is looked at, rising; it ends at the last one.
        alpha: error of each condition over all looks, one-sided.
        futility: conditional power below which the study is given up; 0: never.
    """

    looks: list[int] = field(default_factory=list)
    alpha: float = 0.05
    futility: float = 0.1


@dataclass
class ClaimSettings:
    """What is claimed before the first run; treatment and baseline null: nothing is, and all is exploratory.

    Attributes:
        treatment: a strategy, or `strategy/variant`, that is claimed to be better than the baseline.
        baseline: likewise, what it is compared with.
        outcome: by which they are compared: a yes or no, or a measure of a run (docs/statistics.md).
        capability: whether the gap is claimed to change with the capability of the model, as `claim.trend` says.
        trend: what the gap is claimed to do as capability grows; the tests are one-sided in this direction.
        tiers: the tiers of models that the claim is about; empty: all.
        order: in which order gap, slope and crossover are tested; empty: they share the level (docs/statistics.md).
        margin_points: the gap, in percentage points, below which the two count as equal; null: none is declared.
        measures: further outcomes that the two are compared by, a family of their own (docs/statistics.md).
        budget_axis: the budget on which the order of the two is claimed to turn; null: it is not.
        low_budgets: two amounts of it or more, at which one is claimed to be ahead; fractions too, as [0.25,0.5] USD.
        high_budgets: two larger amounts or more, at which the other is.
        primary: the claim in words.
        sequential: looks at it while seeds are added.
    """

    treatment: str | None = None
    baseline: str | None = None
    outcome: str = "any_medal"
    capability: bool = False
    trend: str = "rises"
    tiers: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    margin_points: float | None = None
    measures: list[str] = field(default_factory=list)
    budget_axis: str | None = None
    low_budgets: list[float] = field(default_factory=list)
    high_budgets: list[float] = field(default_factory=list)
    primary: str = ""
    sequential: SequentialSettings = field(default_factory=SequentialSettings)
