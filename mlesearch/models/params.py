"""What a model's file may say about a live model, read from a plain mapping and checked to the last key."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from mlesearch.models.limits.windows import LONGEST_WINDOW_S, Caps
from mlesearch.models.protocol import Price
from mlesearch.models.retry import Backoff
from mlesearch.storage.redact import has_key_shape
from mlesearch.types import ConfigError, did_you_mean

KEY_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "azure": ("AZURE_API_KEY",),
    "cerebras": ("CEREBRAS_API_KEY",),
    "cohere": ("COHERE_API_KEY",),
    "dashscope": ("DASHSCOPE_API_KEY",),
    "deepinfra": ("DEEPINFRA_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "fireworks_ai": ("FIREWORKS_AI_API_KEY",),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "groq": ("GROQ_API_KEY",),
    "minimax": ("MINIMAX_API_KEY",),
    "mistral": ("MISTRAL_API_KEY",),
    "moonshot": ("MOONSHOT_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY",),
    "together_ai": ("TOGETHERAI_API_KEY",),
    "voyage": ("VOYAGE_API_KEY",),
    "xai": ("XAI_API_KEY",),
    "zai": ("ZAI_API_KEY",),
}
"""Environment variables that hold a provider's key, by litellm's prefix; the first one that is set is used."""

KEYLESS = frozenset({"hosted_vllm", "llamafile", "lm_studio", "ollama", "ollama_chat"})
"""Providers that run on the user's own machines and ask for no key."""

_BARE_IDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"gpt-|chatgpt-|o\d|text-embedding-"), "openai"),
    (re.compile(r"claude-"), "anthropic"),
)


@dataclass(frozen=True, slots=True)
class Key:
    """Where a key is found. The key itself is never stored, so that no repr, pickle or log can show it.

    Attributes:
        variables: names of environment variables, the first one that is set counts; empty: no key is sent.
    """

    variables: tuple[str, ...]

    def read(self) -> str | None:
        """The key, or None where no variable holds one."""
        values = (os.environ.get(name, "").strip() for name in self.variables)
        return next((value for value in values if value), None)

    @property
    def found_in(self) -> str:
        """The variable that the key comes from, else the one to set; empty where no key is needed."""
        found = (name for name in self.variables if os.environ.get(name, "").strip())
        return next(found, self.variables[0] if self.variables else "")

    def check(self, owner: str) -> None:
        """Refuse to start without a key.

        Raises:
            ConfigError: names the variable to export.
        """
        if self.variables and self.read() is None:
            names = " or ".join(self.variables)
            raise ConfigError(
                f"{owner}: no API key: the environment variable {names} is not set; "
                f"run `export {self.variables[0]}=...` in the shell that starts mlesearch (a `.env` file is not read)"
            )


@dataclass(frozen=True, slots=True)
class LiveParams:
    """A live model as its file declares it.

    Attributes:
        model: litellm's id, e.g. "gemini/gemini-3.8-flash".
        key: where the API key is found.
        api_base: of an OpenAI-compatible endpoint; None: the provider's own.
        price: declared; None: litellm's bundled price map is asked, unless `api_base` is set.
        timeout_s: of one attempt.
        max_retries: attempts after the first.
        backoff: between attempts.
        caps: limits that all calls with this key keep to.
        temperature: sent where a request leaves it open; None: the model's own.
        top_p: likewise.
        reasoning_effort: likewise.
        max_output_tokens: the most that one call may ask for; None: as many as the request says.
        context_window: tokens, for whoever fills prompts; None: unknown.
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


class Reader:
    """Takes typed values out of a mapping; every complaint is one line that names the owner and the key.

    Args:
        owner: e.g. "model 'local'", the start of every error.
        params: the mapping.
        allowed: its legal keys.

    Raises:
        ConfigError: there is a key that is not allowed.
    """

    def __init__(self, owner: str, params: Mapping[str, object], allowed: Iterable[str]) -> None:
        self.owner = owner
        self._params = params
        legal = sorted(allowed)
        for key in params:
            if key not in legal:
                hint = did_you_mean(str(key), legal)
                raise ConfigError(f"{owner}: unknown parameter {key!r}{hint}; allowed: {', '.join(legal)}")

    def fail(self, key: str, wanted: str) -> ConfigError:
        """The error for a value of the wrong type or size."""
        return ConfigError(f"{self.owner}: {key} must be {wanted}, not {self._params.get(key)!r}")

    def text(self, key: str) -> str | None:
        """A string, or None where absent or null."""
        value = self._params.get(key)
        if value is not None and not isinstance(value, str):
            raise self.fail(key, "a string")
        return value

    def maybe_number(self, key: str, *, above: float | None = None) -> float | None:
        """A finite number of at least 0, or more than `above`; None where absent or null."""
        value = self._params.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.fail(key, "a number")
        if above is not None and value <= above:
            raise self.fail(key, f"a number above {above:g}")
        if above is None and value < 0:
            raise self.fail(key, "a number of at least 0")
        return float(value)

    def number(self, key: str, default: float, *, above: float | None = None) -> float:
        """As `maybe_number`, with a default."""
        value = self.maybe_number(key, above=above)
        return default if value is None else value

    def maybe_whole(self, key: str, *, least: int = 1) -> int | None:
        """An integer of at least `least`; None where absent or null."""
        value = self._params.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.fail(key, f"a whole number of at least {least}")
        return value

    def whole(self, key: str, default: int, *, least: int = 1) -> int:
        """As `maybe_whole`, with a default."""
        value = self.maybe_whole(key, least=least)
        return default if value is None else value

    def mapping(self, key: str) -> Mapping[str, object] | None:
        """A mapping, or None where absent."""
        value = self._params.get(key)
        if value is not None and not isinstance(value, Mapping):
            raise self.fail(key, "a mapping")
        return value


def provider_of(model: str) -> str | None:
    """Provider prefix of a model id, as litellm has them; None where it can't be told without importing litellm."""
    prefix, slash, _rest = model.partition("/")
    if slash:
        return prefix
    return next((provider for pattern, provider in _BARE_IDS if pattern.match(model)), None)


def read_key(reader: Reader, model: str, api_base: str | None) -> Key:
    """Where the key is found: as declared, else by the provider; an own endpoint needs none unless declared.

    Raises:
        ConfigError: the provider is not known here and no `api_key_env` is given.
    """
    declared = reader.text("api_key_env")
    if declared is not None:
        if declared and (not re.fullmatch(r"[A-Z_][A-Z0-9_]*", declared) or has_key_shape(declared)):
            # never echo the value: somebody may have put the key itself here
            raise ConfigError(
                f"{reader.owner}: api_key_env must be the name of an environment variable "
                "(capital letters, digits, underscores), not the key itself"
            )
        return Key((declared,) if declared else ())
    provider = provider_of(model)
    if api_base is not None or provider in KEYLESS:
        return Key(())
    if provider is not None and provider in KEY_VARIABLES:
        return Key(KEY_VARIABLES[provider])
    raise ConfigError(
        f"{reader.owner}: don't know which environment variable holds the key for {model!r}; set api_key_env to its "
        f"name, or to '' where litellm finds the credentials itself (known: {', '.join(sorted(KEY_VARIABLES))})"
    )


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
    return url.rstrip("/")


def read_price(reader: Reader) -> Price | None:
    """The declared price; both directions must be given, since a missing half is not free.

    `as_of` and `source` say where it was found, `long` what calls with longer prompts cost.

    Raises:
        ConfigError: a part is missing or wrong.
    """
    raw = reader.mapping("price")
    if raw is None:
        return None
    names = ("input_usd_per_mtok", "output_usd_per_mtok", "cached_usd_per_mtok", "cache_write_usd_per_mtok")
    inner = Reader(f"{reader.owner}: price", raw, (*names, "long", "as_of", "source"))
    inner.text("as_of")
    inner.text("source")
    given = inner.maybe_number(names[0]), inner.maybe_number(names[1])
    if given[0] is None or given[1] is None:
        raise ConfigError(
            f"{reader.owner}: price needs both {names[0]} and {names[1]} in USD per million tokens "
            "(write `price: null` where it is not known, 0 only where calls cost nothing)"
        )
    usual = Price(
        given[0],
        given[1],
        cached_usd_per_mtok=inner.maybe_number(names[2]),
        cache_write_usd_per_mtok=inner.maybe_number(names[3]),
    )
    tier = inner.mapping("long")
    if tier is None:
        return usual
    long = Reader(f"{inner.owner}: long", tier, (*names, "above_tokens"))
    above, usd_in, usd_out = long.maybe_whole("above_tokens"), long.maybe_number(names[0]), long.maybe_number(names[1])
    if above is None or usd_in is None or usd_out is None:
        raise ConfigError(f"{long.owner} needs above_tokens, {names[0]} and {names[1]}")
    return replace(
        usual,
        long_above_tokens=above,
        long_input_usd_per_mtok=usd_in,
        long_output_usd_per_mtok=usd_out,
        long_cached_usd_per_mtok=long.maybe_number(names[2]),
        long_cache_write_usd_per_mtok=long.maybe_number(names[3]),
    )


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
    reader = Reader(owner, params, (*COMMON, *SAMPLING, "max_output_tokens", "context_window"))
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
    )
