"""What a provider's error means: worth another try, or which of our errors it is.

litellm's exceptions are read by their attributes (status, code, parameter, message, headers), so this needs no
import of it. Their classes alone don't do: an overloaded server (529) arrives as a generic APIError, an account
without credit as a rate limit, an overlong prompt as a bad request.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from mlesearch.models.protocol import (
    AuthFailed,
    BadRequest,
    ContentFilter,
    ContextOverflow,
    FatalModelError,
    QuotaExhausted,
    RetriesExhausted,
)
from mlesearch.models.retry import Failure

MESSAGE_CHARACTERS = 300
RETRYABLE_4XX = frozenset({408, 409, 425, 429, 499})

_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_QUOTA = re.compile(
    r"insufficient[_ ]quota|insufficient[_ ]balance|credit balance is too low|billing hard limit|out of credits"
    r"|requires more credits|account is not active",
    re.IGNORECASE,
)
_KEY = re.compile(r"api[_ ]key[_ ](?:not[_ ]valid|invalid)|invalid (?:x-)?api[- ]key", re.IGNORECASE)
_CONTEXT_CODES = frozenset({"context_length_exceeded", "string_above_max_length", "request_too_large"})
_CONTEXT = re.compile(
    r"maximum context length|context[ _](?:length|window)|prompt is too long|input token count.*exceeds"
    r"|exceeds the maximum number of tokens|input is too long|too many (?:input )?tokens|reduce the length",
    re.IGNORECASE | re.DOTALL,
)
_FILTER_CODES = frozenset({"content_filter", "content_policy_violation", "responsible_ai_policy_violation"})
_FILTER = re.compile(r"content management policy|content[_ ]policy|content[_ ]filter|safety system", re.IGNORECASE)
_UNSUPPORTED_CODES = frozenset({"unsupported_parameter", "unsupported_value"})
_RETRY_DELAY = re.compile(r'"?retryDelay"?:\s*"?(\d+(?:\.\d+)?)s')
_PREFIX = re.compile(r"^(?:litellm\.)?(?:\w+(?:Error|Exception|Timeout)\b(?:: | - ))+")


def classify(
    error: BaseException,
    *,
    key_variable: str = "",
    endpoint: str = "",
    droppable: Iterable[str] = (),
    secrets: Iterable[str] = (),
) -> Failure:
    """Read an exception that a call raised.

    Args:
        error: what was raised; a `TimeoutError` is our own limit on one attempt.
        key_variable: the environment variable that holds the key, for the advice; empty: none.
        endpoint: URL of the user's own endpoint; empty: the provider's.
        droppable: parameters of this call that may be left out if the provider does not take them.
        secrets: texts to blot out of the message.
    """
    status = _status(error)
    turned_away = status is not None and 400 <= status < 500 and status not in (408, 499)
    return replace(_failure(error, key_variable, endpoint, droppable, secrets), turned_away=turned_away)


def _failure(
    error: BaseException, key_variable: str, endpoint: str, droppable: Iterable[str], secrets: Iterable[str]
) -> Failure:
    at = f" at {endpoint}" if endpoint else ""
    if isinstance(error, TimeoutError):
        return Failure(RetriesExhausted, True, f"no answer within the time limit{at}")
    message = tidy(str(getattr(error, "message", None) or error), secrets)
    status = _status(error)
    codes = _codes(error)
    name = type(error).__name__
    said = f"{_label(status, name)}: {message}"
    if codes & _QUOTA_CODES or status == 402 or _QUOTA.search(message):
        where = f" of {key_variable}" if key_variable else ""
        return Failure(QuotaExhausted, False, f"no credit left ({said}); add credit to the account{where}, then resume")
    if status in (401, 403) or name == "AuthenticationError" or _KEY.search(message):
        advice = f"export a valid key as {key_variable}" if key_variable else "name the key's variable in api_key_env"
        return Failure(AuthFailed, False, f"the provider refuses the key ({said}); {advice}, then resume")
    if status == 404 or name == "NotFoundError":
        return Failure(FatalModelError, False, f"the provider does not have this model ({said}); correct its id")
    if status == 413 or name == "ContextWindowExceededError" or codes & _CONTEXT_CODES:
        return Failure(ContextOverflow, False, f"the prompt is too long ({said})")
    if name == "ContentPolicyViolationError" or codes & _FILTER_CODES:
        return Failure(ContentFilter, False, f"the provider refused the prompt ({said})")
    refused = status is not None and 400 <= status < 500 and status not in RETRYABLE_4XX
    if not refused:
        return Failure(RetriesExhausted, True, f"{said.rstrip('.')}{at}", retry_after_s(error, message))
    if _CONTEXT.search(message):
        return Failure(ContextOverflow, False, f"the prompt is too long ({said})")
    if _FILTER.search(message):
        return Failure(ContentFilter, False, f"the provider refused the prompt ({said})")
    unsupported = _unsupported(error, name, codes, message, droppable)
    return Failure(BadRequest, False, f"the provider refused the request ({said})", unsupported=unsupported)


def tidy(text: str, secrets: Iterable[str]) -> str:
    """One bounded line without secrets and without litellm's own prefixes."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[key]")
    text = " ".join(text.split())
    previous = None
    while text != previous:
        previous, text = text, _PREFIX.sub("", text)
    return text if len(text) <= MESSAGE_CHARACTERS else text[:MESSAGE_CHARACTERS] + " [...]"


def retry_after_s(error: BaseException, message: str) -> float | None:
    """Seconds that the server asks to wait: from Retry-After (seconds or a date), its -ms form, or Gemini's body."""
    headers = _headers(error)
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        if "retry-after" in headers:
            return _seconds_or_date(headers["retry-after"])
    except ValueError:
        return None
    delay = _RETRY_DELAY.search(message)
    return float(delay[1]) if delay else None


def _seconds_or_date(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    if not seconds < float("inf"):
        raise ValueError(text)
    return max(0.0, seconds)


def _headers(error: BaseException) -> Mapping[str, str]:
    response = getattr(error, "response", None)
    for found in (getattr(error, "litellm_response_headers", None), getattr(response, "headers", None)):
        if found:
            return {str(name).lower(): str(text) for name, text in dict(found).items()}
    return {}


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _codes(error: BaseException) -> frozenset[str]:
    """Machine-readable codes: the exception's own and those of the provider's body."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, Mapping) else {}
    places = [getattr(error, "code", None)]
    if isinstance(inner, Mapping):
        places += [inner.get("code"), inner.get("type")]
    return frozenset(code for code in places if isinstance(code, str))


def _label(status: int | None, name: str) -> str:
    return name if status is None else f"HTTP {status}"


def _unsupported(
    error: BaseException, name: str, codes: frozenset[str], message: str, droppable: Iterable[str]
) -> str | None:
    """The parameter to leave out, where the error is about one that the provider does not take."""
    if not (codes & _UNSUPPORTED_CODES or name == "UnsupportedParamsError"):
        return None
    named = getattr(error, "param", None)
    candidates = list(droppable)
    if named in candidates:
        return str(named)
    return next((p for p in candidates if re.search(rf"\b{p}\b", message)), None)
