"""The modes of what is recorded: of a cassette, and of a store of executions."""

from __future__ import annotations

from collections.abc import Sequence

from mlesearch.types import ConfigError


def check_mode(key: str, mode: str, modes: Sequence[str]) -> None:
    """Refuse what is no mode of a cassette, or of a store of executions.

    Raises:
        ConfigError: names those that there are.
    """
    if mode not in modes:
        raise ConfigError(f"{key}: {mode!r} is no mode; there are: {', '.join(modes)}")
