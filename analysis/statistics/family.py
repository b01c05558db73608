"""The confirmatory verdicts as one family: the gaps, their slope and the crossover share one level.

Declared in `claim.order`: a fixed sequence, each part tested at the whole level where the one before it is established.
Not declared: the gaps (Holm over the models) and the trend (the slope, then the crossover) have half of the level each,
and a side that is wholly established hands its half to the other. Both are graphical procedures (Bretz, Maurer,
Brannath and Posch 2009, Stat. Med. 28), which keep the probability of any false verdict at the level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlesearch.storage.claim import ClaimPart


@dataclass(frozen=True, slots=True)
class Family:
    """The p-values of the confirmatory parts, adjusted over all of them.

    A part is established where its adjusted p is at most the level.

    Attributes:
        order: in which the parts were tested; those that no data of this design could establish are left out.
        sequence: whether that order was declared; if not, gaps and trend share the level.
        gaps: one per model.
        slope: 1 where it is not tested.
        crossover: 1 where it is not tested.
    """

    order: tuple[ClaimPart, ...]
    sequence: bool
    gaps: tuple[float, ...]
    slope: float = 1.0
    crossover: float = 1.0

    def adjusted(self, part: ClaimPart) -> float:
        """The largest adjusted p of a part: that of the gaps with all models is what a following part waits for."""
        return {"gap": max(self.gaps, default=1.0), "slope": self.slope, "crossover": self.crossover}[part]

    def blocked_by(self, part: ClaimPart, level: float = 0.05) -> ClaimPart | None:
        """The first part that this one had to wait for and that was not established; None where it was tested."""
        before = self.order[: self.order.index(part)] if part in self.order else ()
        if not self.sequence:
            before = ("slope",) if part == "crossover" and "slope" in self.order else ()
        return next((other for other in before if self.adjusted(other) > level), None)


def family(
    gaps: Sequence[float], slope: float | None, crossover: float | None, order: Sequence[ClaimPart] = ()
) -> Family:
    """Adjusts the p-values of the confirmatory parts over all of them.

    Args:
        gaps: Holm-adjusted over the models, one per model.
        slope: p of its test; None where the design can give no verdict.
        crossover: likewise.
        order: the declared sequence; empty: gaps and trend share the level.
    """
    values: dict[ClaimPart, float] = {}
    if slope is not None:
        values["slope"] = slope
    if crossover is not None:
        values["crossover"] = crossover
    parts = [part for part in (order or ("gap", "slope", "crossover")) if part == "gap" or part in values]
    if order:
        return _sequence(parts, list(gaps), values)
    if not values:
        return Family(("gap",), False, tuple(gaps))
    chain = [values[part] for part in parts if part != "gap"]
    candidates = sorted({min(1.0, factor * p) for p in (*gaps, *chain) for factor in (1, 2)} | {1.0})

    levels = {level: _shared(level, gaps, chain) for level in candidates}
    trend = [next((at for at, (_, found) in levels.items() if found > n), 1.0) for n in range(len(chain))]
    found = dict(zip((part for part in parts if part != "gap"), trend, strict=True))
    own = tuple(next((at for at, (level, _) in levels.items() if p <= level), 1.0) for p in gaps)
    return Family(tuple(parts), False, own, found.get("slope", 1.0), found.get("crossover", 1.0))


def _sequence(parts: Sequence[ClaimPart], gaps: list[float], values: dict[ClaimPart, float]) -> Family:
    """A fixed sequence: the adjusted p is the largest so far; the gaps hand on where all of them are established."""
    found, reached = dict(values), 0.0
    for part in parts:
        if part == "gap":
            gaps = [max(reached, p) for p in gaps]
            reached = max([reached, *gaps])
        else:
            found[part] = reached = max(reached, values[part])
    return Family(tuple(parts), True, tuple(gaps), found.get("slope", 1.0), found.get("crossover", 1.0))


def _shared(level: float, gaps: Sequence[float], chain: Sequence[float]) -> tuple[float, int]:
    """The level of the gaps, and how many parts of the chain are established, where the two share a level."""
    own = half = level / 2.0
    established = 0
    for _ in range(2):  # what one side hands over may let the other establish the rest
        trend = level if gaps and all(p <= own for p in gaps) else half
        established = next((n for n, p in enumerate(chain) if p > trend), len(chain))
        own = level if established == len(chain) else half
    return own, established
