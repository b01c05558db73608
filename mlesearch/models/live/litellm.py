"""Live models: any provider that litellm reaches, and any OpenAI-compatible endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlesearch.models.live.base import LiveCaller
from mlesearch.models.live.client import Answered
from mlesearch.models.live.params import LiveParams, read_live
from mlesearch.models.live.price_map import map_cost_nusd
from mlesearch.models.price import price_to_json
from mlesearch.models.protocol import BeforeRetry, ContentFilter, EmptyReply, Reply, Request, Sampling
from mlesearch.types import Usage

KIND = "litellm"


class LitellmModel(LiveCaller):
    """A model that is paid for.

    Args:
        name: its logical name.
        params: as `read_live` gives them.
    """

    simulated = False

    def __init__(self, name: str, params: LiveParams) -> None:
        self.name = name
        super().__init__(f"model {name!r}", params, "acompletion")
        self._free = params.price is not None and not any(price_to_json(params.price).values())

    def __repr__(self) -> str:
        return f"LitellmModel({self.name!r}, {self.params.model!r})"

    @property
    def context_window(self) -> int | None:
        """Tokens of prompt and answer together; None: not declared."""
        return self.params.context_window

    def identity(self) -> Mapping[str, object]:
        """All that changes its replies or what they count for: no key, URL, time limit or retry setting."""
        return {
            "kind": KIND,
            "model": self.params.model,
            "defaults": {
                "temperature": self.params.temperature,
                "top_p": self.params.top_p,
                "reasoning_effort": self.params.reasoning_effort,
            },
            "max_output_tokens": self.params.max_output_tokens,
            "context_window": self.params.context_window,
            "price": price_to_json(self.params.price) if self.params.price else None,
        }

    def check(self) -> None:
        """See that there is a key, and ask for the price where none is declared.

        Raises:
            ConfigError: no key; says which variable to export.
        """
        super().check()
        _ = self.price

    def complete(self, request: Request) -> Reply:
        """One call, with retries.

        Where a sampling parameter of the request is None, the model's own declared one is sent.

        Raises:
            ModelUnavailable: a subclass that says why.
        """
        return self._complete(request, None)

    def complete_retrying(self, request: Request, before_retry: BeforeRetry) -> Reply:
        """As `complete`; `before_retry` is called before an attempt that follows one which was cut off.

        Raises:
            ModelUnavailable: a subclass that says why.
            MlesearchError: what `before_retry` raised.
        """
        return self._complete(request, before_retry)

    def _complete(self, request: Request, before_retry: BeforeRetry | None) -> Reply:
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        answered = self._client.call(
            {"messages": messages},
            self._sampling(request.sampling),
            request.deadline_s,
            request.worst_case(self.price, self.params.max_output_tokens),
            before_retry,
        )
        return self._reply(answered)

    def _sampling(self, asked: Sampling) -> dict[str, object]:
        own = self.params
        ceiling = own.max_output_tokens
        pairs: dict[str, object] = {
            "temperature": own.temperature if asked.temperature is None else asked.temperature,
            "top_p": own.top_p if asked.top_p is None else asked.top_p,
            "max_tokens": asked.max_tokens if ceiling is None else min(asked.max_tokens, ceiling),
            "reasoning_effort": own.reasoning_effort if asked.reasoning_effort is None else asked.reasoning_effort,
        }
        return {name: value for name, value in pairs.items() if value is not None}

    def _reply(self, answered: Answered) -> Reply:
        response = answered.response
        usage = self._usage(answered)
        choices = getattr(response, "choices", None) or []
        if not choices:
            raise EmptyReply(f"model {self.name!r}: the answer holds no choices", usage)
        finish = str(choices[0].finish_reason or "stop")
        message = choices[0].message
        text = message.content if isinstance(message.content, str) else ""
        if not text.strip() and finish != "length":
            if finish == "content_filter" or _refusal(message):
                raise ContentFilter(f"model {self.name!r}: the provider withheld the answer", usage)
            raise EmptyReply(f"model {self.name!r}: the answer holds no text (finish reason {finish!r})", usage)
        return Reply(
            text=text,
            finish=finish if finish in ("length", "content_filter") else "stop",
            usage=usage,
            model=str(getattr(response, "model", None) or self.params.model),
            dropped=answered.dropped,
        )

    def _usage(self, answered: Answered) -> Usage:
        told = getattr(answered.response, "usage", None)
        prompt = _count(told, "prompt_tokens")
        output = _count(told, "completion_tokens")
        details = getattr(told, "prompt_tokens_details", None)
        cached = min(prompt, _count(details, "cached_tokens"))
        # one number under several names: OpenAI's, that of litellm's older versions, Anthropic's
        counts = _count(details, "cache_write_tokens"), _count(details, "cache_creation_tokens")
        written = min(prompt - cached, max(*counts, _count(told, "cache_creation_input_tokens")))
        reasoning = min(output, _count(getattr(told, "completion_tokens_details", None), "reasoning_tokens"))
        return Usage(
            calls=1,
            input_tokens=prompt,
            cached_tokens=cached,
            output_tokens=output,
            reasoning_tokens=reasoning,
            cost_nusd=self._cost_nusd(answered.response, prompt, output, cached, written),
            service_us=answered.service_us,
            wait_us=answered.wait_us,
            lost_nusd=answered.lost_nusd,
        )

    def _cost_nusd(self, response: Any, prompt: int, output: int, cached: int, written: int) -> int | None:
        declared = self.params.price
        if prompt <= 0 and not self._free:  # a server that reports no usage has not answered for nothing
            return None
        if declared is not None:
            return declared.cost_nusd(prompt, output, cached, written)
        return None if self.price is None else map_cost_nusd(response, self.params.model)


def make(name: str, params: Mapping[str, object]) -> LitellmModel:
    """A live model from its file's parameters.

    Args:
        name: logical name.
        params: `model` (litellm's id), and optionally `api_key_env`, `api_base`, `price`, `timeout_s`,
            `max_retries`, `backoff`, `limits`, `temperature`, `top_p`, `reasoning_effort`,
            `max_output_tokens`, `context_window`.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    return LitellmModel(name, read_live(f"model {name!r}", params))


def _refusal(message: Any) -> bool:
    fields = getattr(message, "provider_specific_fields", None) or {}
    return bool(getattr(message, "refusal", None) or fields.get("refusal"))


def _count(holder: Any, name: str) -> int:
    value = getattr(holder, name, None)
    return max(0, value) if isinstance(value, int) else 0
