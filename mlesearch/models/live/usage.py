"""What an answer used: the provider's report, held against itself and against what was sent and received.

A report that does not add up is never believed where it is the cheaper reading. What is not reported at all has an
unknown cost, which budgets charge at its worst case; its tokens are our own count, so that budgets of tokens end too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypedDict, Unpack

from mlesearch.models.live.bodies import count
from mlesearch.models.price import OVERHEAD_TOKENS
from mlesearch.models.token_count import least_count, typical_count

NONSENSE_TOKENS = 1_000_000
"""A report that is so much above the most that a call can use says nothing."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was sent and received, by our own count.

    Attributes:
        prompt_bytes: of all messages.
        answer_bytes: of the text, and of the reasoning where it is shown.
        limit_tokens: the most that was asked for.
    """

    prompt_bytes: int
    answer_bytes: int
    limit_tokens: int


class _Numbers(TypedDict, total=False):
    """Of `Counted`, what may turn out to be another."""

    prompt: int
    output: int
    cached: int
    written: int
    reasoning: int
    known: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """Tokens of a call.

    Attributes:
        prompt: of the prompt, cached ones included.
        output: of the answer, reasoning included.
        cached: of the prompt, read from a cache.
        written: of the prompt, put into a cache.
        reasoning: of the answer, not shown.
        known: whether a cost can be made of them.
        adjusted: whether a number was put in place of a reported one.
        notes: what does not add up, in a few words.
    """

    prompt: int = 0
    output: int = 0
    cached: int = 0
    written: int = 0
    reasoning: int = 0
    known: bool = True
    adjusted: bool = False
    notes: tuple[str, ...] = ()

    def saying(self, note: str, **changes: Unpack[_Numbers]) -> Counted:
        """With other numbers, and why."""
        return replace(self, adjusted=True, notes=(*self.notes, note), **changes)


def counted(told: object, raw: object, exchange: Exchange) -> Counted:
    """Read a report.

    Args:
        told: the usage as litellm has it; None: none.
        raw: as the provider sent it, where it answers in OpenAI's form.
        exchange: what was sent and received.
    """
    total, c = _reported(told, raw)
    c = _added_up(c, total, exchange)
    c = _missing(c, exchange)
    return _against_texts(c, exchange)


def _reported(told: object, raw: object) -> tuple[int, Counted]:
    usage: Mapping[str, object] = raw if isinstance(raw, Mapping) else {}
    if not usage.keys() & {"prompt_tokens", "completion_tokens", "total_tokens"}:
        names = ("prompt_tokens", "completion_tokens", "total_tokens", "cache_creation_input_tokens")
        usage = {**{name: getattr(told, name, None) for name in names}, **_aliased(usage)}
    inputs = _details(usage, told, "prompt_tokens_details")
    outputs = _details(usage, told, "completion_tokens_details")
    # one number under several names: OpenAI's, that of litellm's older versions, Anthropic's
    written = (inputs.get("cache_write_tokens"), inputs.get("cache_creation_tokens"))
    creation = usage.get("cache_creation_input_tokens") or getattr(told, "cache_creation_input_tokens", None)
    hit = usage.get("prompt_cache_hit_tokens")  # DeepSeek's
    return count(usage.get("total_tokens")) or 0, Counted(
        prompt=count(usage.get("prompt_tokens")) or 0,
        output=count(usage.get("completion_tokens")) or 0,
        cached=max(count(inputs.get("cached_tokens")) or 0, count(hit) or 0),
        written=max(count(n) or 0 for n in (*written, creation)),
        reasoning=count(outputs.get("reasoning_tokens")) or 0,
    )


def _aliased(usage: Mapping[str, object]) -> dict[str, object]:
    """Counts under the names that others give them."""
    names = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    return {names[name]: value for name, value in usage.items() if name in names and value is not None}


def _details(usage: Mapping[str, object], told: object, name: str) -> Mapping[str, object]:
    raw = usage.get(name)
    if isinstance(raw, Mapping):
        return raw
    held = getattr(told, name, None)
    names = ("cached_tokens", "cache_write_tokens", "cache_creation_tokens", "reasoning_tokens")
    return {} if held is None else {n: getattr(held, n, None) for n in names}


def _added_up(c: Counted, total: int, exchange: Exchange) -> Counted:
    """The sums of a report: what is outside the answer's tokens belongs to them."""
    if total and not c.prompt and not c.output:
        prompt = min(total, max(1, least_count(exchange.prompt_bytes)))
        c = c.saying(
            "the usage has a total alone: what is above the least prompt counts as answer",
            prompt=prompt,
            output=total - prompt,
        )
    elif total > c.prompt + c.output and c.prompt:
        c = c.saying("the usage's total is above its sum: the rest counts as answer", output=total - c.prompt)
    if c.reasoning > c.output:
        c = c.saying("the reasoning is outside the answer's tokens: it was added", output=c.output + c.reasoning)
    if c.cached > c.prompt > 0:
        c = c.saying("more cached tokens than the prompt has: none count as cached", cached=0)
    if c.written > c.prompt - c.cached:
        c = replace(c, written=max(0, c.prompt - c.cached))
    return c


def _missing(c: Counted, exchange: Exchange) -> Counted:
    """Counts that were not reported: ours, and the cost is unknown."""
    no_prompt = c.prompt <= 0
    no_output = c.output <= 0 < exchange.answer_bytes
    if not (no_prompt or no_output):
        return c
    what = "usage" if no_prompt and no_output else "prompt tokens" if no_prompt else "tokens of the answer"
    prompt = typical_count(exchange.prompt_bytes) if no_prompt else c.prompt
    output = typical_count(exchange.answer_bytes) if no_output else c.output
    return c.saying(
        f"the server reports no {what}: tokens are our own count", prompt=prompt, output=output, known=False
    )


def _against_texts(c: Counted, exchange: Exchange) -> Counted:
    """Counts that can't be of these texts: far too few, or beyond all measure."""
    most = exchange.prompt_bytes + OVERHEAD_TOKENS
    if c.prompt < least_count(exchange.prompt_bytes):
        own = typical_count(exchange.prompt_bytes)
        c = c.saying(
            f"the server reports {c.prompt} tokens for a prompt of about {own}: it cut the prompt silently, or counts "
            "wrongly; its context window may be too small",
            prompt=own,
        )
    elif c.prompt > most + NONSENSE_TOKENS:
        c = c.saying("the server reports more prompt tokens than can be: the most that can be counts", prompt=most)
    if c.output < least_count(exchange.answer_bytes):
        own = typical_count(exchange.answer_bytes)
        c = c.saying(f"the server reports {c.output} tokens for an answer of about {own}: ours count", output=own)
    elif c.output > exchange.limit_tokens + NONSENSE_TOKENS:
        limit = max(exchange.limit_tokens, typical_count(exchange.answer_bytes))
        c = c.saying("the server reports a longer answer than can be: the limit counts", output=limit)
    return replace(c, reasoning=min(c.reasoning, c.output), cached=min(c.cached, c.prompt))
