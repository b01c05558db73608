"""One way to call litellm: lazily imported, on the background loop, with our deadline, retries and errors.

The chat model and the embedder both stand on it. litellm takes seconds and some 160 MB to import, so nothing
here imports it before the first call.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from mlesearch.models.limits.counters import CallCountersError
from mlesearch.models.limits.gate import ALONE, Channel, Shared, gate
from mlesearch.models.live.errors import classify
from mlesearch.models.live.loop import GRACE_S, background_loop
from mlesearch.models.params import KEY_VARIABLES, KEYLESS, LiveParams, provider_of
from mlesearch.models.protocol import AuthFailed
from mlesearch.models.retry import Failure, Success, persist
from mlesearch.types import ModelUnavailable, Usage

ENVIRONMENT: Mapping[str, str] = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_MODE": "PRODUCTION",
}
"""Set in this process's environment before litellm is imported, and left there, since it reads some of them later.

Without them its import fetches a price map from the network and loads a `.env` file of the working directory, so
prices and keys would depend on the day and the place.
"""

NO_KEY = "no-key-needed"
"""Sent to an own endpoint instead of a key, so that litellm does not send one that it finds in the environment."""

WARM_UP_S = 30.0

_prepared_in: int | None = None  # process id
_inherited: list[object] = []  # a parent's client caches, kept so that no collection closes connections it still uses


def load_litellm() -> Any:
    """litellm, imported at the first call and prepared once per process."""
    global _prepared_in  # noqa: PLW0603  a forked child must notice that its parent's clients are not its own
    if _prepared_in == os.getpid():
        return importlib.import_module("litellm")
    os.environ.update(ENVIRONMENT)
    litellm: Any = importlib.import_module("litellm")
    litellm.suppress_debug_info = True  # else it prints advertising to stdout at every error
    _leave_retries_to_us()
    if _prepared_in is not None:
        _inherited.append(litellm.in_memory_llm_clients_cache)
        litellm.in_memory_llm_clients_cache = type(litellm.in_memory_llm_clients_cache)()
    background_loop().at_close(litellm.close_litellm_async_clients)
    _prepared_in = os.getpid()
    return litellm


_ours: ContextVar[bool] = ContextVar("a call of ours", default=False)


def _leave_retries_to_us() -> None:
    """Have the client below litellm make one request for each of our attempts.

    litellm loses `max_retries=0` on the way to some providers (chat of zai and deepinfra, embeddings of several), and
    OpenAI's client then tries three times: two requests that no limit counts, and waiting that counts as service. Calls
    that others make in this process keep their retries.
    """
    openai: Any = importlib.import_module("openai")

    def read(client: Any) -> int:
        return 0 if _ours.get() else vars(client)["max_retries"]

    def write(client: Any, retries: int) -> None:
        vars(client)["max_retries"] = retries

    for kind in (openai.OpenAI, openai.AsyncOpenAI):
        kind.max_retries = property(read, write)


async def _send(litellm: Any, function: str, **arguments: object) -> Any:
    """One attempt, which is one request."""
    _ours.set(True)  # for this task and what it starts
    return await getattr(litellm, function)(**arguments, num_retries=0, max_retries=0)


_warmed: set[tuple[int, str | None, str]] = set()
_warming: dict[int, threading.Lock] = {}  # by process: a forked child must not wait for a thread of its parent


def warm_up(litellm: Any, model: str, function: str) -> None:
    """Have litellm import what its first call of a provider needs: up to a second that no run should be charged for.

    It makes that call, without a key, to a port of this machine where nobody listens.
    """
    key = (os.getpid(), provider_of(model), function)
    if key in _warmed:
        return
    with _warming.setdefault(os.getpid(), threading.Lock()), socket.socket() as nobody:
        if key in _warmed:
            return
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        if function == "acompletion":
            asked: dict[str, object] = {"messages": [{"role": "user", "content": "hello"}]}
        else:
            asked = {"input": ["hello"]}

        async def call() -> None:
            await _send(litellm, function, model=model, **asked, api_base=url, api_key=NO_KEY, timeout=WARM_UP_S)

        with contextlib.suppress(Exception):  # it is meant to fail
            background_loop().run(call, limit_s=WARM_UP_S, deadline_s=WARM_UP_S)
        _warmed.add(key)


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
        self.shared: Shared = ALONE

    def call(
        self,
        fixed: Mapping[str, object],
        optional: Mapping[str, object],
        deadline_s: float,
        tokens: int,
        worst_nusd: int,
        before_another: Callable[[], None] | None = None,
    ) -> Answered:
        """One call, tried again as often as the parameters and the deadline allow.

        The first import of litellm, and of what it needs for a provider, is no part of the deadline and of no charge.

        Args:
            fixed: arguments that must be sent.
            optional: arguments that are dropped where the model does not take them.
            deadline_s: wall-clock limit, waiting and retries included.
            tokens: the most that an attempt can use, of prompt and answer together.
            worst_nusd: the most that an attempt can cost; 0 where no price is known.
            before_another: see `Request`.

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
        lost_nusd, cut_off = 0, False

        def attempt(left_s: float) -> Success[Any] | Failure:
            nonlocal lost_nusd, cut_off
            if cut_off and before_another is not None:
                before_another()
            cut_off = False
            while True:
                left.clear()
                left.update(self._sendable(optional, takes))
                begun = time.monotonic()
                result = self._attempt(litellm, {**fixed, **left}, left, left_s, tokens)
                if isinstance(result, Failure) and result.cut_off:
                    lost_nusd, cut_off = lost_nusd + worst_nusd, True
                if not isinstance(result, Failure) or result.unsupported is None:
                    return result
                self._refused |= {result.unsupported}
                left_s -= time.monotonic() - begun

        try:
            success, wait_us = persist(
                attempt,
                owner=self.owner,
                deadline_s=deadline_s,
                max_retries=self.params.max_retries,
                backoff=self.params.backoff,
            )
        except ModelUnavailable as error:
            error.usage = Usage(lost_nusd=lost_nusd)
            raise
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
        entrance = gate(self.shared)
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
        sent = threading.Event()

        async def send() -> Success[Any]:
            sent.set()
            start_ns = time.monotonic_ns()
            # timeout stays the same at every call: litellm keeps one client with its connections for each value
            response = await _send(
                litellm,
                self._function,
                model=self.params.model,
                **arguments,
                **self._access(),
                timeout=self.params.timeout_s,
            )
            return Success(response, (time.monotonic_ns() - start_ns) // 1000)

        try:
            return background_loop().run(send, limit_s=self.params.timeout_s, deadline_s=left_s)
        except Exception as error:  # litellm raises what it likes; every kind is classified
            return classify(
                error,
                key_variable=key.found_in,
                own_endpoint=self.params.api_base is not None,
                droppable=droppable,
                secrets=filter(None, (key.read(),)),
                urls=self._own_urls(),
                sent=sent.is_set(),
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
    """What an own endpoint is called in the counters, which lie in the study's folder: by a digest."""
    return f"endpoint-{sha256(url.encode()).hexdigest()[:16]}"


def _used(result: Success[Any] | Failure | None) -> int | None:
    """Tokens that an attempt used; None where nobody knows: without usage, or where no answer came."""
    if isinstance(result, Success):
        told = getattr(result.value, "usage", None)
        counts = [getattr(told, name, None) for name in ("prompt_tokens", "completion_tokens")]
        return sum(n for n in counts if isinstance(n, int)) or None
    return 0 if result is not None and result.turned_away else None
