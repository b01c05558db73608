"""From a model's name, kind and parameters to the model: each kind's module is imported only when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import cast

from mlesearch.models.protocol import Model
from mlesearch.types import ConfigError

FACTORIES: Mapping[str, str] = {
    "litellm": "mlesearch.models.live.litellm:make",
    "scripted": "mlesearch.models.scripted:make",
    "simulated": "mlesearch.models.simulated.engineer:make",
}
"""Factories by kind, each `make(name, params) -> Model`."""


def make_model(name: str, kind: str, params: Mapping[str, object]) -> Model:
    """Make a model.

    Raises:
        ConfigError: the kind is unknown, or its factory refuses the parameters.
    """
    if kind not in FACTORIES:
        raise ConfigError(f"model {name!r}: unknown kind {kind!r}; known kinds: {', '.join(sorted(FACTORIES))}")
    module, _, function = FACTORIES[kind].partition(":")
    return cast(Model, getattr(importlib.import_module(module), function)(name, params))
