"""What a call costs: prices, tiers of prices for long prompts, and the most that one call can cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

OVERHEAD_TOKENS = 64
"""What a provider may add to a prompt; beside it, no token stands for less than a byte."""


@dataclass(frozen=True, slots=True)
class TokenRates:
    """US dollars per million tokens.

    Attributes:
        input_usd_per_mtok: of prompts.
        output_usd_per_mtok: of answers, reasoning included.
        cached_usd_per_mtok: of the part of a prompt that the provider had cached; None: as any other part.
        cache_write_usd_per_mtok: of the part that the provider puts into its cache; None: as any other part.
    """

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_usd_per_mtok: float | None = None
    cache_write_usd_per_mtok: float | None = None


@dataclass(frozen=True, slots=True)
class PriceTier(TokenRates):
    """What a call with a long prompt costs, all of it.

    Attributes:
        above_tokens: the prompt is longer than so many.
    """

    above_tokens: int = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Price(TokenRates):
    """What calls of a model cost. An unknown price is None in `Model.price`, never zero.

    Attributes:
        tiers: for long prompts; of several that a prompt is long enough for, that of the longest counts.
    """

    tiers: tuple[PriceTier, ...] = ()

    def cost_nusd(
        self, input_tokens: int, output_tokens: int, cached_tokens: int = 0, cache_write_tokens: int = 0
    ) -> int:
        """Cost in nano-dollars, rounded up (1 USD per million tokens is 1,000 nano-dollars a token).

        Args:
            input_tokens: of the prompt, all of it.
            output_tokens: of the answer.
            cached_tokens: of the prompt, those that were read from the provider's cache.
            cache_write_tokens: of the prompt, those that were put into it.
        """
        reached = [tier for tier in self.tiers if input_tokens > tier.above_tokens]
        rates = max(reached, key=lambda tier: tier.above_tokens) if reached else self
        usd_in, usd_cached = rates.input_usd_per_mtok, rates.cached_usd_per_mtok
        usd_write = rates.cache_write_usd_per_mtok
        nusd = (
            (input_tokens - cached_tokens - cache_write_tokens) * usd_in
            + cached_tokens * (usd_in if usd_cached is None else usd_cached)
            + cache_write_tokens * (usd_in if usd_write is None else usd_write)
            + output_tokens * rates.output_usd_per_mtok
        ) * 1000
        return -int(-nusd // 1)

    def most_nusd(self, input_tokens: int, output_tokens: int) -> int:
        """The most that a call can cost: nothing of its prompt is in the provider's cache, all may be put into it."""
        written = self.cost_nusd(input_tokens, output_tokens, cache_write_tokens=input_tokens)
        return max(self.cost_nusd(input_tokens, output_tokens), written)


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The most that one attempt of a call can use; without a known price, no money.

    Attributes:
        tokens: of prompt and answer together.
        cost_nusd: nano-dollars.
    """

    tokens: int
    cost_nusd: int


def worst_case(text_bytes: int, max_tokens: int, price: Price | None) -> WorstCase:
    """The most that one attempt can use that sends `text_bytes` and asks for at most `max_tokens`."""
    tokens_in = text_bytes + OVERHEAD_TOKENS
    return WorstCase(tokens_in + max_tokens, price.most_nusd(tokens_in, max_tokens) if price else 0)


# as identities and cassettes hold it

_NAMES = ("above_tokens", "input_usd_per_mtok", "output_usd_per_mtok", "cached_usd_per_mtok")
_WRITE = "cache_write_usd_per_mtok"  # after all the others: it was added later, and a cassette keeps the order


def price_fields(price: Price) -> dict[str, float | None]:
    """A price as one flat mapping; the names of a tier begin with `long_`, and are None where there is none."""
    parts = [("", price), *zip(_prefixes(), price.tiers or (None,), strict=False)]
    found = {f"{prefix}{name}": getattr(part, name, None) for prefix, part in parts for name in _NAMES}
    found |= {f"{prefix}{_WRITE}": getattr(part, _WRITE, None) for prefix, part in parts}
    del found["above_tokens"]  # of tiers alone
    return found


def price_to_json(price: Price) -> dict[str, float]:
    """The fields of a price that are declared."""
    return {name: value for name, value in price_fields(price).items() if value is not None}


def price_from_json(stored: Mapping[str, float]) -> Price:
    """Inverse of `price_to_json`."""
    tiers = []
    for prefix in _prefixes():
        if f"{prefix}above_tokens" not in stored:
            break
        tiers.append(PriceTier(*_rates(stored, prefix), above_tokens=int(stored[f"{prefix}above_tokens"])))
    return Price(*_rates(stored, ""), tiers=tuple(tiers))


def _rates(stored: Mapping[str, float], prefix: str) -> tuple[float, float, float | None, float | None]:
    def maybe(name: str) -> float | None:
        return stored.get(prefix + name)

    usd_in, usd_out = stored[f"{prefix}input_usd_per_mtok"], stored[f"{prefix}output_usd_per_mtok"]
    return usd_in, usd_out, maybe("cached_usd_per_mtok"), maybe("cache_write_usd_per_mtok")


def _prefixes() -> Iterator[str]:
    """Of the first tier, the second, and so on."""
    yield "long_"
    n = 2
    while True:
        yield f"long_{n}_"
        n += 1
