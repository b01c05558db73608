"""What a request to a live model carries beside the prompt and the sampling: further fields, headers, the provider.

All of it may change the replies, so it is part of the identity; of a header whose value is secret, the name of the
environment variable that holds it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlesearch.models.params import Reader
from mlesearch.storage.redact import has_key_shape
from mlesearch.types import ConfigError

NAMES = ("extra_body", "headers", "headers_env", "provider")
_OURS = frozenset(
    {"model", "messages", "stream", "n", "max_tokens", "max_completion_tokens", "temperature", "top_p", "input"}
    | {"reasoning_effort", "tools", "functions", "stream_options"}
)
_SECRET_HEADERS = re.compile(r"authorization|api[-_]?key|token|secret|cookie|password|credential|signature", re.I)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PROVIDER_KEYS = (
    *("order", "only", "ignore", "allow_fallbacks", "require_parameters", "data_collection", "quantizations", "sort"),
    *("max_price", "zdr", "enforce_distillable_text", "preferred_min_throughput", "preferred_max_latency"),
)


@dataclass(frozen=True, slots=True)
class Extras:
    """What is sent beside.

    Attributes:
        body: further fields of the request.
        headers: with their values.
        headers_env: header by header the environment variable that holds its value.
    """

    body: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    headers_env: Mapping[str, str] = field(default_factory=dict)

    def identity(self) -> dict[str, object]:
        """What of it is declared; no key where nothing is, so that identities without stay."""
        parts = {"extra_body": self.body, "headers": self.headers, "headers_env": self.headers_env}
        return {name: dict(part) for name, part in parts.items() if part}

    def arguments(self) -> dict[str, object]:
        """What litellm is given; values of secret headers are read where they are used."""
        headers = dict(self.headers)
        for name, variable in self.headers_env.items():
            value = os.environ.get(variable, "").strip()
            if value:
                headers[name] = value
        made: dict[str, object] = {}
        if self.body:
            made["extra_body"] = json.loads(json.dumps(self.body))  # litellm may alter it
        if headers:
            made["extra_headers"] = headers
        return made

    def secrets(self) -> tuple[str, ...]:
        """Values of secret headers."""
        found = (os.environ.get(variable, "").strip() for variable in self.headers_env.values())
        return tuple(value for value in found if value)

    def check(self, owner: str) -> None:
        """Refuse to start without a header's value.

        Raises:
            ConfigError: names the variable to export.
        """
        for name, variable in self.headers_env.items():
            if not os.environ.get(variable, "").strip():
                raise ConfigError(
                    f"{owner}: headers_env: the environment variable {variable} (for the header {name}) is not set; "
                    f"run `export {variable}=...` in the shell that starts mlesearch"
                )


def read_extras(reader: Reader, model: str) -> Extras:
    """The parts that a model's file declares.

    Raises:
        ConfigError: a wrong value, a field that has a parameter of its own, or a secret in plain sight.
    """
    body = dict(reader.mapping("extra_body") or {})
    for name in body:
        if str(name) in _OURS:
            raise ConfigError(f"{reader.owner}: extra_body must not hold {name!r}, which mlesearch sets itself")
    try:
        body = json.loads(json.dumps(body, allow_nan=False))
    except (TypeError, ValueError):
        raise ConfigError(f"{reader.owner}: extra_body must be plain data: mappings, lists, texts, numbers") from None
    if has_key_shape(json.dumps(body)):
        raise ConfigError(
            f"{reader.owner}: extra_body holds what looks like a key; it would be kept in every run's folder"
        )
    pinned = _provider(reader, model)
    if pinned and "provider" in body:
        raise ConfigError(f"{reader.owner}: provider is given twice, also in extra_body")
    return Extras(
        {**body, "provider": pinned} if pinned else body,
        _headers(reader),
        _headers_env(reader),
    )


def _provider(reader: Reader, model: str) -> dict[str, object]:
    raw = reader.mapping("provider")
    if raw is None:
        return {}
    if not model.startswith("openrouter/"):
        raise ConfigError(
            f"{reader.owner}: provider pins who answers at OpenRouter, and {model!r} is not asked there; its ids begin with "
            "openrouter/ (other gateways: extra_body)"
        )
    inner = Reader(f"{reader.owner}: provider", raw, _PROVIDER_KEYS)
    for name in ("order", "only", "ignore", "quantizations"):
        value = raw.get(name)
        if value is not None and not (
            isinstance(value, list | tuple) and value and all(isinstance(v, str) and v for v in value)
        ):
            raise inner.fail(name, "a list of names, e.g. [deepinfra]")
    for name in ("allow_fallbacks", "require_parameters"):
        if raw.get(name) is not None and not isinstance(raw[name], bool):
            raise inner.fail(name, "true or false")
    found: dict[str, object] = json.loads(json.dumps({str(k): v for k, v in raw.items() if v is not None}))
    return found


def _headers(reader: Reader) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in (reader.mapping("headers") or {}).items():
        _check_name(reader, "headers", name)
        text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
        if text is None or not text.isascii() or not text.isprintable():
            raise ConfigError(f"{reader.owner}: headers: the value of {name} must be one line of plain ASCII text")
        if _SECRET_HEADERS.search(str(name)) or has_key_shape(text) or text.lower().startswith(("bearer ", "basic ")):
            raise ConfigError(  # never echoed: it may be a secret
                f"{reader.owner}: headers: the value of {name} may be a secret, and would be kept in every run's folder; "
                f"export it as a variable and name that: headers_env: {{{name}: MY_VARIABLE}}"
            )
        found[str(name)] = text
    return found


def _headers_env(reader: Reader) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, variable in (reader.mapping("headers_env") or {}).items():
        _check_name(reader, "headers_env", name)
        if not isinstance(variable, str) or not re.fullmatch(r"[A-Z_][A-Z0-9_]*", variable) or has_key_shape(variable):
            raise ConfigError(  # never echoed, likewise
                f"{reader.owner}: headers_env: {name} must name an environment variable (capital letters, digits, "
                "underscores), not hold the value itself"
            )
        found[str(name)] = variable
    return found


def _check_name(reader: Reader, key: str, name: object) -> None:
    if not isinstance(name, str) or not _HEADER.fullmatch(name):
        raise ConfigError(f"{reader.owner}: {key}: {name!r} is no name of a header")
