"""An embedding model that is paid for: any that litellm reaches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from mlesearch.models.live.base import LiveCaller
from mlesearch.models.live.client import Deadline
from mlesearch.models.live.keys import read_key
from mlesearch.models.live.params import COMMON, LiveParams, read_api_base, read_backoff, read_caps, read_model_id
from mlesearch.models.live.price_map import map_cost_nusd
from mlesearch.models.params import Reader
from mlesearch.models.price import Price
from mlesearch.models.protocol import BeforeRetry, EmbedReply, EmbedRequest, EmptyReply
from mlesearch.types import ConfigError, Embedding, Usage


class LitellmEmbedder(LiveCaller):
    """An embedding model that is paid for, through litellm, with the same limits and errors as a chat model.

    Args:
        params: as `read_embedder` gives them; only the input side of its price counts.
        dimensions: asked for, where the model can shorten its vectors; None: the model's own.
        deadline_s: of one request, retries included.
    """

    def __init__(self, params: LiveParams, dimensions: int | None = None, deadline_s: float = 600.0) -> None:
        self.dimensions = dimensions
        self.deadline_s = deadline_s
        self.name = params.model if dimensions is None else f"{params.model}@{dimensions}"
        super().__init__(f"embedder {self.name!r}", params, "aembedding")

    def __repr__(self) -> str:
        return f"LitellmEmbedder({self.name!r})"

    def embed(self, request: EmbedRequest) -> EmbedReply:
        """Embed all texts of a request in one call; of no texts, in none.

        Raises:
            ModelUnavailable: a subclass that says why.
        """
        return self._embed(request, None)

    def embed_retrying(self, request: EmbedRequest, before_retry: BeforeRetry) -> EmbedReply:
        """As `embed`; `before_retry` is called before an attempt that follows one which was cut off.

        Raises:
            ModelUnavailable: a subclass that says why.
            MlesearchError: what `before_retry` raised.
        """
        return self._embed(request, before_retry)

    def _embed(self, request: EmbedRequest, before_retry: BeforeRetry | None) -> EmbedReply:
        if not request.texts:
            return EmbedReply(())
        # providers refuse empty texts
        asked = replace(request, texts=tuple(text if text.strip() else "(empty)" for text in request.texts))
        texts = list(asked.texts)
        optional: dict[str, object] = {"encoding_format": "float"}  # not all providers know it
        if self.dimensions is not None:
            optional["dimensions"] = self.dimensions
        worst = asked.worst_case(self.price)
        deadline = Deadline(self.deadline_s, "deadline_s of the embedder's params")
        answered = self._client.call({"input": texts}, optional, deadline, worst, before_retry, price=self.price)
        tokens = getattr(getattr(answered.response, "usage", None), "prompt_tokens", None)
        input_tokens = max(0, tokens) if isinstance(tokens, int) else 0
        usage = Usage(
            calls=1,
            input_tokens=input_tokens,
            cost_nusd=self._cost_nusd(answered.response, input_tokens),
            service_us=answered.service_us,
            wait_us=answered.wait_us,
            lost_nusd=answered.lost_nusd,
        )
        vectors = _vectors(answered.response.data)
        if len(vectors) != len(texts):
            raise EmptyReply(
                f"embedder {self.name!r}: {len(texts)} texts were sent and {len(vectors)} usable vectors came back",
                usage,
            )
        return EmbedReply(vectors, usage)

    def _cost_nusd(self, response: object, input_tokens: int) -> int | None:
        price = self.params.price
        if input_tokens <= 0 and (price is None or price.input_usd_per_mtok > 0):
            return None
        if price is not None:
            return price.cost_nusd(input_tokens, 0)
        return None if self.params.api_base is not None else map_cost_nusd(response, self.params.model)


def _vectors(data: list[Mapping[str, object]]) -> tuple[Embedding, ...]:
    """The unit vectors in the order of their texts; those that can't be scaled to one are left out."""
    made = []
    for item in sorted(data, key=lambda item: int(str(item["index"]))):
        raw = item["embedding"]
        values = [float(x) for x in raw] if isinstance(raw, list) else []
        norm = math.sqrt(math.fsum(x * x for x in values))
        if norm > 0 and math.isfinite(norm):
            made.append(tuple(x / norm for x in values))
    return tuple(made)


def make(params: Mapping[str, object]) -> LitellmEmbedder:
    """A live embedder from its parameters; see `mlesearch.models.embed.make_embedder`.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    reader = Reader("embedder", params, (*COMMON, "dimensions", "deadline_s"))
    return LitellmEmbedder(
        read_embedder(reader),
        reader.maybe_whole("dimensions"),
        reader.number("deadline_s", 600.0, above=0.0),
    )


def read_embedder(reader: Reader) -> LiveParams:
    """A live embedder's parameters.

    Raises:
        ConfigError: a wrong value, or no way to tell where the key is.
    """
    model = read_model_id(reader)
    api_base = read_api_base(reader)
    raw_price = reader.mapping("price")
    price = None
    if raw_price is not None:
        inner = Reader(f"{reader.owner}: price", raw_price, ("input_usd_per_mtok",))
        usd = inner.maybe_number("input_usd_per_mtok")
        if usd is None:
            raise ConfigError(f"{reader.owner}: price needs input_usd_per_mtok, USD per million tokens")
        price = Price(usd, 0.0)
    return LiveParams(
        model=model,
        key=read_key(reader, model, api_base),
        api_base=api_base,
        price=price,
        timeout_s=reader.number("timeout_s", 600.0, above=0.0),
        max_retries=reader.whole("max_retries", 6, least=0),
        backoff=read_backoff(reader),
        caps=read_caps(reader),
    )
