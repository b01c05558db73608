"""What a model is to the rest of the house: `complete(Request) -> Reply` and `embed(EmbedRequest) -> EmbedReply`.

Both are blocking and may be called from several threads at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from mlesearch.types import Embedding, ModelUnavailable, Op, Usage

Role = Literal["system", "user", "assistant"]

OVERHEAD_TOKENS = 64
"""What a provider may add to a prompt; beside it, no token stands for less than a byte."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters of a call; None leaves the model's own default."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int = 8192
    reasoning_effort: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """The deterministic path of a call: what makes two equal prompts two calls.

    Attributes:
        run: the run's id within its study.
        trace: the proposal's trace.
        proposal: the proposal's id.
        op: the operator (REVIEW for the engine's own review).
        attempt: 0 for the first try, then repair turns and retries after truncation.
    """

    run: str
    trace: int
    proposal: int
    op: Op
    attempt: int = 0

    def __str__(self) -> str:
        return f"{self.run}/{self.trace}/{self.proposal}/{self.op}/{self.attempt}"


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a model.

    Attributes:
        messages: what the model sees, all of it.
        sampling: parameters.
        address: of the call.
        entropy: the replicate seed, the same for all strategies on one (task, seed).
        deadline_s: hard wall-clock limit, waiting and retries included.
        before_another: called before an attempt that follows one which was cut off, and may be billed; raises where
            that is too much.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    address: Address
    entropy: int
    deadline_s: float
    before_another: Callable[[], None] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer.

    Attributes:
        text: what the model said.
        finish: "stop", "length" (cut at the limit) or "content_filter".
        usage: tokens, cost, service and waiting time.
        model: the id that answered.
        dropped: parameters that the model does not take, recorded as dropped.
    """

    text: str
    finish: str
    usage: Usage
    model: str
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens. An unknown price is None in `Model.price`, never zero.

    Attributes:
        input_usd_per_mtok: of prompts.
        output_usd_per_mtok: of answers, reasoning included.
        cached_usd_per_mtok: of the part of a prompt that the provider had cached; None: as any other part.
        long_above_tokens: a call whose prompt is longer costs the prices below, all of it; None: there is no such tier.
        long_input_usd_per_mtok: of such a prompt.
        long_output_usd_per_mtok: of the answer to it.
        long_cached_usd_per_mtok: of its cached part.
        cache_write_usd_per_mtok: of the part that the provider puts into its cache; None: as any other part.
        long_cache_write_usd_per_mtok: of such a part of a longer prompt.
    """

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_usd_per_mtok: float | None = None
    long_above_tokens: int | None = None
    long_input_usd_per_mtok: float | None = None
    long_output_usd_per_mtok: float | None = None
    long_cached_usd_per_mtok: float | None = None
    cache_write_usd_per_mtok: float | None = None
    long_cache_write_usd_per_mtok: float | None = None

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
        usd_in, usd_out, usd_cached = self.input_usd_per_mtok, self.output_usd_per_mtok, self.cached_usd_per_mtok
        usd_write = self.cache_write_usd_per_mtok
        if self.long_above_tokens is not None and input_tokens > self.long_above_tokens:
            usd_in = usd_in if self.long_input_usd_per_mtok is None else self.long_input_usd_per_mtok
            usd_out = usd_out if self.long_output_usd_per_mtok is None else self.long_output_usd_per_mtok
            usd_cached, usd_write = self.long_cached_usd_per_mtok, self.long_cache_write_usd_per_mtok
        nusd = (
            (input_tokens - cached_tokens - cache_write_tokens) * usd_in
            + cached_tokens * (usd_in if usd_cached is None else usd_cached)
            + cache_write_tokens * (usd_in if usd_write is None else usd_write)
            + output_tokens * usd_out
        ) * 1000
        return -int(-nusd // 1)

    def most_nusd(self, input_tokens: int, output_tokens: int) -> int:
        """The most that a call can cost: nothing of its prompt is in the provider's cache, all may be put into it."""
        written = self.cost_nusd(input_tokens, output_tokens, cache_write_tokens=input_tokens)
        return max(self.cost_nusd(input_tokens, output_tokens), written)


class Model(Protocol):
    """A language model, real, recorded, scripted or simulated."""

    @property
    def name(self) -> str:
        """Its logical name, as the configuration has it."""
        ...

    @property
    def live(self) -> bool:
        """Whether its replies are paid for with money or time that can't be had back."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether results with it must be stamped simulated."""
        ...

    @property
    def price(self) -> Price | None:
        """Known price, or None."""
        ...

    def identity(self) -> Mapping[str, object]:
        """All that changes its replies (never a key or a URL)."""
        ...

    def check(self) -> None:
        """Refuse to start without what every call needs, before any call.

        Raises:
            ConfigError: e.g. a missing API key; the text says what to set.
        """
        ...

    def complete(self, request: Request) -> Reply:
        """One call.

        Raises:
            ModelUnavailable: one of its subclasses below.
        """
        ...


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Texts to embed, with the address of the proposal they belong to; `before_another` as in `Request`."""

    texts: tuple[str, ...]
    address: Address
    before_another: Callable[[], None] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class EmbedReply:
    """Unit vectors, one per text, and what they cost."""

    vectors: tuple[Embedding, ...]
    usage: Usage = field(default_factory=Usage)


class Embedder(Protocol):
    """Turns texts into unit vectors; an old text keeps its vector whatever comes later."""

    @property
    def name(self) -> str:
        """Named in the run's identity."""
        ...

    @property
    def live(self) -> bool:
        """Whether its vectors are paid for."""
        ...

    @property
    def price(self) -> Price | None:
        """Known price, or None."""
        ...

    @property
    def deadline_s(self) -> float:
        """A request has ended after so long."""
        ...

    def check(self) -> None:
        """Refuse to start without what every call needs, before any call.

        Raises:
            ConfigError: e.g. a missing API key; the text says what to set.
        """
        ...

    def embed(self, request: EmbedRequest) -> EmbedReply:
        """Embed all texts of a request."""
        ...


class RetriesExhausted(ModelUnavailable):
    """Rate limits, server errors, timeouts or connections failed until the deadline."""


class ContextOverflow(ModelUnavailable):
    """The prompt is longer than the model takes."""


class ContentFilter(ModelUnavailable):
    """The provider refused to answer this prompt, or withheld its answer."""


class EmptyReply(ModelUnavailable):
    """The provider answered with no text, or with too few vectors."""


class BadRequest(ModelUnavailable):
    """The provider refuses the request as it is."""


class FatalModelError(ModelUnavailable):
    """Nothing more can come of this model: its runs stop, the sweep goes on."""


class AuthFailed(FatalModelError):
    """The key is wrong or missing."""


class QuotaExhausted(FatalModelError):
    """The account has no credit left."""


def replicate_entropy(task: str, seed: int) -> int:
    """The randomness of one (task, seed), the same for every strategy and model: 63 bits of a sha256."""
    return int.from_bytes(hashlib.sha256(f"{task}\x00{seed}".encode()).digest()[:8], "big") >> 1


def total_usage(parts: Sequence[Usage]) -> Usage:
    """The sum of several usages; of none, all zero."""
    total = Usage()
    for part in parts:
        total = total + part
    return total
