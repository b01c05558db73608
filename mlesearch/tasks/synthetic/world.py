"""What the options of a synthetic task are worth: functions of its name, the same on every machine.

The quality q of a pipeline is the sum of a main effect of every option and of an effect of every pair of options of
some pairs of choices (sparse epistasis). Over all pipelines it has mean 0 and variance 1. The test score is a
monotonic function of q. The validation score is the same function of q + bias + noise: the bias belongs to the pipeline
for good, so that selecting on validation overfits by itself; the noise belongs to pipeline and random state.

Sums of products and shares: Kauffman's NK landscapes with effects instead of tables, as in quantitative genetics
(S. Kauffman and S. Levin, 1987, J. Theor. Biol. 128; on variance components M. Lynch and B. Walsh, 1998, chapter 4).
"""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import getitem, itemgetter
from statistics import NormalDist

from mlesearch.tasks.synthetic.catalogue import Question
from mlesearch.tasks.synthetic.outline import VERSION, Outline, outline
from mlesearch.types import Direction

PARTNERS = 1.5
"""Pairs of choices with epistasis, for each choice."""

UNEVEN = 0.8
"""Standard deviation of the logarithm of a choice's importance: few choices matter most."""

DECIMALS = 9
_NORMAL = NormalDist()

Levels = tuple[int, ...]
"""A pipeline: the index of the option of each choice, in their order."""


@dataclass(frozen=True, slots=True)
class WorldScores:
    """One run of a pipeline: scores in the metric's units, and how long it takes."""

    validation: float
    test: float
    seconds: float


@dataclass(frozen=True)
class SyntheticWorld:
    """A world.

    Attributes:
        name: as `easy-01`.
        direction: of its metric.
        questions: the choices.
        mains: effect of each option on quality, by choice.
        pairs: effect of each pair of options, by a pair of choices (the first before the second).
        logs: effect of each option on the logarithm of the run time, by choice.
        bias_sd: see `Difficulty`.
        noise_sd: see `Difficulty`.
    """

    name: str
    direction: Direction
    questions: tuple[Question, ...]
    mains: tuple[tuple[float, ...], ...]
    pairs: dict[tuple[int, int], tuple[tuple[float, ...], ...]]
    logs: tuple[tuple[float, ...], ...]
    bias_sd: float
    noise_sd: float

    @property
    def baseline(self) -> Levels:
        """The plain option of every choice."""
        return (0,) * len(self.questions)

    @cached_property
    def _partners(self) -> tuple[tuple[tuple[int, tuple[tuple[float, ...], ...]], ...], ...]:
        """For each choice its partners with the table of their pair, own options first."""
        found: list[list[tuple[int, tuple[tuple[float, ...], ...]]]] = [[] for _ in self.questions]
        for (a, b), table in self.pairs.items():
            found[a].append((b, table))
            found[b].append((a, tuple(zip(*table, strict=True))))
        return tuple(tuple(partners) for partners in found)

    def quality(self, levels: Levels) -> float:
        """The quality of a pipeline."""
        single = sum(map(getitem, self.mains, levels))
        return single + sum([table[levels[a]][levels[b]] for a, b, table in self._tables])

    @cached_property
    def _tables(self) -> tuple[tuple[int, int, tuple[tuple[float, ...], ...]], ...]:
        """Both choices and the effects of each pair."""
        return tuple((a, b, table) for (a, b), table in self.pairs.items())

    def gains(self, levels: Levels) -> list[float]:
        """What every step adds to q, by choice and then by option, the present ones left out."""
        found: list[float] = []
        for choice, (here, theirs) in enumerate(zip(levels, self._levels_of_partners, strict=True)):
            found += self._gains_of_choice(choice, here, theirs(levels))
        return found

    @cached_property
    def _levels_of_partners(self) -> tuple[Callable[[Levels], Levels], ...]:
        """For each choice what picks the options of its partners out of a pipeline."""
        several = [tuple(partner for partner, _ in partners) for partners in self._partners]
        return tuple(
            itemgetter(*them) if len(them) > 1 else lambda levels, them=them: tuple(levels[i] for i in them)
            for them in several
        )

    @cached_property
    def _gains_of_choice(self) -> Callable[[int, int, Levels], tuple[float, ...]]:
        """What the steps of one choice add, by the options that it and its partners have."""

        @lru_cache(maxsize=1 << 12)
        def gains(choice: int, here: int, theirs: Levels) -> tuple[float, ...]:
            worth = list(self.mains[choice])
            for (_, table), there in zip(self._partners[choice], theirs, strict=True):
                worth = [own + row[there] for own, row in zip(worth, table, strict=True)]
            return tuple(round(value - worth[here], DECIMALS) for i, value in enumerate(worth) if i != here)

        return gains

    def score(self, quality: float) -> float:
        """The metric's value of a quality: a share of 1 to be maximised, or an error to be minimised."""
        if self.direction is Direction.MAXIMIZE:
            return 1.0 / (1.0 + math.exp(-0.4 * quality))
        return math.exp(-0.25 * quality)

    def scores(self, levels: Levels, random_state: int = 0) -> WorldScores:
        """What a run of a pipeline comes to.

        Args:
            levels: the pipeline.
            random_state: of its program.
        """
        quality = self.quality(levels)
        seconds = math.exp(sum(map(getitem, self.logs, levels)))
        return WorldScores(self._validation(quality, levels, random_state), self.score(quality), round(seconds, 3))

    def validation(self, levels: Levels, random_state: int = 0) -> float:
        """The validation score of such a run alone, in half the time."""
        return self._validation(self.quality(levels), levels, random_state)

    def _validation(self, quality: float, levels: Levels, random_state: int) -> float:
        of = f"{self.name}\0{levels}"
        bias = self.bias_sd * _draw(f"bias\0{of}")
        noise = self.noise_sd * _draw(f"noise\0{of}\0{random_state}")
        return self.score(quality + bias + noise)

    def best(self, starts: int = 300) -> Levels:
        """The best pipeline that steepest ascent finds from some starts; with sparse epistasis rarely not the best."""
        rng = random.Random(f"starts of {self.name}")
        found = [self._ascent(tuple(rng.randrange(len(e)) for e in self.mains)) for _ in range(starts)]
        return max(found, key=lambda levels: (self.quality(levels), levels))

    def steps(self, levels: Levels) -> list[tuple[int, int]]:
        """Choice and option of every step, in the order of `gains`."""
        return [(c, o) for c, effects in enumerate(self.mains) for o in range(len(effects)) if o != levels[c]]

    def after(self, levels: Levels, step: int) -> Levels:
        """The pipeline after a step, by its place in the order of `steps`."""
        choice, at = self._places[step]
        return (*levels[:choice], at + (at >= levels[choice]), *levels[choice + 1 :])

    @cached_property
    def _places(self) -> tuple[tuple[int, int], ...]:
        """Of each step its choice, and the place of its option among those that are not there."""
        return tuple((choice, at) for choice, effects in enumerate(self.mains) for at in range(len(effects) - 1))

    def _ascent(self, levels: Levels) -> Levels:
        while True:
            gains = self.gains(levels)
            most = max(gains)
            if most <= 0.0:
                return levels
            levels = self.after(levels, gains.index(most))


def _draw(key: str) -> float:
    """A standard normal number that belongs to a key for good."""
    digest = hashlib.sha256(key.encode()).digest()
    return _NORMAL.inv_cdf(((int.from_bytes(digest[:8], "big") >> 11) + 0.5) / (1 << 53))


def _centred(values: Sequence[float]) -> list[float]:
    mean = sum(values) / len(values)
    return [value - mean for value in values]


def _mean_square(values: Sequence[float]) -> float:
    return sum(value * value for value in values) / len(values)


@lru_cache(maxsize=128)
def world(name: str) -> SyntheticWorld:
    """The world of a task: the first one that is drawn in which plain options together are no better than average.

    Raises:
        KeyError: there is none of this name.
    """
    known = outline(name)
    drawn = (_drawn(known, attempt) for attempt in itertools.count())
    return next(found for found in drawn if found.quality(found.baseline) <= 0.0)


def _drawn(known: Outline, attempt: int) -> SyntheticWorld:
    name, questions, difficulty = known.name, known.questions, known.difficulty
    rng = random.Random(f"synthetic world {VERSION} {name} {attempt}")

    def normal() -> float:
        return _NORMAL.inv_cdf(rng.random() * (1 - 2e-12) + 1e-12)

    sizes = [len(q.options) for q in questions]
    importance = [math.exp(UNEVEN * normal()) for _ in questions]
    mains = [_centred([weight * normal() for _ in range(n)]) for n, weight in zip(sizes, importance, strict=True)]
    every = [(a, b) for b in range(len(sizes)) for a in range(b)]
    chosen = sorted(rng.sample(every, round(PARTNERS * len(sizes))))
    pairs = {pair: _doubly_centred(sizes[pair[0]], sizes[pair[1]], normal) for pair in chosen}
    single = math.sqrt((1.0 - difficulty.epistasis) / sum(_mean_square(effects) for effects in mains))
    joint = math.sqrt(
        difficulty.epistasis / sum(_mean_square([v for row in table for v in row]) for table in pairs.values())
    )
    logs = [_centred([0.25 * normal() for _ in range(n)]) for n in sizes]
    base = math.log(20.0) / len(sizes)
    return SyntheticWorld(
        name=name,
        direction=known.direction,
        questions=questions,
        mains=tuple(tuple(round(single * v, DECIMALS) for v in effects) for effects in mains),
        pairs={
            pair: tuple(tuple(round(joint * v, DECIMALS) for v in row) for row in table)
            for pair, table in pairs.items()
        },
        logs=tuple(tuple(round(base + v, DECIMALS) for v in effects) for effects in logs),
        bias_sd=difficulty.bias_sd,
        noise_sd=difficulty.noise_sd,
    )


def _doubly_centred(rows: int, columns: int, normal: Callable[[], float]) -> list[list[float]]:
    """Effects of pairs that leave no effect of either option alone."""
    table = [_centred([normal() for _ in range(columns)]) for _ in range(rows)]
    by_column = [_centred(column) for column in zip(*table, strict=True)]
    return [list(row) for row in zip(*by_column, strict=True)]
