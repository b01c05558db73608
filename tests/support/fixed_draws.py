"""Randomness that is written down, for sequences worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence


class FixedDraws:
    """The numbers given, one after another, the same object for every proposal."""

    def __init__(self, *values: float) -> None:
        self.values = list(values)

    def __call__(self, id: int) -> FixedDraws:
        """The generator of a proposal."""
        return self

    def random(self) -> float:
        """The next number."""
        return self.values.pop(0)

    def choice(self, seq: Sequence[int]) -> int:
        """The element at the place that the next number names."""
        return seq[int(self.values.pop(0))]

    def integers(self, count: int) -> int:
        """The only whole number below 1; nothing is read for it."""
        assert count == 1
        return 0
