"""Budgets: what a run may spend, what it has spent, and what is reserved for calls in flight.

All sums are integers (microseconds, nano-dollars, tokens), so that they do not depend on the order of events.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlesearch.models.price import WorstCase
from mlesearch.types import MICROSECONDS, NANODOLLARS, Usage

JUDGEMENTS_PER_STEP = 6
"""A steps-only budget ends although judgements cost no step: at most this many of them for each step."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may spend; None: not limited. At least one of the first four is declared.

    Attributes:
        steps: program proposals.
        time_s: charged seconds.
        cost_usd: US dollars of model calls.
        tokens: input and output tokens together.
        real_time_s: wall-clock seconds of this process on the run, for cluster limits; never part of `used`.
        reserve_s: charged seconds kept back for finalising.
        gpu_s: GPU seconds of the search, beside one of the first four; part of `used`.
    """

    steps: int | None = None
    time_s: float | None = None
    cost_usd: float | None = None
    tokens: int | None = None
    real_time_s: float | None = None
    reserve_s: float = 0.0
    gpu_s: float | None = None

    @property
    def gpu_us(self) -> int | None:
        """GPU time, microseconds."""
        return None if self.gpu_s is None else round(self.gpu_s * MICROSECONDS)

    @property
    def time_us(self) -> int | None:
        """Charged time for the search itself, microseconds: the reserve is taken off."""
        return None if self.time_s is None else round((self.time_s - self.reserve_s) * MICROSECONDS)

    @property
    def cost_nusd(self) -> int | None:
        """The limit in nano-dollars."""
        return None if self.cost_usd is None else round(self.cost_usd * NANODOLLARS)


class Meter:
    """What one run has spent and reserved."""

    def __init__(self, budget: Budget) -> None:
        """Nothing is spent yet."""
        self.budget = budget
        self.steps = 0  # started: in flight counted as spent
        self.judgements = 0
        self.usage = Usage()
        self.gpu_us = 0  # that programs had a GPU for
        self.spent_nusd = 0  # a call whose cost is not known counts at its worst case
        self._reserved_tokens = 0
        self._reserved_nusd = 0

    def used(self, charged_us: int) -> float:
        """Largest fraction spent of any declared budget, from 0 to 1, rounded down to 0.001."""
        b = self.budget
        thousandths = 0
        for spent, limit in (
            (self.steps, b.steps),
            (charged_us, b.time_us),
            (self.spent_nusd, b.cost_nusd),
            (self.usage.tokens, b.tokens),
            (self.gpu_us, b.gpu_us),
        ):
            if limit is not None:
                thousandths = max(thousandths, 1000 * spent // limit if limit > 0 else 1000)
        return min(thousandths, 1000) / 1000

    @property
    def steps_spent(self) -> bool:
        """No program proposal may start any more."""
        return self.budget.steps is not None and self.steps >= self.budget.steps

    @property
    def judgements_spent(self) -> bool:
        """No judgement may start any more (only where steps are declared)."""
        return self.budget.steps is not None and self.judgements >= JUDGEMENTS_PER_STEP * self.budget.steps

    def time_left_us(self, charged_us: int) -> int | None:
        """Charged time left; None where it is not limited."""
        limit = self.budget.time_us
        return None if limit is None else max(0, limit - charged_us)

    def program_left_us(self, charged_us: int) -> int | None:
        """What a program may still take: of the charged time, and of the GPU time; None where neither is limited."""
        time_us, gpu_us = self.time_left_us(charged_us), self.budget.gpu_us
        left = [us for us in (time_us, None if gpu_us is None else max(0, gpu_us - self.gpu_us)) if us is not None]
        return min(left, default=None)

    def program_limit_s(self, declared_s: float, charged_us: int) -> float:
        """The time limit of a program whose proposal begins now, in seconds: what is declared, or what is left.

        What is left is rounded down to two significant digits (59 s, 3500 s), so that the limit is short to name and
        loses less than a tenth.

        Args:
            declared_s: limit of every program.
            charged_us: where the timeline of the proposal's worker stands.
        """
        left_us = self.program_left_us(charged_us)
        if left_us is None or left_us >= declared_s * MICROSECONDS:
            return declared_s
        unit_us: int = 10 ** max(0, len(str(left_us)) - 2)
        return left_us // unit_us * unit_us / MICROSECONDS

    def spent(self, charged_us: int) -> bool:
        """Whether time, GPU time, USD or tokens are spent."""
        b = self.budget
        return (
            self.program_left_us(charged_us) == 0
            or (b.tokens is not None and self.usage.tokens >= b.tokens)
            or (b.cost_nusd is not None and self.spent_nusd >= b.cost_nusd)
        )

    def reserve(self, worst: WorstCase, charged_us: int) -> bool:
        """Reserve a call's worst case; False when it fits no more into tokens, USD or time."""
        b = self.budget
        if b.tokens is not None and self.usage.tokens + self._reserved_tokens + worst.tokens > b.tokens:
            return False
        spent = self.spent_nusd + self._reserved_nusd
        if b.cost_nusd is not None and spent + worst.cost_nusd > b.cost_nusd:
            return False
        if self.time_left_us(charged_us) == 0:
            return False
        self._reserved_tokens += worst.tokens
        self._reserved_nusd += worst.cost_nusd
        return True

    def release(self, worst: WorstCase) -> None:
        """Give back what was reserved for a call that has ended."""
        self._reserved_tokens -= worst.tokens
        self._reserved_nusd -= worst.cost_nusd

    def settle(self, usage: Usage, worst_nusd: int = 0) -> int:
        """Add what a call really cost, or its worst case where that is not known; returns what was charged.

        What attempts that were cut off may have cost is spent too.
        """
        charged = worst_nusd if usage.cost_nusd is None else usage.cost_nusd
        self.usage = self.usage + usage
        self.spent_nusd += charged + usage.lost_nusd
        return charged
