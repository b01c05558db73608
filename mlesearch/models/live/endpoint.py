"""Asking an endpoint whether it is there, for nothing: its list of models, before anything is run or paid for."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from mlesearch.models.live.bodies import mend
from mlesearch.models.live.connection import Fault, answer_fault, connection_fault
from mlesearch.models.live.errors import clean, shortened
from mlesearch.models.live.keys import provider_of
from mlesearch.models.live.params import LiveParams
from mlesearch.models.live.wire import Answer

TIMEOUT_S = 10.0
READ_BYTES = 4_000_000
NAMED = 8
"""So many models of a list are named."""

_URLS: Mapping[str, str] = {
    "anthropic": "https://api.anthropic.com/v1/models",
    "deepseek": "https://api.deepseek.com/models",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/models",
    "groq": "https://api.groq.com/openai/v1/models",
    "mistral": "https://api.mistral.ai/v1/models",
    "moonshot": "https://api.moonshot.ai/v1/models",
    "openai": "https://api.openai.com/v1/models",
    "openrouter": "https://openrouter.ai/api/v1/key",
    "xai": "https://api.x.ai/v1/models",
}
"""What a GET with the key answers for nothing, by litellm's prefix."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What an endpoint said.

    Attributes:
        answers: whether calls may be sent to it.
        text: what is wrong, or worth knowing; empty: nothing.
    """

    answers: bool
    text: str = ""


def ask(params: LiveParams, timeout_s: float = TIMEOUT_S) -> Heard | None:
    """Make the free request; None where no such request is known.

    Args:
        params: of the model.
        timeout_s: limit.
    """
    url = _url(params)
    if url is None:
        return None
    at = " at its api_base" if params.api_base is not None else ""
    try:
        answer = _get(url, _headers(params), timeout_s)
    except TimeoutError:
        return Heard(False, f"no answer within {timeout_s:g} s{at}")
    except OSError as error:
        reason = getattr(error, "reason", None)
        fault = connection_fault(reason if isinstance(reason, BaseException) else error) or Fault("no connection")
        advice = f": {fault.advice}" if fault.advice else ""
        return Heard(False, f"{fault.text}{at}{advice}")
    except ValueError as error:  # of the standard library: an answer that is no HTTP
        return Heard(False, f"what answers there is no web server ({type(error).__name__}){at}")
    return _read(answer, params, at)


def _url(params: LiveParams) -> str | None:
    provider = provider_of(params.model) or ""
    if params.api_base is not None:
        return f"{params.api_base}/models" if provider not in ("anthropic", "gemini") else None
    named = (f"{provider.upper()}_{name}" for name in ("BASE_URL", "API_BASE"))
    base = next((os.environ[name].rstrip("/") for name in named if "://" in os.environ.get(name, "")), None)
    if base is not None:
        return f"{base}/models" if provider == "openai" else None
    return _URLS.get(provider)


def _headers(params: LiveParams) -> dict[str, str]:
    key, provider = params.key.read(), provider_of(params.model)
    headers = {"Accept": "application/json", "User-Agent": "mlesearch"}
    if key is not None and provider == "anthropic":
        headers |= {"x-api-key": key, "anthropic-version": "2023-06-01"}
    elif key is not None and provider == "gemini":
        headers["x-goog-api-key"] = key
    elif key is not None:
        headers["Authorization"] = f"Bearer {key}"
    extra = params.extras.arguments().get("extra_headers")
    return {**headers, **extra} if isinstance(extra, dict) else headers


def _get(url: str, headers: Mapping[str, str], timeout_s: float) -> Answer:
    request = urllib.request.Request(url, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            status, body, kind = response.status, response.read(READ_BYTES), response.headers.get("Content-Type", "")
    except urllib.error.HTTPError as error:
        status, body, kind = error.code, error.read(READ_BYTES), error.headers.get("Content-Type", "")
    return Answer(status, str(kind).lower(), body, mend(body, ok=200 <= status < 300))


def _read(answer: Answer, params: LiveParams, at: str) -> Heard:
    said = clean(answer.body.decode(errors="replace"), params.secrets(), filter(None, [params.api_base]))
    if answer.status in (401, 403):
        by = params.key.found_in
        advice = f"export a valid key as {by}" if by else "name the key's variable in api_key_env"
        return Heard(False, f"the key is refused{at} (HTTP {answer.status}: {shortened(said)}); {advice}")
    if answer.status == 429 or (answer.status >= 500 and answer.status != 501):
        return Heard(False, f"HTTP {answer.status}{at}: {shortened(said)}")
    if answer.status >= 300:
        return Heard(True)  # it has no such path
    fault = answer_fault(answer)
    if fault is not None and not isinstance(answer.value, list):
        advice = f": {fault.advice}" if fault.advice else ""
        return Heard(not fault.lasting, f"{fault.text}{at}{advice}")
    names = _names(answer.value)
    wanted = params.model.partition("/")[2] or params.model
    if not names or wanted in names or params.model in names:
        return Heard(True)
    listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    return Heard(True, f"warning: its list of models has no {wanted!r}; it has {clean(listed, params.secrets())}")


def _names(value: object) -> list[str]:
    """Ids in a list of models."""
    listed = value.get("data", value.get("models")) if isinstance(value, dict) else value
    if not isinstance(listed, list):
        return []
    found = [item.get("id", item.get("name")) for item in listed if isinstance(item, dict)]
    return [name.removeprefix("models/") for name in found if isinstance(name, str)]
