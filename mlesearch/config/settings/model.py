"""Settings of what answers: models, how they sample, and the embedder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlesearch.types import Op

MISSING = "???"
"""Of a setting that a file has to give."""

ROLE_OPS = {"feedback": (Op.REVIEW, Op.DIAGNOSE), "ideas": (Op.HYPOTHESIZE, Op.SELECT)}
"""What of a search a model of its own may answer, by role: see `ModelSettings`."""


@dataclass
class SamplingSettings:
    """How a model samples; null leaves the model's own default.

    Attributes:
        temperature: of sampling, from 0 to 2.
        top_p: nucleus sampling: the share of probability that is sampled from.
        max_tokens: most tokens of one reply, reasoning included.
        reasoning_effort: for models that take one, such as low, medium or high.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int = 8192
    reasoning_effort: str | None = None


@dataclass
class ModelSettings:
    """A model: one file in `conf/model/`.

    Attributes:
        name: what tables call it, and the first part of its runs' folders.
        kind: what calls it; a name, or one that a plug-in brings.
        tier: its class of capability, for claims about tiers.
        capability: a number by which a report orders models.
        capability_source: where that number is from.
        sampling: how it samples.
        call_timeout_s: seconds after which an unanswered call is given up and tried again.
        retires: the day from which its provider answers no more, as 2026-12-31.
        params: of its kind (docs/models.md).
        roles: who answers in its place, by role: feedback (review, diagnose) or ideas (hypothesize, select). Each is
            the name of a model's file, or a mapping with that `name` and what differs from it (sampling, params).
    """

    name: str = MISSING
    kind: str = MISSING
    tier: str | None = None
    capability: float | None = None
    capability_source: str | None = None
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    call_timeout_s: float = 600.0
    retires: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, Any] = field(default_factory=dict)


def role_settings(plain: dict[str, Any]) -> ModelSettings:
    """The model of a role, from the plain data that `ModelSettings.roles` holds once it is composed."""
    return ModelSettings(**{**plain, "sampling": SamplingSettings(**plain["sampling"])})


@dataclass
class EmbedderSettings:
    """What turns hypotheses into vectors.

    Attributes:
        kind: hashed costs nothing; litellm calls a model.
        params: of its kind: dim of hashed; model, api_base and the like of litellm.
    """

    kind: str = "hashed"
    params: dict[str, Any] = field(default_factory=dict)
