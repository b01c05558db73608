"""Whether two identities are of one run: a strategy's parameter at its default says nothing that its absence does not.

An identity holds the parameters of a strategy as they were given, and so it stays, in the folders of all studies. They
are compared by what they come to: each parameter that is not given has its default, `on` is true, 1 is 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mlesearch.optimizers.base import STRATEGIES, read_params
from mlesearch.optimizers.describe import chosen_by, described
from mlesearch.types import ConfigError


def same_run(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether two identities differ in nothing but how defaults of a strategy's parameters are written."""
    if known == wanted:
        return True
    one, other = known.get("strategy"), wanted.get("strategy")
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    if {**known, "strategy": None} != {**wanted, "strategy": None}:
        return False
    kind = str(one.get("kind"))
    if {**one, "params": None} != {**other, "params": None} or kind not in STRATEGIES.names():
        return False
    return full_params(kind, one["params"]) == full_params(kind, other["params"])


def full_params(kind: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """All parameters of a strategy: those given, and the defaults of the others; as given where they are not declared.

    Args:
        kind: of the strategy.
        params: as given.
    """
    try:
        descriptions = described(STRATEGIES.load(kind))
        chosen = chosen_by(descriptions, params)
        return params if chosen is None else asdict(read_params(kind, chosen.settings, params))
    except (ConfigError, TypeError):  # of another version, or settings that are not made by `param`
        return params
