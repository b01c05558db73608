"""Whether the claim's verdict hangs on the runs without a result: the same tests under four treatments of them.

Each such run counts as one without success (*failed*), or not at all (*left out*), or all of them come out against the
treatment (*worst case*: the baseline's successful, the treatment's not), or all for it (*best case*). Of a measure,
without success is 0, and the last two take the ends of its range. These are the bounds of Manski (1990); nothing is
assumed about why runs were lost. The report's own verdict needs the worst case too, whatever the policy; this says what
the others would have said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from mlesearch.analysis.comparisons.comparison import Comparison, Grid
from mlesearch.analysis.data.outcomes import Outcomes
from mlesearch.analysis.text import listing

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class LostCase:
    """The claim's comparison under one treatment of the runs without a result.

    Attributes:
        name: failed, left out, worst case or best case.
        found: the comparison; None where no task is left.
    """

    name: str
    found: Comparison | None

    @property
    def gaps(self) -> tuple[int, ...]:
        """By model: 1 where the treatment is established ahead, -1 where behind, else 0."""
        if self.found is None:
            return ()
        return tuple(int(np.sign(g.gap)) if not g.refused and g.rejects() else 0 for g in self.found.gaps)

    @property
    def trend(self) -> int:
        """1 where the gap is established to rise with capability, -1 where to fall, else 0."""
        s = self.found.slope if self.found else None
        return int(np.sign(s.slope)) if s is not None and max(s.p_both, s.p_adjusted) <= ALPHA else 0

    @property
    def crossover(self) -> bool:
        """Whether a crossover is established for these models."""
        return bool(self.found and self.found.crossover and self.found.crossover.these_models)


def lost_cases(grid: Grid, pair: tuple[int, int], compared: Callable[[Grid], Comparison]) -> tuple[LostCase, ...]:
    """The four cases; empty where every run of the pair has a result.

    Args:
        grid: before any policy, in `planned`.
        pair: places of treatment and baseline among the arms.
        compared: the claim's comparison of a grid.
    """
    if not grid.planned.lost[:, pair, :].any():
        return ()
    return tuple(
        LostCase(case, None if counts is None else compared(replace(grid, counts=counts, planned=counts)))
        for case, counts in _counts(grid.planned, pair)
    )


def _counts(planned: Outcomes, pair: tuple[int, int]) -> Iterator[tuple[str, Outcomes | None]]:
    """The counts of each case, with nothing lost in them."""
    none = np.zeros_like(planned.lost)
    yield "failed", replace(planned, lost=none)
    bare = planned.bare[:, :, None]
    left = np.where(bare, planned.counts, planned.counts - planned.lost)
    there = np.asarray(((left > 0) | ~planned.planned[:, :, None])[:, pair].all(axis=(0, 1)))
    some = replace(planned, counts=left, lost=none).of_tasks(there)
    yield "left out", some if there.any() else None
    for case, favoured in (("worst case", pair[1]), ("best case", pair[0])):
        hits = planned.hits.copy()
        for side in pair:
            hits[:, side] += planned.lost[:, side] * (planned.high if side == favoured else planned.low)
        yield case, replace(planned, hits=hits, lost=none)


def sentence(cases: tuple[LostCase, ...], models: tuple[str, ...]) -> str:
    """Whether the verdict is the same in all of the cases, and what is not; empty without cases.

    Args:
        cases: see `lost_cases`.
        models: in the order of the comparisons' gaps.
    """
    if not cases:
        return ""
    some = [case for case in cases if case.found is not None]
    gone = "" if len(some) == len(cases) else " Left out, no task is left that all have."
    unlike = []
    for m, model in enumerate(models):
        answers = {case.name: case.gaps[m] for case in some}
        unlike += _unlike(f"a gap with {model}", answers, ("behind", "none", "ahead"))
    unlike += _unlike("the trend over capability", {case.name: case.trend for case in some}, ("falls", "none", "rises"))
    unlike += _unlike("a crossover", {case.name: int(case.crossover) for case in some}, ("", "none", "established"))
    how = "counted as failed, left out, in the worst and in the best case"
    if not unlike:
        return f" The verdict is the same with the runs without a result {how}.{gone}"
    more = f"; and {len(unlike) - 4} more" if len(unlike) > 4 else ""
    return f" The verdict hangs on the runs without a result ({how}): {'; '.join(unlike[:4])}{more}.{gone}"


def _unlike(what: str, answers: dict[str, int], words: tuple[str, str, str]) -> list[str]:
    """An answer that is not the same in all cases, in words."""
    if len(set(answers.values())) < 2:
        return []
    parts = [
        f"{words[value + 1]} {listing([case for case, own in answers.items() if own == value])}"
        for value in sorted(set(answers.values()), reverse=True)
    ]
    return [f"{what}: {', '.join(parts)}"]


def rows(cases: tuple[LostCase, ...], models: tuple[str, ...]) -> list[dict[str, object]]:
    """The same by model, for a CSV file."""
    return [
        {
            "case": case.name,
            "model": model,
            "gap": g.gap,
            "p": g.p,
            "p_adjusted": g.p_adjusted,
            "rejects": g.rejects(),
            "tasks": g.tasks,
            "slope": case.found.slope.slope if case.found.slope else np.nan,
            "slope_p": case.found.slope.p if case.found.slope else np.nan,
            "crossover": case.crossover,
        }
        for case in cases
        if case.found is not None
        for model, g in zip(models, case.found.gaps, strict=True)
    ]
