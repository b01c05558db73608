"""What stands in front of a model or an embedder and is, for everybody else, that model or embedder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from mlesearch.models.price import Price
from mlesearch.models.protocol import Embedder, Model

K = TypeVar("K", bound=Model | Embedder)


class Wrapped(Generic[K]):
    """What is the same of both.

    Attributes:
        inner: what is wrapped.
    """

    def __init__(self, inner: K) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """Its own."""
        return self.inner.name

    @property
    def live(self) -> bool:
        """Its own."""
        return self.inner.live

    @property
    def price(self) -> Price | None:
        """Its own."""
        return self.inner.price

    def check(self) -> None:
        """Its own.

        Raises:
            ConfigError: as it says itself.
        """
        self.inner.check()


class WrappedModel(Wrapped[Model]):
    """A model; `complete` is left to do."""

    @property
    def simulated(self) -> bool:
        """The model's."""
        return self.inner.simulated

    def identity(self) -> Mapping[str, object]:
        """The model's."""
        return self.inner.identity()


class WrappedEmbedder(Wrapped[Embedder]):
    """An embedder; `embed` is left to do."""

    @property
    def deadline_s(self) -> float:
        """The embedder's."""
        return self.inner.deadline_s
