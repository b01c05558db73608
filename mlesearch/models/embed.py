"""Embedders: hashed n-grams, which cost nothing and never change, and any embedding model that litellm reaches."""

from __future__ import annotations

import itertools
import math
import re
import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from mlesearch.models.limits.gate import Shared
from mlesearch.models.live.client import LiteLLMClient
from mlesearch.models.params import (
    COMMON,
    LiveParams,
    Reader,
    read_api_base,
    read_backoff,
    read_caps,
    read_key,
    read_model_id,
)
from mlesearch.models.price_map import map_cost_nusd, map_price
from mlesearch.models.protocol import OVERHEAD_TOKENS, Embedder, EmbedReply, EmbedRequest, EmptyReply, Price
from mlesearch.types import ConfigError, Embedding, Usage

WORD_WEIGHT = 0.8
CHARACTER_WEIGHT = 0.6
CHARACTER_SIZES = (3, 4, 5)

_WORD = re.compile(r"[^\W_]+")
# words that say nothing about a machine-learning idea; part of the version in the embedder's name
_STOP_WORDS = """
a an and are as at be been but by can do does for from had has have how i if in into is it its may more of on or our
should so such than that the their them then there these they this to up use used using was we were what when where
which while will with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())
_ROLL = np.uint64(0x100000001B3)
_MIX = np.uint64(0x9E3779B97F4A7C15)


class HashedNgramEmbedder:
    """Signed feature hashing of words, pairs of words, and runs of 3 to 5 characters.

    No frequencies are learned, so an old text keeps its vector whatever comes later. Counts and their squares are
    integers and the last step rounds once per operation, so the same text has the same vector on every machine.
    Source: Weinberger et al. 2009, "Feature hashing for large scale multitask learning", for the signs.

    Args:
        dim: length of a vector.
    """

    live = False
    price = Price(0.0, 0.0)
    deadline_s = 0.0  # it answers at once

    def __init__(self, dim: int = 256) -> None:
        if dim < 8:
            raise ConfigError(f"embedder: dim must be a whole number of at least 8, not {dim!r}")
        self.dim = dim
        self.name = f"hashed-ngrams-{dim}-v1"

    def __repr__(self) -> str:
        return f"HashedNgramEmbedder(dim={self.dim})"

    def check(self) -> None:
        """It needs nothing."""

    def embed(self, request: EmbedRequest) -> EmbedReply:
        """Embed all texts of a request; costs nothing."""
        return EmbedReply(tuple(self.vector(text) for text in request.texts))

    def vector(self, text: str) -> Embedding:
        """The unit vector of one text, shape (dim,)."""
        words = _WORD.findall(text.lower())
        telling = [word for word in words if word not in _STOP] or words
        pairs = [f"{a} {b}" for a, b in itertools.pairwise(telling)]
        hashes = np.fromiter(
            (zlib.crc32(item.encode(errors="surrogatepass")) for item in (*telling, *pairs)), np.uint64
        )
        by_words = self._counts(hashes)
        by_characters = self._counts(_runs(" ".join(telling)))
        mixed = WORD_WEIGHT * _unit(by_words) + CHARACTER_WEIGHT * _unit(by_characters)
        values: list[float] = mixed.tolist()
        norm = math.sqrt(math.fsum(x * x for x in values))
        if norm == 0.0:  # a text without words
            return (1.0, *(0.0,) * (self.dim - 1))
        return tuple(x / norm for x in values)

    def _counts(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Signed counts per slot, shape (dim,)."""
        mixed = hashes * _MIX
        mixed ^= mixed >> np.uint64(29)
        mixed *= _ROLL
        slots = ((mixed >> np.uint64(32)) % np.uint64(self.dim)).astype(np.int64)
        plus = np.bincount(slots[(mixed & np.uint64(1 << 20)) > 0], minlength=self.dim)
        return 2 * plus - np.bincount(slots, minlength=self.dim)


def _runs(text: str) -> npt.NDArray[np.uint64]:
    """A hash for every run of 3, 4 and 5 bytes of a text (wrapping 64-bit polynomial)."""
    codes = np.frombuffer(f" {text} ".encode(errors="surrogatepass"), np.uint8).astype(np.uint64) + np.uint64(1)
    found = []
    for size in CHARACTER_SIZES:
        count = len(codes) - size + 1
        if count <= 0:
            break
        rolled = np.full(count, size, np.uint64)
        for offset in range(size):
            rolled = rolled * _ROLL + codes[offset : offset + count]
        found.append(rolled)
    return np.concatenate(found) if found else np.empty(0, np.uint64)


def _unit(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    square = int((counts * counts).sum())
    return counts / math.sqrt(square) if square else counts.astype(np.float64)


class LitellmEmbedder:
    """An embedding model that is paid for, through litellm, with the same limits and errors as a chat model.

    Args:
        params: as `read_embedder` gives them; only the input side of its price counts.
        dimensions: asked for, where the model can shorten its vectors; None: the model's own.
        deadline_s: of one request, retries included.
    """

    live = True

    def __init__(self, params: LiveParams, dimensions: int | None = None, deadline_s: float = 600.0) -> None:
        self.params = params
        self.dimensions = dimensions
        self.deadline_s = deadline_s
        self.name = params.model if dimensions is None else f"{params.model}@{dimensions}"
        self._client = LiteLLMClient(f"embedder {self.name!r}", params, "aembedding")

    def __repr__(self) -> str:
        return f"LitellmEmbedder({self.name!r})"

    @property
    def price(self) -> Price | None:
        """Declared price, else that of litellm's map; an own endpoint has none but the declared one."""
        if self.params.price is not None or self.params.api_base is not None:
            return self.params.price
        return map_price(self.params.model)

    def share(self, shared: Shared) -> None:
        """Keep to the limits together with other processes."""
        self._client.shared = shared

    def check(self) -> None:
        """See that there is a key.

        Raises:
            ConfigError: no key; says which variable to export.
        """
        self.params.key.check(f"embedder {self.name!r}")

    def embed(self, request: EmbedRequest) -> EmbedReply:
        """Embed all texts of a request in one call; of no texts, in none.

        Raises:
            ModelUnavailable: a subclass that says why.
        """
        if not request.texts:
            return EmbedReply(())
        texts = [text if text.strip() else "(empty)" for text in request.texts]  # providers refuse empty texts
        optional: dict[str, object] = {"encoding_format": "float"}  # not all providers know it
        if self.dimensions is not None:
            optional["dimensions"] = self.dimensions
        most = OVERHEAD_TOKENS + sum(len(text.encode(errors="replace")) for text in texts)
        worst_nusd = 0 if self.price is None else self.price.most_nusd(most, 0)
        answered = self._client.call(
            {"input": texts}, optional, self.deadline_s, most, worst_nusd, request.before_another
        )
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
            error = EmptyReply(
                f"embedder {self.name!r}: {len(texts)} texts were sent and {len(vectors)} usable vectors came back"
            )
            error.usage = usage
            raise error
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


def make_embedder(params: Mapping[str, object]) -> Embedder:
    """An embedder from its configuration.

    Args:
        params: `kind: hashed` (the default; optionally `dim`), or `kind: litellm` with `model` and optionally
            `api_key_env`, `api_base`, `price` (`input_usd_per_mtok`), `timeout_s`, `max_retries`, `backoff`,
            `limits`, `dimensions`, `deadline_s`.

    Raises:
        ConfigError: an unknown kind or parameter, or a wrong value.
    """
    rest = {key: value for key, value in params.items() if key != "kind"}
    kind = params.get("kind", "hashed")
    if kind == "hashed":
        return HashedNgramEmbedder(Reader("embedder", rest, ("dim",)).whole("dim", 256, least=8))
    if kind == "litellm":
        reader = Reader("embedder", rest, (*COMMON, "dimensions", "deadline_s"))
        return LitellmEmbedder(
            read_embedder(reader),
            reader.maybe_whole("dimensions"),
            reader.number("deadline_s", 600.0, above=0.0),
        )
    raise ConfigError(f"embedder: unknown kind {kind!r}; known kinds: hashed, litellm")


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
