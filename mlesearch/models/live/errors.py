"""What a provider's error means: which of our errors it is, whether to try again, and what may be altered to pass.

litellm's exceptions are read by their attributes (status, code, parameter, message, headers), so this needs no
import of it. Their classes alone don't do: an overloaded server (529) arrives as a generic APIError, an account
without credit as a rate limit, an overlong prompt as a bad request, a refused connection as an error 500. So what came
over the wire (`mlesearch.models.live.wire`) counts before what litellm made of it.

An error of key, quota, model name or URL ends the model's runs; one that may pass is waited for; every other refusal
belongs to the prompt, and costs a step at most.
"""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from mlesearch.models.attempt import Failure
from mlesearch.models.live.blot import blot
from mlesearch.models.live.connection import NEVER_SENT, NoAnswer, answer_fault, causes, connection_fault
from mlesearch.models.live.refusals import change_for
from mlesearch.models.live.wire import HttpAnswer
from mlesearch.models.live.words import (
    CONTEXT,
    CONTEXT_CODES,
    FILTER,
    FILTER_CODES,
    FIREWALL,
    KEY,
    KEY_OR_RIGHTS,
    MODEL,
    MODEL_CODES,
    QUOTA,
    QUOTA_CODES,
    RETRY_DELAY,
    TOO_LARGE_FOR_RATE,
    URL,
)
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
READ_CHARACTERS = 65_536
"""So much of a message is read."""
RETRYABLE_4XX = frozenset({408, 409, 423, 424, 425, 429, 499})

_REPEATED = frozenset({"input", "inputs", "prompt", "messages", "content", "flagged_input", "ctx", "url"})
"""Fields of an error in which servers repeat what they were sent."""

_ADDRESS = re.compile(r"\('[0-9A-Fa-f.:]+', \d+[^)]*\)")  # of a socket, as the system's errors name it
_ERROR_STATUS = frozenset({"HTTPStatusError"})  # httpx, below all others: the provider answered with an error
_GAVE_UP = frozenset({408, 499, 504, 524})  # the provider, or a proxy in front of it, in the middle of an answer
_OVERLOADED = frozenset({503, 529})
_PREFIX = re.compile(r"^(?:litellm\.)?(?:\w+(?:Error|Exception|Timeout)\b(?:: | - ))+")


@dataclass(frozen=True, slots=True)
class Attempted:
    """What an attempt sent, and whose it is.

    Attributes:
        key_variable: the environment variable that holds the key, for the advice; empty: none.
        own_endpoint: the user's own, and not the provider's.
        droppable: parameters that may be altered or left out, with what was sent.
        secrets: texts to blot out in the message.
        urls: of the user's own endpoints, redacted too: the message is kept in the run's folder.
        sent: whether the request was on its way.
        prompt_tokens: by our own count.
        has_system: whether the messages hold a system text.
        time_limit: how long was waited, and what sets it, in words.
    """

    key_variable: str = ""
    own_endpoint: bool = False
    droppable: Mapping[str, object] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    sent: bool = True
    prompt_tokens: int = 0
    has_system: bool = False
    time_limit: str = ""

    @property
    def at(self) -> str:
        """Where, in words."""
        return " at its api_base" if self.own_endpoint else ""


NOTHING_ATTEMPTED = Attempted()


def classify(error: BaseException, asked: Attempted = NOTHING_ATTEMPTED, answer: HttpAnswer | None = None) -> Failure:
    """Read an exception that a call raised.

    Args:
        error: what was raised; a `TimeoutError` is our own limit on one attempt.
        asked: what was sent.
        answer: what came over the wire, if anything.
    """
    status = answer.status if answer is not None and answer.status >= 300 else _status(error)
    body = {} if answer is None else _fields(answer)
    full = clean(f"{getattr(error, 'message', None) or error}", asked.secrets, asked.urls)
    failure = _failure(error, full, status, body, asked, answer)
    turned_away = status is not None and 400 <= status < 500 and status not in (408, 499)
    cut_off = asked.sent and not turned_away and _cut_off(error, status, answer, failure)
    broke = answer is not None and answer.status >= 500 and answer.status not in _OVERLOADED
    at_prompt = failure.error is RetriesExhausted and asked.sent and not turned_away and (cut_off or broke)
    return replace(failure, turned_away=turned_away, cut_off=cut_off, at_prompt=at_prompt)


def _cut_off(error: BaseException, status: int | None, answer: HttpAnswer | None, failure: Failure) -> bool:
    """Whether an answer may have been begun: no error status came, or one that says that it was given up."""
    kinds = {kind.__name__ for cause in causes(error) for kind in type(cause).__mro__}
    if kinds & NEVER_SENT:
        return False
    if not failure.retryable:
        return status in (408, 499)
    if answer is not None and answer.status < 300 and answer.readable:
        return False  # an error, sent with a status of success
    return status in _GAVE_UP or not kinds & _ERROR_STATUS


def _failure(
    error: BaseException,
    full: str,
    status: int | None,
    body: Mapping[str, object],
    asked: Attempted,
    answer: HttpAnswer | None,
) -> Failure:
    if isinstance(error, TimeoutError) or (answer is None and type(error).__name__ == "Timeout"):
        return Failure(RetriesExhausted, True, f"no answer within {asked.time_limit or 'the time limit'}{asked.at}")
    fault = connection_fault(error) if answer is None else answer_fault(answer)
    if fault is not None:
        return _of_fault(fault, asked)
    codes, name = _codes(error, body), type(error).__name__
    # what a body repeats of the prompt says nothing of the refusal, and may hold any word
    text = clean(" ".join(_words(body)), asked.secrets, asked.urls) if body else full
    if answer is not None and answer.status < 300:  # an error, sent with a status of success
        full = clean(f"HTTP {answer.status}: {_said(body)}", asked.secrets, asked.urls)
        said = shortened(full)
    else:
        said = f"{_label(status, name)}: {shortened(full)}"
    lasting = _lasting(text, status, codes, name, said, asked, body)
    if lasting is not None:
        return lasting
    refused = status is not None and 400 <= status < 500 and status not in RETRYABLE_4XX
    if status == 429 or not refused:
        told = _of_prompt_after_all(text, status, codes, said, error, asked)
        return told or _to_wait_for(text, status, said, error, full, asked)
    return _of_prompt(text, status, codes, name, said, error, body, asked)


def _of_fault(fault: NoAnswer, asked: Attempted) -> Failure:
    text = f"{fault.text}{asked.at}{f': {fault.advice}' if fault.advice else ''}"
    return Failure(FatalModelError, False, text) if fault.lasting else Failure(RetriesExhausted, True, text)


def _lasting(
    text: str,
    status: int | None,
    codes: frozenset[str],
    name: str,
    said: str,
    asked: Attempted,
    body: Mapping[str, object],
) -> Failure | None:
    """A fault of key, quota, model or URL, which ends the model's runs."""
    if codes & QUOTA_CODES or status == 402 or QUOTA.search(text):
        where = f" of {asked.key_variable}" if asked.key_variable else ""
        return Failure(QuotaExhausted, False, f"no credit left ({said}); add credit to the account{where}, then resume")
    if status == 403 and (codes & FILTER_CODES or FILTER.search(text)):
        return Failure(ContentFilter, False, f"the provider refused the prompt ({said})")
    if status == 403 and body and (FIREWALL.search(text) or not KEY_OR_RIGHTS.search(text)):
        return Failure(BadRequest, False, f"something in front of the provider refused the request ({said})")
    if status in (401, 403) or name == "AuthenticationError" or (_refused(status) and KEY.search(text)):
        by = asked.key_variable
        advice = f"export a valid key as {by}" if by else "name the key's variable in api_key_env"
        return Failure(AuthFailed, False, f"the provider refuses the key ({said}); {advice}, then resume")
    if (
        status in (404, 410)
        or name == "NotFoundError"
        or (_refused(status) and (codes & MODEL_CODES or MODEL.search(text)))
    ):
        also = ", or the URL" if asked.own_endpoint else ""
        return Failure(FatalModelError, False, f"the provider does not have this model ({said}); correct its id{also}")
    if status in (405, 407, 421) or URL.search(text):
        return Failure(
            FatalModelError, False, f"nothing answers calls of a model there ({said}); correct the URL{asked.at}"
        )
    return None


def _refused(status: int | None) -> bool:
    return status is not None and (status < 300 or (400 <= status < 500 and status != 429))


def _of_prompt(
    text: str,
    status: int | None,
    codes: frozenset[str],
    name: str,
    said: str,
    error: BaseException,
    body: Mapping[str, object],
    asked: Attempted,
) -> Failure:
    """A refusal of this request: what to alter in it; else it costs the step."""
    named = getattr(error, "param", None) or _inner(body).get("param")
    change = change_for(text, codes, named, asked.droppable, asked.prompt_tokens, asked.has_system)
    if change is not None:
        return Failure(BadRequest, False, f"the provider refused the request ({said})", change=change)
    if name == "ContentPolicyViolationError" or codes & FILTER_CODES:
        return Failure(ContentFilter, False, f"the provider refused the prompt ({said})")
    if status == 413 or codes & CONTEXT_CODES or CONTEXT.search(text) or name == "ContextWindowExceededError":
        return Failure(ContextOverflow, False, f"the prompt is too long ({said})")
    if FILTER.search(text):
        return Failure(ContentFilter, False, f"the provider refused the prompt ({said})")
    return Failure(BadRequest, False, f"the provider refused the request ({said})")


def _of_prompt_after_all(
    text: str, status: int | None, codes: frozenset[str], said: str, error: BaseException, asked: Attempted
) -> Failure | None:
    """What is worded as something to wait for, and never passes: this very request is too large, or ill-formed."""
    if TOO_LARGE_FOR_RATE.search(text) or (codes & CONTEXT_CODES and status != 429):
        return Failure(ContextOverflow, False, f"the prompt is too long ({said})")
    if status == 500:  # llama.cpp and others answer so where a template or the context is at fault
        change = change_for(text, frozenset(), None, {}, asked.prompt_tokens, asked.has_system)
        if change is not None:
            return Failure(BadRequest, False, f"the provider refused the request ({said})", change=change)
        if re.search(r"exceeds? the (?:available )?context|context shift is disabled|prompt is too long", text, re.I):
            return Failure(ContextOverflow, False, f"the prompt is too long ({said})")
        if re.search(r"jinja exception|raise_exception|roles must alternate", text, re.I):
            return Failure(BadRequest, False, f"the provider refused the request ({said})")
    return None


def _to_wait_for(
    text: str, status: int | None, said: str, error: BaseException, full: str, asked: Attempted
) -> Failure:
    asks_s = retry_after_s(error, f"{full} {text}")
    # a status of 4xx other than a rate limit, at every try, is about this request: it costs the step, not the run
    kind = BadRequest if status in RETRYABLE_4XX - {429} else RetriesExhausted
    return Failure(kind, True, f"{said.rstrip('.')}{asked.at}", asks_s)


def clean(text: str, secrets: Iterable[str], urls: Iterable[str] = ()) -> str:
    """One line without secrets, without the user's own endpoints and without litellm's own prefixes."""
    text = blot(text[:READ_CHARACTERS], secrets)
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
    delay = RETRY_DELAY.search(message)
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


def _fields(answer: HttpAnswer) -> Mapping[str, object]:
    """The body of an error as a mapping; Google sends a list of one, some a text."""
    value = answer.value
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, Mapping):
        return value
    said = answer.body[:READ_CHARACTERS].decode(errors="replace").strip()
    return {"error": said} if said else {}


def _inner(body: Mapping[str, object]) -> Mapping[str, object]:
    inner = body.get("error", body)
    return inner if isinstance(inner, Mapping) else {}


def _words(value: object) -> Iterator[str]:
    """The texts in a body, but for those that repeat the request."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in _REPEATED:
                yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)
    elif value is not None:
        yield str(value)


def _said(body: Mapping[str, object]) -> str:
    """The message of a body, else all of it."""
    inner = body.get("error", body)
    message = inner.get("message") if isinstance(inner, Mapping) else inner
    return message if isinstance(message, str) else json.dumps(body, ensure_ascii=False)


def _codes(error: BaseException, seen: Mapping[str, object]) -> frozenset[str]:
    """Machine-readable codes: the exception's own and those of the provider's body."""
    body = getattr(error, "body", None)
    places = [getattr(error, "code", None)]
    for fields in (body if isinstance(body, Mapping) else {}, seen):
        places += [_inner(fields).get("code"), _inner(fields).get("type"), fields.get("code")]
    return frozenset(code for code in places if isinstance(code, str))


def _label(status: int | None, name: str) -> str:
    return name if status is None else f"HTTP {status}"
