"""The looks at one study: its table of runs against the plan that study.json declared before the first run.

Looks are a fold over the data. At the look after K seeds only the first K seeds of the plan count, whatever else has
been run, so that the same runs give the same looks however often, and in whatever order, they are looked at.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlesearch.analysis.data.arrays import Floats, Ints
from mlesearch.analysis.data.claim import Arm
from mlesearch.analysis.data.outcomes import succeeded
from mlesearch.analysis.data.tables import Tables, has_result
from mlesearch.analysis.planning.conditions import CONDITIONS, EndGroups, statistics
from mlesearch.analysis.planning.looks import LookBounds, LookProgress, take_look
from mlesearch.analysis.text import plural
from mlesearch.storage.claimed_measures import MEASURES
from mlesearch.storage.layout import RunKey
from mlesearch.storage.sequential import LookLine, SequentialJson
from mlesearch.types import ConfigError

ABSENT = -1


@dataclass(frozen=True, slots=True)
class Look:
    """One look.

    Attributes:
        seeds: on every task, of the groups that were running.
        seeds_of: those of the low and of the high group: a group that stopped keeps what it had.
        statistics: of the three conditions, in standard errors.
        gaps: of the two groups, as fractions, over all their seeds.
        stage_rates: of the two groups, each treatment and baseline, over the seeds that came with this look alone;
            None for a group that had stopped.
        crossed: conditions that have crossed, here or before.
        new: those that crossed here.
        given_up: whether the study ends here without a claim.
        data: sha256 of the outcomes that were looked at.
    """

    seeds: int
    seeds_of: tuple[int, int]
    statistics: tuple[float, float, float]
    gaps: tuple[float, float]
    stage_rates: tuple[tuple[float, float] | None, tuple[float, float] | None]
    crossed: tuple[str, ...]
    new: tuple[str, ...]
    given_up: bool
    data: str

    def to_line(self) -> LookLine:
        """As it stands in looks.jsonl."""
        values = {name: round(z, 6) for name, z in zip(CONDITIONS, self.statistics, strict=True)}
        return {
            "seeds": self.seeds,
            "data": self.data,
            "statistics": values,
            "crossed": list(self.crossed),
            "given_up": self.given_up,
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a sequential study stands.

    Attributes:
        plan: as declared.
        arms: treatment and baseline.
        falls: whether the gap was claimed to fall with capability; then the signs of all conditions are turned.
        looks: taken, in order.
        next_seeds: seeds at the next look; 0: there is none.
        running: whether the low and the high group are run on.
        to_run: runs without a result that the next look needs, in rounds of seeds.
        stopped: runs that the plan will not make, each with the reason, in words.
    """

    plan: SequentialJson
    arms: tuple[Arm, Arm]
    falls: bool
    looks: tuple[Look, ...]
    next_seeds: int
    running: tuple[bool, bool]
    to_run: tuple[RunKey, ...]
    stopped: Mapping[RunKey, str]

    @property
    def shown(self) -> bool:
        """Whether the crossover is established."""
        return bool(self.looks) and len(self.looks[-1].crossed) == len(CONDITIONS)

    @property
    def given_up(self) -> bool:
        """Whether it ended without that."""
        return bool(self.looks) and self.looks[-1].given_up

    @property
    def decided(self) -> bool:
        """Whether nothing has to be run any more."""
        return self.shown or self.given_up

    def given_up_below(self, place: int) -> float | None:
        """The statistic below which the study was given up at a look; None at the last one, and where never."""
        last = self.looks[place].seeds == self.plan["looks"][-1]
        return None if last else self.plan["gives_up_below"][place]

    def state(self, place: int, condition: str) -> str:
        """What a look, from 0, made of a condition, in words; empty where it had crossed before."""
        look, below = self.looks[place], self.given_up_below(place)
        if condition in look.crossed:
            return "shown" if condition in look.new else ""
        if look.seeds == self.plan["looks"][-1]:
            return "not shown"
        z = look.statistics[CONDITIONS.index(condition)]
        return "given up" if look.given_up and below is not None and z < below else "open"


def plan_of(study: Mapping[str, Any]) -> SequentialJson | None:
    """The plan of looks in a study.json; None where none was declared.

    Raises:
        ConfigError: it is about a measure, of which there are no successes to count.
    """
    claim = study.get("claim")
    plan: SequentialJson | None = claim.get("sequential") if isinstance(claim, Mapping) else None
    if plan is not None and isinstance(claim, Mapping) and claim.get("outcome") in MEASURES:
        raise ConfigError(
            f"study.json: claim.sequential: looks count successes, and claim.outcome is {claim['outcome']}, a measure; "
            "they cannot be taken"
        )
    return plan


def bounds_of(plan: SequentialJson) -> LookBounds:
    """The bounds as they were declared."""
    futile = tuple(-math.inf if b is None else b for b in plan["gives_up_below"])
    return LookBounds(tuple(plan["looks"]), tuple(plan["bounds"]), futile)


def standing(tables: Tables) -> Standing:
    """Takes every look that the data allow.

    Args:
        tables: of the study; runs that are not there yet need no rows.

    Raises:
        ConfigError: no looks were declared.
    """
    plan = plan_of(tables.study)
    if plan is None:
        raise ConfigError(
            "study.json declares no looks, and a look that was not declared before the first run proves nothing; "
            "declare them in another study: claim.sequential.looks=[1,2,3,4,5]"
        )
    claim = tables.study["claim"]
    pair = _arm(claim["treatment"]), _arm(claim["baseline"])
    made = outcomes_made(tables, plan, pair, claim["outcome"])
    return follow(made, plan, pair, falls=claim.get("trend") == "falls")


def _arm(name: str) -> Arm:
    """A strategy of the claim, whose variant is `base` where it names none."""
    strategy, _, variant = name.partition("/")
    return Arm(strategy, variant or "base", name)


def outcomes_made(tables: Tables, plan: SequentialJson, pair: tuple[Arm, Arm], outcome: str) -> Ints:
    """The outcomes of the plan's runs: 1, 0, or `ABSENT` for a run without a result.

    Returns:
        Shape (M, 2, T, S): models of the low group, then of the high one; treatment, baseline; tasks and seeds in the
        plan's order.
    """
    models = [*plan["low"], *plan["high"]]
    places: list[dict[Any, int]] = [
        {name: i for i, name in enumerate(models)},
        {(arm.strategy, arm.variant): i for i, arm in enumerate(pair)},
        {name: i for i, name in enumerate(plan["tasks"])},
        {seed: i for i, seed in enumerate(plan["seeds"])},
    ]
    made = np.full([len(place) for place in places], ABSENT, dtype=np.int64)
    runs = tables.runs[has_result(tables.runs)]
    arms = zip(runs["strategy"], runs["variant"], strict=True)
    rows = zip(runs["model"], arms, runs["task"], runs["seed"].astype(int), succeeded(runs, outcome), strict=True)
    for *names, success in rows:
        where = tuple(place.get(name, ABSENT) for place, name in zip(places, names, strict=True))
        if ABSENT not in where:
            made[where] = int(success)
    return made


def follow(made: Ints, plan: SequentialJson, pair: tuple[Arm, Arm], *, falls: bool = False) -> Standing:
    """The looks at outcomes of the shape that `outcomes_made` returns, as far as they are there."""
    bounds, sizes = bounds_of(plan), (len(plan["low"]), len(plan["high"]))
    ends = EndGroups.of(tuple(plan["low"].values()), tuple(plan["high"].values()))
    of_group = np.repeat((0, 1), sizes)
    progress, looks = LookProgress.new(), list[Look]()
    seeds_of = np.zeros(2, dtype=np.int64)
    for seeds in bounds.seeds:
        running = progress.going_on[0]
        there = made[running[of_group]][..., :seeds]
        if progress.decided[0] or (there == ABSENT).any():
            break
        before, seeds_of = seeds_of, np.where(running, seeds, seeds_of)
        looks.append(_look(made, ends, bounds, progress, (before, seeds_of), falls=falls))
        progress = take_look(progress, np.array([looks[-1].statistics]), bounds)
    running = progress.going_on[0]
    next_seeds = 0 if progress.decided[0] or not running.any() else bounds.seeds[progress.looks]
    keys = _Keys(plan, pair)
    wanted = made[..., :next_seeds] == ABSENT
    wanted[~running[of_group]] = False
    to_run = sorted(np.argwhere(wanted).tolist(), key=lambda place: place[3])
    stopped = keys.stopped(looks, seeds_of, running) if looks else {}
    return Standing(
        plan=plan,
        arms=pair,
        falls=falls,
        looks=tuple(looks),
        next_seeds=int(next_seeds),
        running=(bool(running[0]), bool(running[1])),
        to_run=tuple(keys.of(*place) for place in to_run),
        stopped=stopped,
    )


@dataclass(frozen=True, slots=True)
class _Keys:
    """The runs of a plan by their place in the array of outcomes."""

    plan: SequentialJson
    pair: tuple[Arm, Arm]

    def of(self, model: int, arm: int, task: int, seed: int) -> RunKey:
        names = [*self.plan["low"], *self.plan["high"]]
        strategy, variant = self.pair[arm].strategy, self.pair[arm].variant
        return RunKey(names[model], strategy, variant, self.plan["tasks"][task], self.plan["seeds"][seed])

    def stopped(
        self, looks: Sequence[Look], seeds_of: npt.NDArray[np.int64], running: npt.NDArray[np.bool_]
    ) -> dict[RunKey, str]:
        """The seeds that groups which stopped will not be run with."""
        low = len(self.plan["low"])
        found: dict[RunKey, str] = {}
        models = {"low": range(low), "high": range(low, low + len(self.plan["high"]))}
        for group, name in enumerate(models):
            if running[group]:
                continue
            why = _why(looks, name)
            for model in models[name]:
                for seed in range(int(seeds_of[group]), len(self.plan["seeds"])):
                    for arm in range(2):
                        found |= {self.of(model, arm, task, seed): why for task in range(len(self.plan["tasks"]))}
        return found


def _why(looks: Sequence[Look], group: str) -> str:
    """Why a group stopped, as the report prints it."""
    crossed = next((look for look in looks if group in look.new), None)
    if crossed is None and looks[-1].given_up:
        return f"study ended by its look after {plural(looks[-1].seeds, 'seed')}"
    at = looks[-1] if crossed is None else crossed
    return f"{group} group stopped by its look after {plural(at.seeds, 'seed')}, so its rates are biased"


def _look(
    made: Ints, ends: EndGroups, bounds: LookBounds, before: LookProgress, seeds: tuple[Ints, Ints], *, falls: bool
) -> Look:
    """One look; `seeds` are those of the groups before it and at it."""
    sizes = (ends.low, len(ends.capability) - ends.low)
    first, last = (np.repeat(k, sizes) for k in seeds)
    order = np.arange(made.shape[-1])
    used = order < last[:, None]  # shape (M, S)
    newly = used & (order >= first[:, None])
    rates = _share(made, used)
    d = rates[:, 0] - rates[:, 1]
    stage = _share(made, newly)
    z = statistics(-d if falls else d, ends)
    after = take_look(before, z[None], bounds)
    crossed = tuple(c for c, look in zip(CONDITIONS, after.crossed[0], strict=True) if look >= 0)
    groups = (slice(0, ends.low), slice(ends.low, None))
    low, high = ((float(stage[g, 0].mean()), float(stage[g, 1].mean())) if newly[g].any() else None for g in groups)
    digest = hashlib.sha256(np.where(used[:, None, None, :], made, ABSENT).astype("<i8").tobytes())
    return Look(
        seeds=int(bounds.seeds[before.looks]),
        seeds_of=(int(seeds[1][0]), int(seeds[1][1])),
        statistics=(float(z[0]), float(z[1]), float(z[2])),
        gaps=(float(d[groups[0]].mean()), float(d[groups[1]].mean())),
        stage_rates=(low, high),
        crossed=crossed,
        new=tuple(c for c, look in zip(CONDITIONS, after.crossed[0], strict=True) if look == before.looks),
        given_up=bool(after.given_up[0] >= 0),
        data=digest.hexdigest(),
    )


def _share(made: Ints, used: npt.NDArray[np.bool_]) -> Floats:
    """The share of successes over the used seeds, shape (M, 2, T); 0 where none is used. `used` has shape (M, S)."""
    counts = np.maximum(used.sum(axis=1), 1)[:, None, None]
    hits = (np.maximum(made, 0) * used[:, None, None, :]).sum(axis=-1)
    return np.asarray(hits / counts, dtype=np.float64)


def _decided_by(line: LookLine) -> tuple[object, ...]:
    """What of a look has to stay: its statistics follow from the data, and may differ in a last digit elsewhere."""
    return line["seeds"], line["data"], line["crossed"], line["given_up"]


def check_recorded(looks: Sequence[Look], recorded: Sequence[LookLine]) -> None:
    """Refuses looks that are not those which were taken before at the same place.

    Raises:
        ConfigError: the data of a recorded look changed, or are not there any more.
    """
    for place, line in enumerate(recorded):
        if place >= len(looks) or _decided_by(looks[place].to_line()) != _decided_by(line):
            what = "is no more" if place >= len(looks) else "would come out otherwise now"
            raise ConfigError(
                f"looks.jsonl: the look after {plural(line['seeds'], 'seed')} (line {place + 1}) {what}: the runs that "
                "were looked at have changed since; restore them, since a look that is taken again is another test"
            )
