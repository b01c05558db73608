"""API keys: which environment variable holds a provider's, and how a model's file names another one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from mlesearch.models.params import Reader
from mlesearch.storage.redact import has_key_shape
from mlesearch.types import ConfigError

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
