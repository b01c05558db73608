"""What makes the key of a recorded call: its address, the replicate seed, the model, the parameters, the prompt.

Keys, URLs, time limits and retries are no part of it. The address is the call's path within its run, not an arrival
counter: the order in which calls came changes nothing, and two calls with one prompt stay two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict

from mlesearch.models.fitting import WINDOW, fit
from mlesearch.models.protocol import EmbedRequest, Message, Request, Sampling
from mlesearch.models.token_count import prompt_bytes
from mlesearch.storage.codec import Json, dumps

_NOT_SENT = ("defaults", "max_output_tokens", "context_window", "price")
"""Of a model's identity: what stands in the parameters or in the prompt already, or decides nothing of a reply."""


def prompt_digest(messages: tuple[Message, ...]) -> str:
    """sha256 of a prompt: the name of its blob in the run's folder."""
    text = dumps([[m.role, m.content] for m in messages])
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def answers_as(identity: Mapping[str, object]) -> Json:
    """The part of a model's identity that decides its replies, with the parameters that are sent."""
    return {name: value for name, value in identity.items() if name not in _NOT_SENT}


def sent(identity: Mapping[str, object], asked: Sampling) -> Json:
    """The parameters of a call after mapping: the model's own where a request leaves them open, below its ceiling."""
    found = {name: value for name, value in asdict(asked).items() if value is not None}
    defaults, ceiling = identity.get("defaults"), identity.get("max_output_tokens")
    if isinstance(defaults, Mapping):
        found = {**{name: value for name, value in defaults.items() if value is not None}, **found}
    if isinstance(ceiling, int):
        found["max_tokens"] = min(found["max_tokens"], ceiling)
    return found


def call_fields(identity: Mapping[str, object], request: Request) -> Json:
    """What makes the key of a call."""
    parameters, window = sent(identity, request.sampling), identity.get("context_window")
    if isinstance(window, int):  # it may lower the limit on the answer
        fitted = fit(parameters["max_tokens"], prompt_bytes(request.messages), None, window)
        if fitted.why == WINDOW:
            parameters["max_tokens"] = fitted.limit_tokens
    return {
        "kind": "call",
        "address": str(request.address),
        "entropy": request.entropy,
        "model": answers_as(identity),
        "parameters": parameters,
        "prompt": prompt_digest(request.messages),
    }


def embed_fields(embedder: str, request: EmbedRequest) -> Json:
    """What makes the key of an embedding."""
    texts = hashlib.sha256(dumps(list(request.texts)).encode(errors="surrogatepass")).hexdigest()
    return {"kind": "embedding", "address": str(request.address), "embedder": embedder, "texts": texts}
