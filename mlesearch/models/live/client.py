"""One way to call litellm: on the background loop, behind the gate, with our deadline, retries and errors.

The chat model and the embedder both stand on it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from mlesearch.models.attempt import Failure, Success
from mlesearch.models.limits.counters import CallCountersError
from mlesearch.models.limits.gate import Channel, gate
from mlesearch.models.limits.place import THIS_PROCESS, CountersPlace
from mlesearch.models.live.errors import classify
from mlesearch.models.live.keys import KEY_VARIABLES, KEYLESS, provider_of
from mlesearch.models.live.library import NO_KEY, load_litellm, send, warm_up
from mlesearch.models.live.loop import GRACE_S, background_loop
from mlesearch.models.live.params import LiveParams
from mlesearch.models.live.retry import persist
from mlesearch.models.price import WorstCase
from mlesearch.models.protocol import AuthFailed, BeforeRetry


@dataclass(frozen=True, slots=True)
class Answered:
    """A response of litellm's and what it took.

    Attributes:
        response: litellm's object.
        service_us: duration of the attempt that succeeded.
        wait_us: everything else: waiting for a free slot, failed attempts, backoff, the first import.
        dropped: parameters that were left out because the model does not take them, sorted.
        lost_nusd: the most that attempts which were cut off may have cost.
    """

    response: Any
    service_us: int
    wait_us: int
    dropped: tuple[str, ...]
    lost_nusd: int = 0


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
        self._refused: frozenset[str] = frozenset()  # learned from the provider's own errors
        self.place: CountersPlace = THIS_PROCESS

    def call(
        self,
        fixed: Mapping[str, object],
        optional: Mapping[str, object],
        deadline_s: float,
        worst: WorstCase,
        before_retry: BeforeRetry | None = None,
    ) -> Answered:
        """One call, tried again as often as the parameters and the deadline allow.

        The first import of litellm, and of what it needs for a provider, is no part of the deadline and of no charge.

        Args:
            fixed: arguments that must be sent.
            optional: arguments that are dropped where the model does not take them.
            deadline_s: wall-clock limit, waiting and retries included.
            worst: the most that an attempt can use.
            before_retry: called before an attempt that follows one which was cut off.

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

        def attempt(left_s: float) -> Success[Any] | Failure:
            while True:
                left.clear()
                left.update(self._sendable(optional, takes))
                begun = time.monotonic()
                result = self._attempt(litellm, {**fixed, **left}, left, left_s, worst.tokens)
                if not isinstance(result, Failure) or result.unsupported is None:
                    return result
                self._refused |= {result.unsupported}
                left_s -= time.monotonic() - begun

        success, wait_us, lost_nusd = persist(
            attempt,
            owner=self.owner,
            deadline_s=deadline_s,
            max_retries=self.params.max_retries,
            backoff=self.params.backoff,
            worst_nusd=worst.cost_nusd,
            before_retry=before_retry,
        )
        sent = set(left) | ({"max_tokens"} if "max_completion_tokens" in left else set())
        dropped = tuple(sorted(set(optional) - sent))
        return Answered(success.value, success.service_us, wait_us + import_us, dropped, lost_nusd)

    def _sendable(self, optional: Mapping[str, object], takes: frozenset[str]) -> dict[str, object]:
        """What the model takes; the limit on the answer under its newer name where the old one is refused."""

        def taken(name: str) -> bool:
            return (not takes or name in takes) and name not in self._refused

        left = {name: value for name, value in optional.items() if taken(name)}
        if "max_tokens" in optional and "max_tokens" not in left and taken("max_completion_tokens"):
            left["max_completion_tokens"] = optional["max_tokens"]
        return left

    def _takes(self, litellm: Any) -> frozenset[str]:
        """Parameters that litellm knows the model to take; empty where it doesn't know the provider."""
        if self._supported is None:
            kind = "chat_completion" if self._function == "acompletion" else "embeddings"
            names = litellm.get_supported_openai_params(
                model=self.params.model, custom_llm_provider=provider_of(self.params.model), request_type=kind
            )
            self._supported = frozenset(names or ())
        return self._supported

    def _attempt(
        self, litellm: Any, arguments: Mapping[str, object], droppable: Mapping[str, object], left_s: float, tokens: int
    ) -> Success[Any] | Failure:
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
        result: Success[Any] | Failure | None = None
        try:
            result = self._send(litellm, arguments, droppable, left_s - (time.monotonic() - begun))
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
        self, litellm: Any, arguments: Mapping[str, object], droppable: Mapping[str, object], left_s: float
    ) -> Success[Any] | Failure:
        key = self.params.key
        begun = threading.Event()

        async def one() -> Success[Any]:
            begun.set()
            start_ns = time.monotonic_ns()
            # timeout stays the same at every call: litellm keeps one client with its connections for each value
            response = await send(
                litellm,
                self._function,
                model=self.params.model,
                **arguments,
                **self._access(),
                timeout=self.params.timeout_s,
            )
            return Success(response, (time.monotonic_ns() - start_ns) // 1000)

        try:
            return background_loop().run(one, limit_s=self.params.timeout_s, deadline_s=left_s)
        except Exception as error:  # litellm raises what it likes; every kind is classified
            return classify(
                error,
                key_variable=key.found_in,
                own_endpoint=self.params.api_base is not None,
                droppable=droppable,
                secrets=filter(None, (key.read(),)),
                urls=self._own_urls(),
                sent=begun.is_set(),
            )

    def _own_urls(self) -> list[str]:
        """Endpoints of the user's own: the declared one, and those that litellm finds in the environment."""
        found = [value for name, value in os.environ.items() if name.endswith(("_API_BASE", "_BASE_URL", "_API_URL"))]
        return [url.strip() for url in (*found, self.params.api_base or "") if "://" in url]

    def _access(self) -> dict[str, object]:
        """Key and endpoint; made where they are used and kept nowhere."""
        access: dict[str, object] = {}
        if self.params.api_base is not None:
            access["api_base"] = self.params.api_base
        key = self.params.key.read()
        if key is not None:
            access["api_key"] = key
        elif self.params.api_base is not None or provider_of(self.params.model) in KEYLESS:
            access["api_key"] = NO_KEY
        return access


@lru_cache(maxsize=256)
def endpoint_bucket(url: str) -> str:
    """What an own endpoint is called in the counters, which are in the study's folder: by a digest."""
    return f"endpoint-{sha256(url.encode()).hexdigest()[:16]}"


def _used(result: Success[Any] | Failure | None) -> int | None:
    """Tokens that an attempt used; None where nobody knows: without usage, or where no answer came."""
    if isinstance(result, Success):
        told = getattr(result.value, "usage", None)
        counts = [getattr(told, name, None) for name in ("prompt_tokens", "completion_tokens")]
        return sum(n for n in counts if isinstance(n, int)) or None
    return 0 if result is not None and result.turned_away else None
