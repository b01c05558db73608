"""One way to call litellm: on the background loop, behind the gate, with our deadline, retries and errors.

The chat model and the embedder both stand on it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

from mlesearch.models.attempt import Change, Failure, LowerLimit, Success
from mlesearch.models.limits.counters import CallCountersError
from mlesearch.models.limits.gate import Channel, gate
from mlesearch.models.limits.place import THIS_PROCESS, CountersPlace
from mlesearch.models.live.errors import Attempted, classify
from mlesearch.models.live.keys import KEY_VARIABLES, KEYLESS, provider_of
from mlesearch.models.live.library import NO_KEY, load_litellm, send, warm_up
from mlesearch.models.live.loop import GRACE_S, background_loop
from mlesearch.models.live.params import LiveParams
from mlesearch.models.live.retry import Probed, persist
from mlesearch.models.live.shape import Shape, has_system, limit_sent
from mlesearch.models.live.wire import Wire
from mlesearch.models.price import Price, WorstCase, worst_case
from mlesearch.models.protocol import AuthFailed, BeforeRetry, PromptFailure

MOST_CHANGES = 8
"""So often one attempt may be altered and sent again."""
PROBE_BYTES, PROBE_TOKENS = 16, 64
PROBE_TRIES = 3
"""A server that has to be started again because of a prompt needs a moment."""
PROBES: Mapping[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
    "acompletion": ({"messages": [{"role": "user", "content": "Answer with OK."}]}, {"max_tokens": PROBE_TOKENS}),
    "aembedding": ({"input": ["OK"]}, {"encoding_format": "float"}),
}
"""What is asked where a provider fails at one prompt, by litellm's function: what must be sent, and what may be."""
MOST_COUNTED = 2**40
"""A report of more tokens is none that limits could count."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A response of litellm's, and what came over the wire for it."""

    response: Any
    wire: Wire


@dataclass(frozen=True, slots=True)
class Answered:
    """A response of litellm's and what it took.

    Attributes:
        response: litellm's object.
        service_us: duration of the attempt that succeeded.
        wait_us: everything else: waiting for a free slot, failed attempts, backoff, the first import.
        dropped: parameters that were left out because the model does not take them, sorted.
        lost_nusd: the most that attempts which were cut off may have cost.
        limit_tokens: the limit on the answer that was sent; None: none was.
        notes: what was altered in the request beside, or was odd about the answer.
        wire: what came over the wire.
    """

    response: Any
    service_us: int
    wait_us: int
    dropped: tuple[str, ...]
    lost_nusd: int = 0
    limit_tokens: int | None = None
    notes: tuple[str, ...] = ()
    wire: Wire = field(default_factory=Wire)


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a call must have ended.

    Attributes:
        seconds: wall-clock time, waiting and retries included.
        setting: what sets it, for errors.
    """

    seconds: float
    setting: str


class LiteLLMClient:
    """Calls of one model through litellm.

    Args:
        owner: e.g. "model 'gpt-6-luna'", the start of every error.
        params: the model's.
        function: litellm's coroutine function, "acompletion" or "aembedding".
    """

    def __init__(self, owner: str, params: LiveParams, function: str) -> None:
        self.owner = owner
        self.params = params
        self._function = function
        self._supported: frozenset[str] | None = None
        self._shape = Shape()  # learned from the provider's own errors
        self.place: CountersPlace = THIS_PROCESS

    def call(
        self,
        fixed: Mapping[str, object],
        optional: Mapping[str, object],
        deadline: Deadline,
        worst: WorstCase,
        before_retry: BeforeRetry | None = None,
        prompt_tokens: int = 0,
        price: Price | None = None,
    ) -> Answered:
        """One call, tried again as often as the parameters and the deadline allow.

        A request that is refused for a reason that can be mended is sent again at once, mended; what was learned holds
        for later calls. The first import of litellm, and of what it needs for a provider, is no part of the deadline
        and of no charge.

        Args:
            fixed: arguments that must be sent.
            optional: arguments that are dropped where the model does not take them.
            deadline: of all of it.
            worst: the most that an attempt can use.
            before_retry: called before an attempt that follows one which was cut off.
            prompt_tokens: of the prompt, by our own count.
            price: of a probe (`PROBES`).

        Raises:
            ModelUnavailable: a subclass that says why, with what its attempts may have cost.
        """
        start_ns = time.monotonic_ns()
        litellm = load_litellm()
        if self.params.api_base is not None or provider_of(self.params.model) in KEY_VARIABLES:
            warm_up(litellm, self.params.model, self._function)
        import_us = (time.monotonic_ns() - start_ns) // 1000
        takes = self._takes(litellm)
        left: dict[str, object] = {}
        shape = self._shape

        def attempt(left_s: float) -> Success[Sent] | Failure:
            nonlocal shape
            shape = replace(self._shape, ceiling=shape.ceiling)
            for _ in range(MOST_CHANGES):
                left.clear()
                left.update(shape.parameters(optional, takes))
                begun = time.monotonic()
                arguments = {**shape.arguments(fixed), **left}
                asked = self._asked(left, prompt_tokens, has_system(fixed) and not shape.moves_system)
                result = self._attempt(litellm, arguments, asked, left_s, deadline, worst.tokens)
                change = result.change if isinstance(result, Failure) else None
                changed = shape.changed(change, limit_sent(left))
                if changed is None:
                    return result
                shape = changed
                self._learn(change, changed)
                left_s -= time.monotonic() - begun
            return result

        success, wait_us, lost_nusd = persist(
            attempt,
            owner=self.owner,
            deadline_s=deadline.seconds,
            max_retries=self.params.max_retries,
            backoff=self.params.backoff,
            worst_nusd=worst.cost_nusd,
            before_retry=before_retry,
            deadline_name=deadline.setting,
            probe=None
            if self.params.max_retries == 0
            else _Probe(self, litellm, deadline, worst_case(PROBE_BYTES, PROBE_TOKENS, price)),
        )
        sent = set(left) | ({"max_tokens"} if "max_completion_tokens" in left else set())
        return Answered(
            success.value.response,
            success.service_us,
            wait_us + import_us,
            tuple(sorted(set(optional) - sent)),
            lost_nusd,
            limit_sent(left),
            (*_alterations(shape, optional, left, fixed), *success.value.wire.notes),
            success.value.wire,
        )

    def probe(self, litellm: Any, left_s: float, deadline: Deadline, tokens: int) -> Success[Sent] | Failure:
        """One attempt at what any model can answer, in few tokens.

        Args:
            litellm: the module.
            left_s: for it.
            deadline: of the call that it belongs to.
            tokens: the most that it can use.
        """
        fixed, optional = PROBES[self._function]
        arguments = {**fixed, **self._shape.parameters(optional, self._takes(litellm))}
        return self._attempt(litellm, arguments, self._asked(optional, tokens, False), left_s, deadline, tokens)

    def _learn(self, change: Change | None, shape: Shape) -> None:
        """Keep what holds for every call; a limit that one prompt needs is no part of it."""
        always = isinstance(change, LowerLimit) and change.always
        ceiling = shape.ceiling if always else self._shape.ceiling
        self._shape = Shape(
            self._shape.refused | shape.refused, ceiling, self._shape.moves_system or shape.moves_system
        )

    def _takes(self, litellm: Any) -> frozenset[str]:
        """Parameters that litellm knows the model to take; empty where it doesn't know the provider."""
        if self._supported is None:
            kind = "chat_completion" if self._function == "acompletion" else "embeddings"
            names = litellm.get_supported_openai_params(
                model=self.params.model, custom_llm_provider=provider_of(self.params.model), request_type=kind
            )
            self._supported = frozenset(names or ())
        return self._supported

    def _asked(self, droppable: Mapping[str, object], prompt_tokens: int, system: bool) -> Attempted:
        key = self.params.key
        return Attempted(
            key_variable=key.found_in,
            own_endpoint=self.params.api_base is not None,
            droppable=dict(droppable),
            secrets=self.params.secrets(),
            prompt_tokens=prompt_tokens,
            has_system=system,
        )

    def _attempt(
        self,
        litellm: Any,
        arguments: Mapping[str, object],
        asked: Attempted,
        left_s: float,
        deadline: Deadline,
        tokens: int,
    ) -> Success[Sent] | Failure:
        """One attempt, once the gate lets it through."""
        key = self.params.key
        if key.variables and key.read() is None:
            text = f"no API key: the environment variable {' or '.join(key.variables)} is not set"
            return Failure(AuthFailed, False, text)
        entrance = gate(self.place)
        begun = time.monotonic()
        entered = entrance.enter(self._channel(), tokens, left_s, min(left_s, self.params.timeout_s) + GRACE_S)
        if isinstance(entered, Failure):
            return entered
        result: Success[Sent] | Failure | None = None
        try:
            result = self._send(litellm, arguments, asked, left_s - (time.monotonic() - begun), deadline)
        finally:
            with contextlib.suppress(CallCountersError):  # the answer is paid for; the next call will say what is wrong
                entrance.leave(entered, _used(result), result)
        return result

    def _channel(self) -> Channel:
        """What shares the limits: an own endpoint, else the key, by the name of its variable."""
        bucket = self.params.key.found_in or str(provider_of(self.params.model))
        if self.params.api_base is not None:
            bucket = endpoint_bucket(self.params.api_base)
        return Channel(bucket, f"{bucket} {self.params.model}", self.params.caps)

    def _send(
        self, litellm: Any, arguments: Mapping[str, object], asked: Attempted, left_s: float, deadline: Deadline
    ) -> Success[Sent] | Failure:
        begun = threading.Event()
        wire = Wire()

        async def one() -> Success[Sent]:
            begun.set()
            start_ns = time.monotonic_ns()
            # timeout stays the same at every call: litellm keeps one client with its connections for each value
            response = await send(
                litellm,
                self._function,
                wire,
                model=self.params.model,
                **arguments,
                **self._access(),
                timeout=self.params.timeout_s,
            )
            return Success(Sent(response, wire), (time.monotonic_ns() - start_ns) // 1000)

        try:
            return background_loop().run(one, limit_s=self.params.timeout_s, deadline_s=left_s)
        except Exception as error:  # litellm raises what it likes; every kind is classified
            own = left_s > self.params.timeout_s
            limit = f"{self.params.timeout_s:g} s, the limit of one attempt (timeout_s of the model's params)"
            until = f"the {deadline.seconds:g} s of a call ({deadline.setting})"
            urls = tuple(self._own_urls())
            asked = replace(asked, sent=begun.is_set(), time_limit=limit if own else until, urls=urls)
            return classify(error, asked, wire.answer)

    def _own_urls(self) -> list[str]:
        """Endpoints of the user's own: the declared one, and those that litellm finds in the environment."""
        found = [value for name, value in os.environ.items() if name.endswith(("_API_BASE", "_BASE_URL", "_API_URL"))]
        return [url.strip() for url in (*found, self.params.api_base or "") if "://" in url]

    def _access(self) -> dict[str, object]:
        """Key and endpoint; made where they are used and kept nowhere."""
        access: dict[str, object] = self.params.extras.arguments()
        if self.params.api_base is not None:
            access["api_base"] = self.params.api_base
        key = self.params.key.read()
        if key is not None:
            access["api_key"] = key
        elif self.params.api_base is not None or provider_of(self.params.model) in KEYLESS:
            access["api_key"] = NO_KEY
        return access


@dataclass(frozen=True, slots=True)
class _Probe:
    """Asks the provider of one call something else."""

    client: LiteLLMClient
    litellm: Any
    deadline: Deadline
    worst: WorstCase

    def __call__(self, left_s: float) -> Probed:
        """Ask; a refusal of this one prompt is an answer too."""
        until_s, lost_nusd = time.monotonic() + left_s, 0
        for n in range(1, PROBE_TRIES + 1):
            result = self.client.probe(self.litellm, until_s - time.monotonic(), self.deadline, self.worst.tokens)
            if isinstance(result, Success) or result.cut_off:
                lost_nusd += self.worst.cost_nusd
            if isinstance(result, Success) or issubclass(result.error, PromptFailure):
                return Probed(True, lost_nusd)
            wait_s = self.client.params.backoff.wait_s(n, result.retry_after_s)
            if result.at_prompt or not result.retryable or time.monotonic() + wait_s >= until_s:
                break
            time.sleep(wait_s)
        return Probed(False, lost_nusd)


@lru_cache(maxsize=256)
def endpoint_bucket(url: str) -> str:
    """What an own endpoint is called in the counters, which are in the study's folder: by a digest."""
    return f"endpoint-{sha256(url.encode()).hexdigest()[:16]}"


def _used(result: Success[Sent] | Failure | None) -> int | None:
    """Tokens that an attempt used; None where nobody knows: without usage, or where no answer came."""
    if isinstance(result, Success):
        told = getattr(result.value.response, "usage", None)
        counts = [getattr(told, name, None) for name in ("prompt_tokens", "completion_tokens")]
        used = sum(n for n in counts if isinstance(n, int))
        return used if 0 < used < MOST_COUNTED else None
    return 0 if result is not None and result.turned_away else None


def _alterations(
    shape: Shape, optional: Mapping[str, object], left: Mapping[str, object], fixed: Mapping[str, object]
) -> Iterator[str]:
    """What was altered in a request, but for parameters that were left out."""
    asked, sent = limit_sent(optional), limit_sent(left)
    if asked is not None and sent is not None and sent < asked:
        yield f"max_tokens lowered from {asked} to {sent}: the provider takes no more with this prompt"
    if shape.moves_system and has_system(fixed):
        yield "the system text was moved into the first user message: the provider takes none"
