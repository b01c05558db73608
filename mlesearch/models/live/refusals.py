"""What can be done about a request that a provider refuses: leave out a parameter, lower the limit, move the system text.

Only words and numbers are read here; who sends the request again is `mlesearch.models.live.client`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mlesearch.models.attempt import Change, LeaveOut, LowerLimit, MoveSystem
from mlesearch.models.live.words import REFUSES, SYSTEM

LEAST_ANSWER_TOKENS = 256
"""A limit below this (or below what was asked for, if that is less) holds no program: the prompt is too long instead."""

UNSUPPORTED_CODES = frozenset({"unsupported_parameter", "unsupported_value", "parameter_unknown"})

_SPELLINGS: Mapping[str, str] = {
    "temperature": r"temperature",
    "top_p": r"top[_ -]?p",
    "reasoning_effort": r"reasoning[_. ]?effort|thinking(?:[_ ]?(?:level|budget|config))?|reasoning",
    "max_tokens": r"max_tokens",
    "max_completion_tokens": r"max_completion_tokens",
    "encoding_format": r"encoding[_ ]?format",
    "dimensions": r"dimensions",
}
"""How a complaint may name a parameter; Gemini and xAI write them in camel case."""

_LIMIT = r"max[_ ]?(?:completion[_ ]?|new[_ ]?|output[_ ]?)?tokens|maximum tokens you requested|output tokens"
_N = r"([\d,]+)"


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a refusal says of sizes, in tokens.

    Attributes:
        window: prompt and answer together.
        prompt: this one; None where the number is no more than a lower bound.
    """

    window: int
    prompt: int | None


_WINDOWS = (
    # OpenAI, DeepSeek, older vLLM; OpenRouter; SGLang
    rf"maximum context length (?:is|of) {_N}[^(]{{0,160}}?\({_N} (?:in the messages|of text input|in your prompt)",
    rf"maximum context length (?:is|of) {_N} tokens.{{0,120}}?: {_N} tokens from the input",
    rf"maximum context length is {_N} tokens and your request has {_N} input tokens",  # vLLM
    rf"`inputs` tokens \+ `max_new_tokens` must be <= {_N}\. Given: {_N} `inputs`",  # TGI, Together
)
_WINDOWS_REVERSED = (
    rf"exceed context limit: {_N} \+ [\d,]+ > {_N}",  # Anthropic
    rf"prompt contains {_N} tokens and [\d,]+ draft tokens, too large for model with {_N}",  # Mistral
)
_WINDOW_AT_LEAST = rf"maximum context length is {_N} tokens.{{0,60}}?requested [\d,]+ output tokens"  # newer vLLM

_CEILINGS = (
    rf"supports at most {_N} completion tokens",  # OpenAI
    rf"max_tokens: [\d,]+ > {_N}",  # Anthropic
    rf"valid range of max_tokens is \[\d+, ?{_N}\]",  # DeepSeek
    rf"(?:{_LIMIT}).{{0,80}}?(?:less than or equal to|at most|<=|cannot exceed|not exceed|model limit of|up to)[^\d]{{0,12}}{_N}",
    rf"(?:{_LIMIT}).{{0,80}}?(?:between|in|range of|range)[^\d]{{0,12}}\d+ ?(?:,|and|to|-) ?{_N}",
)
_BELOW = rf"(?:{_LIMIT}) value of [\d,]+ .{{0,60}}?to {_N} \(exclusive\)"  # Gemini
_TOGETHER = re.compile(r"both|together|same time|simultaneous|同时", re.I)
_SOME_LIMIT = re.compile(
    rf"(?:{_LIMIT}).{{0,120}}?(?:too (?:large|big|high)|exceeds?|must be|maximum|range|limit|illegal|invalid)", re.I
)


def sizes(text: str) -> Sizes | None:
    """Window and prompt, where a refusal names both and is about their sum with the answer's limit."""
    for pattern in _WINDOWS:
        if found := re.search(pattern, text, re.I | re.S):
            return Sizes(_number(found[1]), _number(found[2]))
    for pattern in _WINDOWS_REVERSED:
        if found := re.search(pattern, text, re.I | re.S):
            return Sizes(_number(found[2]), _number(found[1]))
    if found := re.search(_WINDOW_AT_LEAST, text, re.I | re.S):
        return Sizes(_number(found[1]), None)
    return None


def lower_limit(text: str, asked: int | None, own_count: int) -> LowerLimit | None:
    """The limit that fits, where a refusal is about the limit on the answer; None where it is not, or nothing fits.

    Args:
        text: of the refusal.
        asked: the limit that was sent; None: none was.
        own_count: tokens of the prompt by our own count, for refusals that don't name them.
    """
    if asked is None:
        return None
    found = sizes(text)
    if found is not None:
        room = found.window - (found.prompt if found.prompt is not None else own_count)
        return LowerLimit(room) if min(asked, LEAST_ANSWER_TOKENS) <= room < asked else None
    if match := re.search(_BELOW, text, re.I | re.S):
        return LowerLimit(_number(match[1]) - 1, always=True)
    for pattern in _CEILINGS:
        if match := re.search(pattern, text, re.I | re.S):
            ceiling = _number(match[1])
            return LowerLimit(ceiling, always=True) if 1 <= ceiling < asked else None
    if _SOME_LIMIT.search(text) and asked > LEAST_ANSWER_TOKENS:
        smaller = [n for n in map(_number, re.findall(r"\b\d[\d,]*\b", text)) if LEAST_ANSWER_TOKENS <= n < asked]
        return LowerLimit(max(smaller, default=None), always=True)
    return None


def change_for(
    text: str,
    codes: frozenset[str],
    named: object,
    droppable: Mapping[str, object],
    own_count: int,
    has_system: bool,
) -> Change | None:
    """How a refused request may be sent again; None where nothing is known.

    Args:
        text: of the refusal.
        codes: machine-readable, of its body.
        named: the parameter that its body names.
        droppable: parameters of this call that may be left out, with what was sent.
        own_count: tokens of the prompt by our own count.
        has_system: whether it holds a system text.
    """
    if has_system and SYSTEM.search(text):
        return MoveSystem()
    asked = next((n for k in ("max_tokens", "max_completion_tokens") if isinstance(n := droppable.get(k), int)), None)
    renamed = re.search(r"unsupported parameter.{0,40}max_tokens|use 'max_completion_tokens' instead", text, re.I)
    if not renamed and (_SOME_LIMIT.search(text) or sizes(text) is not None):
        return lower_limit(text, asked, own_count)
    if not (codes & UNSUPPORTED_CODES or REFUSES.search(text)):
        return None
    if isinstance(named, str) and named in droppable:
        return LeaveOut(named)
    places = dict(_places(text, droppable, limits=bool(renamed)))
    if {"temperature", "top_p"} <= places.keys() and _TOGETHER.search(text):
        return LeaveOut("top_p")
    return LeaveOut(min(places, key=lambda name: (places[name], name))) if places else None


def _places(text: str, droppable: Iterable[str], *, limits: bool) -> Iterator[tuple[str, int]]:
    """Parameters that a text names, each with where it does; a limit, which keeps costs low, only where it has to go."""
    for name in droppable:
        if name.startswith("max_") and not limits:
            continue
        found = re.search(rf"(?<![A-Za-z])(?:{_SPELLINGS.get(name, re.escape(name))})(?![A-Za-z])", text, re.I)
        if found:
            yield name, found.start()


def _number(text: str) -> int:
    return int(text.replace(",", "") or 0)
