"""From a model's name, kind and parameters to the model: each kind's module is imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from mlesearch.models.protocol import Model
from mlesearch.types import Registry

MODEL_KINDS = Registry(
    setting="model.kind",
    noun="kind of model",
    group="mlesearch.models",
    builtin={
        "litellm": "mlesearch.models.live.litellm:make",
        "scripted": "mlesearch.models.scripted:make",
        "simulated": "mlesearch.models.simulated.engineer:make",
    },
)
"""The kinds of model, each a factory `make(name, params) -> Model`."""


def make_model(name: str, kind: str, params: Mapping[str, object]) -> Model:
    """Make a model.

    Raises:
        ConfigError: the kind is unknown, or its factory refuses the parameters.
    """
    return cast(Model, MODEL_KINDS.load(kind, f"model {name!r}: kind")(name, params))
