"""What a provider's error means: worth another try, or which of our errors it is.

litellm's exceptions are read by their attributes (status, code, parameter, message, headers), so this needs no
import of it. Their classes alone don't do: an overloaded server (529) arrives as a generic APIError, an account
without credit as a rate limit, an overlong prompt as a bad request.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from mlesearch.models.attempt import Failure
from mlesearch.models.protocol import (
    AuthFailed,
    BadRequest,
    ContentFilter,
    ContextOverflow,
    FatalModelError,
    QuotaExhausted,
    RetriesExhausted,
)

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
    r"|exceeds the maximum number of tokens|input is too long|too many (?:input )?tokens|reduce the length"
    r"|request_too_large"  # Anthropic's 413, which litellm makes a 400
    r"|maximum prompt length"  # xAI
    r"|prompt exceeds max length"  # Z.ai
    r"|range of input length should be",  # DashScope
    re.IGNORECASE | re.DOTALL,
)
_FILTER_CODES = frozenset({"content_filter", "content_policy_violation", "responsible_ai_policy_violation"})
_FILTER = re.compile(
    r"content management policy|content[_ ]policy|content[_ ]filter|safety system"
    r"|content exists risk"  # DeepSeek
    r"|unsafe or sensitive content"  # Z.ai
    r"|may contain inappropriate content"  # DashScope
    r"|requires moderation|your input was flagged",  # OpenRouter
    re.IGNORECASE,
)
_UNSUPPORTED_CODES = frozenset({"unsupported_parameter", "unsupported_value"})
_RETRY_DELAY = re.compile(r'(?:"?retryDelay"?:\s*"?|\bretry in )(\d+(?:\.\d+)?)s\b')
_ADDRESS = re.compile(r"\('[0-9A-Fa-f.:]+', \d+[^)]*\)")  # of a socket, as the system's errors name it
_ERROR_STATUS = frozenset({"HTTPStatusError"})  # httpx, below all others: the provider answered with an error
_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})  # httpx: there was no connection
_GAVE_UP = frozenset({408, 499, 504, 524})  # the provider, or a proxy in front of it, in the middle of an answer
_PREFIX = re.compile(r"^(?:litellm\.)?(?:\w+(?:Error|Exception|Timeout)\b(?:: | - ))+")


def classify(
    error: BaseException,
    *,
    key_variable: str = "",
    own_endpoint: bool = False,
    droppable: Iterable[str] = (),
    secrets: Iterable[str] = (),
    urls: Iterable[str] = (),
    sent: bool = True,
) -> Failure:
    """Read an exception that a call raised.

    Args:
        error: what was raised; a `TimeoutError` is our own limit on one attempt.
        key_variable: the environment variable that holds the key, for the advice; empty: none.
        own_endpoint: the user's own, and not the provider's.
        droppable: parameters of this call that may be left out if the provider does not take them.
        secrets: texts to redact in the message.
        urls: of the user's own endpoints, redacted too: the message is kept in the run's folder.
        sent: whether the request was on its way.
    """
    status = _status(error)
    full = clean(str(getattr(error, "message", None) or error), secrets, urls)
    failure = _failure(error, full, key_variable, own_endpoint, droppable)
    turned_away = status is not None and 400 <= status < 500 and status not in (408, 499)
    cut_off = sent and failure.retryable and not turned_away and _cut_off(error, status)
    return replace(failure, turned_away=turned_away, cut_off=cut_off)


def _cut_off(error: BaseException, status: int | None) -> bool:
    """Whether an answer may have been begun: no error status came, or one that says that it was given up."""
    kinds = {kind.__name__ for cause in _causes(error) for kind in type(cause).__mro__}
    if kinds & _NEVER_SENT:
        return False
    return status in _GAVE_UP or not kinds & _ERROR_STATUS


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those that led to it."""
    met: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in met:
        met.append(cause)
        yield cause
        cause = cause.__cause__ or cause.__context__


def _failure(
    error: BaseException, full: str, key_variable: str, own_endpoint: bool, droppable: Iterable[str]
) -> Failure:
    at = " at its api_base" if own_endpoint else ""
    if isinstance(error, TimeoutError):
        return Failure(RetriesExhausted, True, f"no answer within the time limit{at}")
    status = _status(error)
    codes = _codes(error)
    name = type(error).__name__
    said = f"{_label(status, name)}: {shortened(full)}"
    refused_prompt = Failure(ContentFilter, False, f"the provider refused the prompt ({said})")
    if codes & _QUOTA_CODES or status == 402 or _QUOTA.search(full):
        where = f" of {key_variable}" if key_variable else ""
        return Failure(QuotaExhausted, False, f"no credit left ({said}); add credit to the account{where}, then resume")
    if status == 403 and (codes & _FILTER_CODES or _FILTER.search(full)):
        return refused_prompt
    if status in (401, 403) or name == "AuthenticationError" or _KEY.search(full):
        advice = f"export a valid key as {key_variable}" if key_variable else "name the key's variable in api_key_env"
        return Failure(AuthFailed, False, f"the provider refuses the key ({said}); {advice}, then resume")
    if status == 404 or name == "NotFoundError":
        return Failure(FatalModelError, False, f"the provider does not have this model ({said}); correct its id")
    if status == 413 or name == "ContextWindowExceededError" or codes & _CONTEXT_CODES:
        return Failure(ContextOverflow, False, f"the prompt is too long ({said})")
    if name == "ContentPolicyViolationError" or codes & _FILTER_CODES:
        return refused_prompt
    refused = status is not None and 400 <= status < 500 and status not in RETRYABLE_4XX
    if not refused:
        return Failure(RetriesExhausted, True, f"{said.rstrip('.')}{at}", retry_after_s(error, full))
    if _CONTEXT.search(full):
        return Failure(ContextOverflow, False, f"the prompt is too long ({said})")
    if _FILTER.search(full):
        return refused_prompt
    unsupported = _unsupported(error, name, codes, full, droppable)
    return Failure(BadRequest, False, f"the provider refused the request ({said})", unsupported=unsupported)


def clean(text: str, secrets: Iterable[str], urls: Iterable[str] = ()) -> str:
    """One line without secrets, without the user's own endpoints and without litellm's own prefixes."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[key]")
    for url in urls:
        text = _own(url).sub("[api_base]", text)
    text = " ".join(_ADDRESS.sub("(an address)", text).split())
    previous = None
    while text != previous:
        previous, text = text, _PREFIX.sub("", text)
    return text


def _own(url: str) -> re.Pattern[str]:
    """All spellings of an endpoint that an error may hold: the whole of it, its host and port, its host."""
    parts = urlsplit(url)
    spellings = "|".join(re.escape(s) for s in (url.rstrip("/"), parts.netloc, parts.hostname or "") if s)
    return re.compile(rf"(?<![\w.-])(?:{spellings})(?![\w-])", re.IGNORECASE)


def shortened(text: str) -> str:
    """As much of a message as is shown."""
    return text if len(text) <= MESSAGE_CHARACTERS else text[:MESSAGE_CHARACTERS] + " [...]"


def retry_after_s(error: BaseException, message: str) -> float | None:
    """Seconds that the server asks to wait: from Retry-After (seconds or a date), its -ms form, or the message."""
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
