"""Models and embedders behind a cassette, at `complete` and `embed`: what is recorded is what the engine sees.

The cassette also holds their metadata (the price above all, which decides what fits into a budget), so that a replay
needs no price map, no key and no litellm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mlesearch.models.price import Price, price_from_json, price_to_json
from mlesearch.models.protocol import Embedder, EmbedReply, EmbedRequest, Model, PromptFailure, Reply, Request
from mlesearch.models.recorded.answers import (
    failure_to_json,
    reply_from_json,
    reply_to_json,
    vectors_from_json,
    vectors_to_json,
)
from mlesearch.models.recorded.cassette import Cassette
from mlesearch.models.recorded.keys import answers_as, call_fields, embed_fields
from mlesearch.models.wrapped import K, Wrapped, WrappedEmbedder, WrappedModel
from mlesearch.storage.codec import Json, dumps
from mlesearch.types import ConfigError


class _Recorded(Wrapped[K]):
    """What a model and an embedder have in common behind a cassette: it holds their metadata.

    Args:
        inner: who is recorded.
        cassette: where.
        fields: the key of the metadata.
    """

    def __init__(self, inner: K, cassette: Cassette, fields: Json) -> None:
        super().__init__(inner)
        self._cassette = cassette
        self._fields = fields
        self._recorded: Json | None = cassette.metadata(fields) if cassette.replays else None

    def _metadata(self) -> Json:
        """As it is now."""
        price = self.inner.price
        return {"live": self.inner.live, "price": None if price is None else price_to_json(price)}

    @property
    def live(self) -> bool:
        """Whether its answers were paid for when they were recorded."""
        return self.inner.live if self._recorded is None else bool(self._recorded["live"])

    @property
    def price(self) -> Price | None:
        """Its own; to replay, the recorded one."""
        if self._recorded is None:
            return self.inner.price
        price = self._recorded["price"]
        return None if price is None else price_from_json(price)

    def check(self) -> None:
        """Its own, and whether it is what was recorded, if anything was; to replay, nothing is needed.

        Raises:
            ConfigError: as it says itself; or the cassette holds another price.
        """
        if not self._cassette.replays:
            self.inner.check()
            self._compare(self._metadata())

    def record_metadata(self) -> None:
        """To record, keep its metadata: a replay needs that of all that a run was made of, called or not.

        Raises:
            ConfigError: it was recorded with other metadata.
        """
        if self._recorded is None:
            metadata = self._metadata()
            self._cassette.keep_metadata(self._fields, metadata)
            self._compare(metadata)
            self._recorded = metadata

    def _stored(self, fields: Json, call: Callable[[], Json]) -> Json:
        """What the cassette holds of a key; to record, what is said now, if only that the prompt fails."""
        self.record_metadata()

        def now() -> Json:
            try:
                return call()
            except PromptFailure as error:
                return failure_to_json(error)

        return self._cassette.value(fields, now)

    def _compare(self, metadata: Json) -> None:
        kept = self._cassette.metadata(self._fields)
        if kept is not None and kept != {**kept, **metadata}:
            raise ConfigError(
                f"cassette: the {self._fields['kind']} {self.name!r} was recorded as {dumps(kept)} and is now "
                f"{dumps(metadata)}; choose another cassette_path"
            )


class RecordedModel(_Recorded[Model], WrappedModel):
    """A model behind a cassette.

    A price makes costs, and what fits into a budget: there is one for all that a cassette holds of a model. What a call
    sends is in its own key, so a model's defaults and limits on tokens may differ.

    Args:
        inner: the model; to replay, only its name and identity are asked for.
        cassette: where its calls are.

    Raises:
        ConfigError: to replay, and it was not recorded, or another price is declared now.
    """

    def __init__(self, inner: Model, cassette: Cassette) -> None:
        self._identity = dict(inner.identity())
        super().__init__(inner, cassette, {"kind": "model", "identity": answers_as(self._identity)})
        declared = self._identity.get("price")
        if self._recorded is not None and declared is not None:  # any other price is the map's
            self._compare({"price": declared})

    def _metadata(self) -> Json:
        return {**super()._metadata(), "simulated": self.inner.simulated}

    @property
    def simulated(self) -> bool:
        """The model's; to replay, as it was recorded."""
        return self.inner.simulated if self._recorded is None else bool(self._recorded["simulated"])

    def identity(self) -> Mapping[str, object]:
        """The model's: a replayed run is the same run."""
        return self._identity

    def complete(self, request: Request) -> Reply:
        """The stored reply, with its recorded cost and duration; to record, that of calling now.

        Raises:
            StoreMiss: to replay, and it was not recorded.
            ConfigError: as `record_metadata`.
            ModelUnavailable: as the model does; failures of the prompt are stored, others are not.
        """
        fields = call_fields(self._identity, request)
        return reply_from_json(self._stored(fields, lambda: reply_to_json(self.inner.complete(request))))


class RecordedEmbedder(_Recorded[Embedder], WrappedEmbedder):
    """An embedder behind a cassette; of `inner`, a replay asks for nothing but its name."""

    def __init__(self, inner: Embedder, cassette: Cassette) -> None:
        super().__init__(inner, cassette, {"kind": "embedder", "name": inner.name})

    def embed(self, request: EmbedRequest) -> EmbedReply:
        """The stored vectors; to record, those of calling now.

        Raises:
            StoreMiss: to replay, and they were not recorded.
            ConfigError: as `record_metadata`.
            ModelUnavailable: as the embedder does; failures of the texts are stored, others are not.
        """
        fields = embed_fields(self.inner.name, request)
        return vectors_from_json(self._stored(fields, lambda: vectors_to_json(self.inner.embed(request))))
