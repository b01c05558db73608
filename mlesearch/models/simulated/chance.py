"""The engineer's randomness: streams from sha256, the same in every process, on every platform, for all versions."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from statistics import NormalDist
from typing import TypeVar

T = TypeVar("T")

_NORMAL = NormalDist()
_TWO53 = float(1 << 53)
_FOUR = struct.Struct(">4Q")


def _bytes(*key: object) -> bytes:
    return hashlib.sha256("\x00".join(map(str, key)).encode()).digest()


def _unit(raw: int) -> float:
    """A number in (0, 1) from 53 bits."""
    return ((raw >> 11) + 0.5) / _TWO53


def normal_quantile(p: float) -> float:
    """The standard normal's quantile of p in (0, 1)."""
    return _NORMAL.inv_cdf(p)


def fixed_normal(*key: object) -> float:
    """One standard normal draw that belongs to a key for good."""
    return _NORMAL.inv_cdf(_unit(int.from_bytes(_bytes("fixed", *key)[:8], "big")))


class Stream:
    """A stream of draws that depends on its key alone."""

    def __init__(self, *key: object) -> None:
        self._key = _bytes(*key)
        self._blocks = 0
        self._left: list[float] = []  # the next one last

    def uniform(self) -> float:
        """A number in (0, 1)."""
        if not self._left:
            self._draw()
        return self._left.pop()

    def _draw(self) -> None:
        a, b, c, d = _FOUR.unpack(hashlib.sha256(self._key + self._blocks.to_bytes(8, "big")).digest())
        self._blocks += 1
        self._left = [
            ((d >> 11) + 0.5) / _TWO53,
            ((c >> 11) + 0.5) / _TWO53,
            ((b >> 11) + 0.5) / _TWO53,
            ((a >> 11) + 0.5) / _TWO53,
        ]

    def normal(self) -> float:
        """A standard normal draw."""
        return normal_quantile(self.uniform())

    def pick(self, items: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of the items, equally likely or by weight."""
        if weights is None:
            return items[int(self.uniform() * len(items))]
        left = self.uniform() * sum(weights)
        for item, weight in zip(items, weights, strict=True):
            left -= weight
            if left < 0:
                return item
        return items[-1]

    def subset(self, items: Sequence[T], size: int) -> list[T]:
        """`size` different items in their own order, any of them as likely; all of them when there are no more."""
        if size >= len(items):
            return list(items)
        count = len(items)
        order = list(range(count))
        for at in range(size):  # the beginning of a shuffle
            if not self._left:
                self._draw()
            other = at + int(self._left.pop() * (count - at))
            order[at], order[other] = order[other], order[at]
        return [items[i] for i in sorted(order[:size])]
