"""What a model is to the rest of the package: `complete(Request) -> Reply` and `embed(EmbedRequest) -> EmbedReply`.

Both are blocking and may be called from several threads at once. A model or embedder that tries a call again by itself
also has `complete_retrying` or `embed_retrying`, so that whoever pays is asked before an attempt that costs more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, runtime_checkable

from mlesearch.models.price import Price, WorstCase, worst_case
from mlesearch.types import Embedding, ModelUnavailable, Op, Usage

ChatRole = Literal["system", "user", "assistant"]

BeforeRetry = Callable[[], None]
"""Called before an attempt that follows one which was cut off, and may be billed; raises where that is too much."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: ChatRole
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
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    address: Address
    entropy: int
    deadline_s: float

    def worst_case(self, price: Price | None, ceiling: int | None = None) -> WorstCase:
        """The most that one attempt can use.

        Args:
            price: of the model; None: not known.
            ceiling: the most that the model answers with, tokens; None: as much as is asked for.
        """
        asked = self.sampling.max_tokens
        prompt_bytes = sum(len(m.content.encode(errors="replace")) for m in self.messages)
        return worst_case(prompt_bytes, asked if ceiling is None else min(asked, ceiling), price)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer.

    Attributes:
        text: what the model said.
        finish: "stop", "length" (cut at the limit) or "content_filter".
        usage: tokens, cost, service and waiting time.
        model: the id that answered.
        dropped: parameters that the model does not take, recorded as dropped.
        notes: what else was altered in the request, or does not add up in the answer, each in a few words.
        limit_tokens: of an answer that was cut: the limit that cut it, where no larger one can be asked for.
    """

    text: str
    finish: str
    usage: Usage
    model: str
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    limit_tokens: int | None = None


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


@runtime_checkable
class RetryingModel(Protocol):
    """A model that may send one call several times, each of which may be billed."""

    def complete_retrying(self, request: Request, before_retry: BeforeRetry) -> Reply:
        """As `Model.complete`.

        Raises:
            ModelUnavailable: as `Model.complete`.
            MlesearchError: what `before_retry` raised.
        """
        ...


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Texts to embed, with the address of the proposal they belong to."""

    texts: tuple[str, ...]
    address: Address

    def worst_case(self, price: Price | None) -> WorstCase:
        """The most that one attempt can use, with an embedder of such a price."""
        return worst_case(sum(len(text.encode(errors="replace")) for text in self.texts), 0, price)


@dataclass(frozen=True, slots=True)
class EmbedReply:
    """Unit vectors, one per text, and what they cost.

    Attributes:
        vectors: of the texts, in their order.
        usage: tokens, cost, service and waiting time.
        problem: why there are none, where the provider refuses these texts.
    """

    vectors: tuple[Embedding, ...]
    usage: Usage = field(default_factory=Usage)
    problem: str = ""


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


@runtime_checkable
class RetryingEmbedder(Protocol):
    """An embedder that may send one request several times, each of which may be billed."""

    def embed_retrying(self, request: EmbedRequest, before_retry: BeforeRetry) -> EmbedReply:
        """As `Embedder.embed`.

        Raises:
            ModelUnavailable: as the embedder does.
            MlesearchError: what `before_retry` raised.
        """
        ...


class RetriesExhausted(ModelUnavailable):
    """Rate limits, server errors, timeouts or connections failed until the deadline."""


class PromptFailure(ModelUnavailable):
    """A failure that belongs to the prompt: the same one fails the same way. It is one of `PROMPT_FAILURES`.

    Attributes:
        finish: the finish reason of the reply that stands for it in the journal.
    """

    finish: ClassVar[str]


class ContextOverflow(PromptFailure):
    """The prompt is longer than the model takes."""

    finish = "context_overflow"


class ContentFilter(PromptFailure):
    """The provider refused to answer this prompt, or withheld its answer."""

    finish = "content_filter"


class EmptyReply(PromptFailure):
    """The provider answered with no text, or with too few vectors."""

    finish = "empty"


class ToolCallReply(EmptyReply):
    """The answer is a call of a tool, and none was offered."""

    finish = "tool_calls"


class ReasoningReply(EmptyReply):
    """The answer is reasoning alone, with no text after it."""

    finish = "reasoning_only"


class BadRequest(PromptFailure):
    """The provider refuses the request as it is, for a reason that is none of the others."""

    finish = "refused"


class NeverAnswered(PromptFailure):
    """The provider fails at this prompt, again and again, and answers another one meanwhile."""

    finish = "never_answered"


PROMPT_FAILURES: tuple[type[PromptFailure], ...] = (
    ContextOverflow,
    ContentFilter,
    EmptyReply,
    ToolCallReply,
    ReasoningReply,
    BadRequest,
    NeverAnswered,
)


class FatalModelError(ModelUnavailable):
    """Nothing more can come of this model (its name, its URL): its runs stop, the sweep goes on."""


class AuthFailed(FatalModelError):
    """The key is wrong or missing."""


class QuotaExhausted(FatalModelError):
    """The account has no credit left."""
