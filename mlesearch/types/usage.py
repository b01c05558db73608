"""What calls cost. Money is in integer nano-dollars and time in integer microseconds wherever a sum decides something.

A float sum depends on the order of its terms, and hence on scheduling.
"""

from __future__ import annotations

from dataclasses import dataclass

MICROSECONDS = 1_000_000
NANODOLLARS = 1_000_000_000
MOST_USD = 1e12
"""No limit in US dollars is larger: in nano-dollars it would be no number that can be counted with."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What model calls cost. Add two with `+`.

    Attributes:
        calls: requests answered.
        input_tokens: all input tokens, cached ones included.
        cached_tokens: input tokens served from a cache.
        output_tokens: all output tokens, reasoning ones included.
        reasoning_tokens: output tokens that were not shown.
        cost_nusd: nano-dollars; None when any part has no known price.
        service_us: time of the successful calls, charged.
        wait_us: queueing, rate limits and backoff: recorded, never charged.
        lost_nusd: the most that attempts which were cut off may have cost beside it; 0 where no price is known.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nusd: int | None = 0
    service_us: int = 0
    wait_us: int = 0
    lost_nusd: int = 0

    def __add__(self, other: Usage) -> Usage:
        cost = None if self.cost_nusd is None or other.cost_nusd is None else self.cost_nusd + other.cost_nusd
        return Usage(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            cost,
            self.service_us + other.service_us,
            self.wait_us + other.wait_us,
            self.lost_nusd + other.lost_nusd,
        )

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens
