"""Redacting secrets before a study leaves the machine, in a way that it still replays.

A secret is replaced by as many asterisks, so that what was cut at a length is still cut there; and where a text has a
digest that others name, the digest of the new text takes the place of the old one everywhere.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

LEAST_CHARS = 8
"""A shorter value of the environment is no secret: it would redact ordinary words."""

_NAMES = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(?:_\w+)?$", re.IGNORECASE)
_SHAPES = (
    r"\bsk-[A-Za-z0-9_-]{16,}",  # OpenAI, Anthropic, DeepSeek, OpenRouter
    r"\bAIza[A-Za-z0-9_-]{35}",  # Google
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",  # AWS
    r"\bgh[pousr]_[A-Za-z0-9]{36,}",  # GitHub
    r"\bhf_[A-Za-z0-9]{30,}",  # Hugging Face
    r"\b(?:gsk|xai|pplx)[-_][A-Za-z0-9]{32,}",  # Groq, xAI, Perplexity
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}",  # Slack
    r"(?<=Bearer )[A-Za-z0-9._~+/-]{16,}=*",
    r"(?<=://)[^\s/:@]+:[^\s/@]+(?=@)",  # user and password in a URL
)


def secrets_of(environment: Mapping[str, str], named: Iterable[str] = ()) -> tuple[str, ...]:
    """Values of variables whose names say that they hold a secret, and of those that are named here."""
    names = set(named)
    found = {v.strip() for k, v in environment.items() if k in names or _NAMES.search(k)}
    return tuple(sorted((v for v in found if len(v) >= LEAST_CHARS), key=lambda v: (-len(v), v)))


def has_key_shape(text: str) -> bool:
    """Whether a text has the shape of a well-known kind of key, or holds one."""
    return any(re.search(shape, text) for shape in _SHAPES)


class Redactor:
    """Replaces secrets, and the digests of what held one.

    Args:
        secrets: exact texts; beside them, everything that has the shape of a well-known kind of key.

    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        shapes = [re.escape(s) for s in secrets if s.isascii()] + list(_SHAPES)
        self._text = re.compile("|".join(shapes))
        self._bytes = re.compile("|".join(shapes).encode(), re.ASCII)
        self._digests: dict[str, str] = {}
        self._found: set[str] = set()  # digests of what held a secret

    @classmethod
    def of_environment(cls, named: Iterable[str] = ()) -> Redactor:
        """With the secrets of this process."""
        return cls(secrets_of(os.environ, named))

    def raw(self, data: bytes) -> bytes:
        """Bytes without secrets; the digest of new ones is remembered as that of the old ones."""
        new, count = self._bytes.subn(lambda m: b"*" * len(m[0]), data)
        if count:
            self._digests[self._note(data)] = hashlib.sha256(new).hexdigest()
        return new

    def _note(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self._found.add(digest)
        return digest

    def json(self, value: Any) -> Any:
        """A JSON value without secrets, in which digests are those of the redacted texts."""
        if isinstance(value, str):
            if value in self._digests:
                return self._digests[value]
            new, count = self._text.subn(lambda m: "*" * len(m[0]), value)
            if count:
                self._note(value.encode(errors="surrogatepass"))
            return new
        if isinstance(value, list):
            return [self.json(v) for v in value]
        if isinstance(value, dict):
            return {str(self.json(k)): self.json(v) for k, v in value.items()}
        return value

    @property
    def found(self) -> int:
        """How many different texts held a secret."""
        return len(self._found)
