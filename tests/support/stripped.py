"""A model that never sees evidence: it is cut out of every prompt before another model answers it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mlesearch.models.price import Price
from mlesearch.models.protocol import Model, Reply, Request

_EVIDENCE = re.compile(r'^pipeline: .*$|Evidence: .*?\d\.(?!\d)| gain="[^"]*"', re.MULTILINE)
"""What programs print of themselves, findings, and gains: all that the public table names."""


@dataclass(frozen=True)
class Stripped:
    """Another model, with evidence cut out of its prompts."""

    of: Model
    live: bool = False
    simulated: bool = True

    @property
    def name(self) -> str:
        return self.of.name

    @property
    def price(self) -> Price | None:
        return self.of.price

    def identity(self) -> Mapping[str, object]:
        return self.of.identity()

    def check(self) -> None:
        self.of.check()

    def complete(self, request: Request) -> Reply:
        messages = tuple(replace(m, content=_EVIDENCE.sub("", m.content)) for m in request.messages)
        return self.of.complete(replace(request, messages=messages))
