"""Live models: any provider that litellm reaches, and any OpenAI-compatible endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlesearch.models.fitting import WINDOW, Fit, fit
from mlesearch.models.live.answers import said
from mlesearch.models.live.base import LiveCaller
from mlesearch.models.live.blot import blot
from mlesearch.models.live.client import Answered, Deadline
from mlesearch.models.live.params import LiveParams, read_live
from mlesearch.models.live.price_map import map_cost_nusd
from mlesearch.models.live.usage import Counted, Exchange, counted
from mlesearch.models.price import price_to_json
from mlesearch.models.protocol import BeforeRetry, ContextOverflow, Reply, Request, Sampling
from mlesearch.models.token_count import careful_count, prompt_bytes, text_bytes
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
            **self.params.extras.identity(),
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
        size_bytes = prompt_bytes(request.messages)
        fitted = self._fit(request.sampling.max_tokens, size_bytes)
        if fitted.limit_tokens is None:
            raise ContextOverflow(f"{self._client.owner}: the prompt is too long: {fitted.why}; nothing was sent")
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        answered = self._client.call(
            {"messages": messages},
            self._sampling(request.sampling, fitted.limit_tokens),
            Deadline(request.deadline_s, "model.call_timeout_s"),
            request.worst_case(self.price, self.params.max_output_tokens),
            before_retry,
            careful_count(size_bytes),
            self.price,
        )
        return self._reply(answered, request.sampling.max_tokens, fitted, size_bytes)

    def _fit(self, asked: int, size_bytes: int) -> Fit:
        return fit(asked, size_bytes, self.params.max_output_tokens, self.params.context_window)

    def _sampling(self, asked: Sampling, limit_tokens: int) -> dict[str, object]:
        own = self.params
        pairs: dict[str, object] = {
            "temperature": own.temperature if asked.temperature is None else asked.temperature,
            "top_p": own.top_p if asked.top_p is None else asked.top_p,
            "max_tokens": limit_tokens,
            "reasoning_effort": own.reasoning_effort if asked.reasoning_effort is None else asked.reasoning_effort,
        }
        return {name: value for name, value in pairs.items() if value is not None}

    def _reply(self, answered: Answered, asked: int, fitted: Fit, size_bytes: int) -> Reply:
        answer = answered.wire.answer
        found = said(answered.response, None if answer is None else answer.value)
        sent = answered.limit_tokens
        exchange = Exchange(
            size_bytes, text_bytes(found.text) + text_bytes(found.reasoning), asked if sent is None else sent
        )
        tokens = counted(getattr(answered.response, "usage", None), answered.wire.usage, exchange)
        usage = self._usage(answered, tokens)
        secrets = self.params.secrets()
        if found.problem is not None:
            raise found.problem(f"{self._client.owner}: {blot(found.problem_text, secrets)}", usage)
        notes = (*self._fit_notes(fitted, asked), *answered.notes, *tokens.notes)
        more = self._fit(2 * asked, size_bytes).limit_tokens
        bound = sent is not None and (sent < (fitted.limit_tokens or 0) or (more or 0) <= sent)
        return Reply(
            text=blot(found.text, secrets, whole=True),
            finish=found.finish,
            usage=usage,
            model=blot(str(getattr(answered.response, "model", None) or self.params.model), secrets),
            dropped=answered.dropped,
            notes=notes,
            limit_tokens=sent if found.finish == "length" and bound else None,
        )

    @staticmethod
    def _fit_notes(fitted: Fit, asked: int) -> Iterator[str]:
        if fitted.why == WINDOW:
            yield f"max_tokens lowered from {asked} to {fitted.limit_tokens}, what context_window leaves"

    def _usage(self, answered: Answered, tokens: Counted) -> Usage:
        return Usage(
            calls=1,
            input_tokens=tokens.prompt,
            cached_tokens=tokens.cached,
            output_tokens=tokens.output,
            reasoning_tokens=tokens.reasoning,
            cost_nusd=self._cost_nusd(answered.response, tokens),
            service_us=answered.service_us,
            wait_us=answered.wait_us,
            lost_nusd=answered.lost_nusd,
        )

    def _cost_nusd(self, response: Any, tokens: Counted) -> int | None:
        if not tokens.known:  # a server that reports no usage has not answered for nothing
            return 0 if self._free else None
        own = self.price
        if self.params.price is not None or own is None:
            return None if own is None else own.cost_nusd(tokens.prompt, tokens.output, tokens.cached, tokens.written)
        by_map = map_cost_nusd(response, self.params.model)
        if by_map is None or not tokens.adjusted:
            return by_map
        return max(by_map, own.cost_nusd(tokens.prompt, tokens.output, tokens.cached, tokens.written))


def make(name: str, params: Mapping[str, object]) -> LitellmModel:
    """A live model from its file's parameters.

    Args:
        name: logical name.
        params: `model` (litellm's id), and optionally `api_key_env`, `api_base`, `price`, `timeout_s`,
            `max_retries`, `backoff`, `limits`, `temperature`, `top_p`, `reasoning_effort`,
            `max_output_tokens`, `context_window`, `extra_body`, `headers`, `headers_env`, `provider`.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    return LitellmModel(name, read_live(f"model {name!r}", params))
