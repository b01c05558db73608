"""What a model's file may say about a live model, read from a plain mapping and checked to the last key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mlesearch.models.limits.windows import LONGEST_WINDOW_S, Caps
from mlesearch.models.live.extras import NAMES, Extras, read_extras
from mlesearch.models.live.keys import Key, read_key
from mlesearch.models.live.retry import Backoff
from mlesearch.models.params import Reader, read_price
from mlesearch.models.price import Price
from mlesearch.types import ConfigError


@dataclass(frozen=True, slots=True)
class LiveParams:
    """A live model as its file declares it.

    Attributes:
        model: litellm's id, e.g. "gemini/gemini-3.8-flash".
        key: where the API key is found.
        api_base: of an OpenAI-compatible endpoint; None: the provider's own.
        price: declared; None: litellm's bundled price map is asked, unless `api_base` is set.
        timeout_s: of one attempt.
        max_retries: attempts after the first; 0: no request is sent twice, and none beside (`retry.persist`).
        backoff: between attempts.
        caps: limits that all calls with this key keep to.
        temperature: sent where a request leaves it open; None: the model's own.
        top_p: likewise.
        reasoning_effort: likewise.
        max_output_tokens: the most that one call may ask for; None: as many as the request says.
        context_window: tokens of prompt and answer together; None: unknown.
        extras: further fields and headers of its requests.
    """

    model: str
    key: Key
    api_base: str | None = None
    price: Price | None = None
    timeout_s: float = 600.0
    max_retries: int = 6
    backoff: Backoff = field(default_factory=Backoff)
    caps: Caps = field(default_factory=Caps)
    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None
    max_output_tokens: int | None = None
    context_window: int | None = None
    extras: Extras = field(default_factory=Extras)

    def secrets(self) -> tuple[str, ...]:
        """What no text may show; read where it is used."""
        key = self.key.read()
        return (*((key,) if key else ()), *self.extras.secrets())


def read_api_base(reader: Reader) -> str | None:
    """The endpoint's URL.

    Raises:
        ConfigError: not an http(s) URL, or one with credentials or a query in it.
    """
    url = reader.text("api_base")
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if "@" in url:
        raise ConfigError(f"{reader.owner}: api_base must not hold credentials; name a variable in api_key_env instead")
    if "?" in url or "#" in url:  # not echoed: providers take keys there
        raise ConfigError(
            f"{reader.owner}: api_base must end with its path, without a query (?...); a key belongs into a variable "
            "that api_key_env names"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise reader.fail("api_base", "a URL like http://localhost:8000/v1")
    found = url.rstrip("/")
    for path in ("/chat/completions", "/completions", "/embeddings", "/models"):
        if found.endswith(path):
            raise ConfigError(
                f"{reader.owner}: api_base must end before {path}, which is added: {found.removesuffix(path)}"
            )
    return found


def read_backoff(reader: Reader) -> Backoff:
    """How to wait between attempts."""
    raw = reader.mapping("backoff") or {}
    inner = Reader(f"{reader.owner}: backoff", raw, ("base_s", "cap_s"))
    default = Backoff()
    return Backoff(inner.number("base_s", default.base_s), inner.number("cap_s", default.cap_s))


def read_caps(reader: Reader) -> Caps:
    """Limits a minute as what a window allows: half a minute allows half of them, at least 1.

    Raises:
        ConfigError: a wrong value.
    """
    raw = reader.mapping("limits") or {}
    names = ("requests_per_minute", "tokens_per_minute", "in_flight", "window_s")
    inner = Reader(f"{reader.owner}: limits", raw, names)
    window_s = inner.number("window_s", LONGEST_WINDOW_S, above=0.0)
    if window_s > LONGEST_WINDOW_S:
        raise inner.fail("window_s", f"at most {LONGEST_WINDOW_S:g}")
    per_minute = inner.maybe_whole(names[0]), inner.maybe_whole(names[1])
    requests, tokens = (None if n is None else max(1, int(n * window_s / 60)) for n in per_minute)
    return Caps(requests, tokens, inner.maybe_whole("in_flight"), window_s)


COMMON = ("model", "api_key_env", "api_base", "price", "timeout_s", "max_retries", "backoff", "limits")
SAMPLING = ("temperature", "top_p", "reasoning_effort")


def read_model_id(reader: Reader) -> str:
    """The id that litellm knows the model by.

    Raises:
        ConfigError: absent or empty.
    """
    model = reader.text("model")
    if not model:
        raise ConfigError(f"{reader.owner}: model is missing: litellm's id, e.g. 'gemini/gemini-3.8-flash'")
    return model


def read_live(owner: str, params: Mapping[str, object]) -> LiveParams:
    """A live model's parameters.

    Raises:
        ConfigError: an unknown key, a wrong value, or no way to tell where the key is.
    """
    reader = Reader(owner, params, (*COMMON, *SAMPLING, "max_output_tokens", "context_window", *NAMES))
    model = read_model_id(reader)
    api_base = read_api_base(reader)
    return LiveParams(
        model=model,
        key=read_key(reader, model, api_base),
        api_base=api_base,
        price=read_price(reader),
        timeout_s=reader.number("timeout_s", 600.0, above=0.0),
        max_retries=reader.whole("max_retries", 6, least=0),
        backoff=read_backoff(reader),
        caps=read_caps(reader),
        temperature=reader.maybe_number("temperature"),
        top_p=reader.maybe_number("top_p", above=0.0),
        reasoning_effort=reader.text("reasoning_effort"),
        max_output_tokens=reader.maybe_whole("max_output_tokens"),
        context_window=reader.maybe_whole("context_window"),
        extras=read_extras(reader, model),
    )
