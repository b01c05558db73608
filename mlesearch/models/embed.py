"""Embedders by kind; the default one hashes n-grams: it costs nothing, and a text's vector never changes."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mlesearch.models.params import Reader
from mlesearch.models.price import Price
from mlesearch.models.protocol import Embedder, EmbedReply, EmbedRequest
from mlesearch.types import ConfigError, Embedding

WORD_WEIGHT = 0.8
CHARACTER_WEIGHT = 0.6
CHARACTER_SIZES = (3, 4, 5)

_WORD = re.compile(r"[^\W_]+")
_KEPT_CHARACTERS = 64
_ASCII_WORDS = bytes(ord(chr(n).lower()) if n < 128 and chr(n).isalnum() else ord(" ") for n in range(256))
# words that say nothing about a machine-learning idea; part of the version in the embedder's name
_STOP_WORDS = """
a an and are as at be been but by can do does for from had has have how i if in into is it its may more of on or our
should so such than that the their them then there these they this to up use used using was we were what when where
which while will with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())
_ROLL = np.uint64(0x100000001B3)
_MIX = np.uint64(0x9E3779B97F4A7C15)
# a run's hash begins with its length: by the roll's power, so that runs of all lengths share what is rolled
_SEEDS = {size: np.uint64(size * pow(int(_ROLL), size, 1 << 64) % (1 << 64)) for size in CHARACTER_SIZES}


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
        return _vector(self.dim, text)

    def make(self, text: str) -> Embedding:
        """The same, made anew."""
        words = _words(text)
        telling = [word for word in words if word not in _STOP] or words
        by_words = self._counts(_crcs(telling))
        by_characters = self._counts(_runs(" ".join(telling)))
        mixed = WORD_WEIGHT * _unit(by_words) + CHARACTER_WEIGHT * _unit(by_characters)
        norm = math.sqrt(math.fsum((mixed * mixed).tolist()))
        if norm == 0.0:  # a text without words
            return (1.0, *(0.0,) * (self.dim - 1))
        return tuple((mixed / norm).tolist())

    def _counts(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Signed counts per slot, shape (dim,)."""
        mixed = hashes * _MIX
        mixed ^= mixed >> np.uint64(29)
        mixed *= _ROLL
        slots = mixed >> np.uint64(32)
        if self.dim & (self.dim - 1):
            slots %= np.uint64(self.dim)
        else:  # of a power of two the remainder is its last bits
            slots &= np.uint64(self.dim - 1)
        positive = (mixed >> np.uint64(20)) & np.uint64(1)
        signed = np.bincount((slots + positive * np.uint64(self.dim)).view(np.int64), minlength=2 * self.dim)
        return signed[self.dim :] - signed[: self.dim]


@lru_cache(maxsize=4096)
def _vector(dim: int, text: str) -> Embedding:
    """Vectors of texts that were embedded lately, by whichever embedder of this length."""
    return HashedNgramEmbedder(dim).make(text)


def _words(text: str) -> list[str]:
    """Letters and digits in a row, in small letters."""
    if text.isascii():
        return text.encode().translate(_ASCII_WORDS).decode().split()
    return _WORD.findall(text.lower())


def _crcs(words: list[str]) -> npt.NDArray[np.uint64]:
    """A hash for every word and every pair of words; what is seen often is kept, unless it is long."""
    kept = all(len(word) <= _KEPT_CHARACTERS for word in words)
    word, pair = (_crc, _crc_of_pair) if kept else (_crc.__wrapped__, _crc_of_pair.__wrapped__)
    return np.array([*map(word, words), *map(pair, words, words[1:])], np.uint64)


@lru_cache(maxsize=1 << 14)
def _crc(word: str) -> int:
    return zlib.crc32(word.encode(errors="surrogatepass"))


@lru_cache(maxsize=1 << 15)
def _crc_of_pair(first: str, second: str) -> int:
    """That of the two with a blank between them."""
    return zlib.crc32(f"{first} {second}".encode(errors="surrogatepass"))


def _runs(text: str) -> npt.NDArray[np.uint64]:
    """A hash for every run of 3, 4 and 5 bytes of a text (wrapping 64-bit polynomial)."""
    codes = np.frombuffer(f" {text} ".encode(errors="surrogatepass"), np.uint8).astype(np.uint64) + np.uint64(1)
    found, rolled = [], np.zeros(len(codes), np.uint64)
    for size in range(1, CHARACTER_SIZES[-1] + 1):
        count = len(codes) - size + 1
        if count <= 0:
            break
        rolled = rolled[:count] * _ROLL + codes[size - 1 :]
        if size in CHARACTER_SIZES:
            found.append(rolled + _SEEDS[size])
    return np.concatenate(found) if found else np.empty(0, np.uint64)


def _unit(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    square = int((counts * counts).sum())
    return counts / math.sqrt(square) if square else counts.astype(np.float64)


KINDS = ("hashed", "litellm")
"""The kinds of embedder."""


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
        from mlesearch.models.live.embedder import make as make_live

        return make_live(rest)
    raise ConfigError(f"embedder: unknown kind {kind!r}; known kinds: {', '.join(KINDS)}")
