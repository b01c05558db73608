"""Typed values out of the plain mapping that a model's file holds, checked to the last key; and its price."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from mlesearch.models.price import Price, PriceTier
from mlesearch.types import ConfigError, did_you_mean


class Reader:
    """Takes typed values out of a mapping; every complaint is one line that names the owner and the key.

    Args:
        owner: e.g. "model 'local'", the start of every error.
        params: the mapping.
        allowed: its legal keys.

    Raises:
        ConfigError: there is a key that is not allowed.
    """

    def __init__(self, owner: str, params: Mapping[str, object], allowed: Iterable[str]) -> None:
        self.owner = owner
        self._params = params
        legal = sorted(allowed)
        for key in params:
            if key not in legal:
                hint = did_you_mean(str(key), legal)
                raise ConfigError(f"{owner}: unknown parameter {key!r}{hint}; allowed: {', '.join(legal)}")

    def fail(self, key: str, wanted: str) -> ConfigError:
        """The error for a value of the wrong type or size."""
        return ConfigError(f"{self.owner}: {key} must be {wanted}, not {self._params.get(key)!r}")

    def text(self, key: str) -> str | None:
        """A string, or None where absent or null."""
        value = self._params.get(key)
        if value is not None and not isinstance(value, str):
            raise self.fail(key, "a string")
        return value

    def maybe_number(self, key: str, *, above: float | None = None) -> float | None:
        """A finite number of at least 0, or more than `above`; None where absent or null."""
        value = self._params.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.fail(key, "a number")
        if above is not None and value <= above:
            raise self.fail(key, f"a number above {above:g}")
        if above is None and value < 0:
            raise self.fail(key, "a number of at least 0")
        return float(value)

    def number(self, key: str, default: float, *, above: float | None = None) -> float:
        """As `maybe_number`, with a default."""
        value = self.maybe_number(key, above=above)
        return default if value is None else value

    def maybe_whole(self, key: str, *, least: int = 1) -> int | None:
        """An integer of at least `least`; None where absent or null."""
        value = self._params.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.fail(key, f"a whole number of at least {least}")
        return value

    def whole(self, key: str, default: int, *, least: int = 1) -> int:
        """As `maybe_whole`, with a default."""
        value = self.maybe_whole(key, least=least)
        return default if value is None else value

    def mapping(self, key: str) -> Mapping[str, object] | None:
        """A mapping, or None where absent."""
        value = self._params.get(key)
        if value is not None and not isinstance(value, Mapping):
            raise self.fail(key, "a mapping")
        return value


def read_price(reader: Reader) -> Price | None:
    """The declared price; both directions must be given, since a missing half is not free.

    `as_of` and `source` say where it was found, `long` what calls with longer prompts cost.

    Raises:
        ConfigError: a part is missing or wrong.
    """
    raw = reader.mapping("price")
    if raw is None:
        return None
    names = ("input_usd_per_mtok", "output_usd_per_mtok", "cached_usd_per_mtok", "cache_write_usd_per_mtok")
    inner = Reader(f"{reader.owner}: price", raw, (*names, "long", "as_of", "source"))
    inner.text("as_of")
    inner.text("source")
    usd_in, usd_out = inner.maybe_number(names[0]), inner.maybe_number(names[1])
    if usd_in is None or usd_out is None:
        raise ConfigError(
            f"{reader.owner}: price needs both {names[0]} and {names[1]} in USD per million tokens "
            "(write `price: null` where it is not known, 0 only where calls cost nothing)"
        )
    cached, written = inner.maybe_number(names[2]), inner.maybe_number(names[3])
    return Price(usd_in, usd_out, cached, written, tiers=_tiers(inner, names))


def _tiers(reader: Reader, names: tuple[str, ...]) -> tuple[PriceTier, ...]:
    raw = reader.mapping("long")
    if raw is None:
        return ()
    long = Reader(f"{reader.owner}: long", raw, (*names, "above_tokens"))
    above, usd_in, usd_out = long.maybe_whole("above_tokens"), long.maybe_number(names[0]), long.maybe_number(names[1])
    if above is None or usd_in is None or usd_out is None:
        raise ConfigError(f"{long.owner} needs above_tokens, {names[0]} and {names[1]}")
    return (PriceTier(usd_in, usd_out, long.maybe_number(names[2]), long.maybe_number(names[3]), above_tokens=above),)
