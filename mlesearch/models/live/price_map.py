"""What litellm's bundled map says of models: their prices, and what a response cost by it. Loads litellm when asked."""

from __future__ import annotations

import importlib.metadata
import math
import re
from collections.abc import Mapping
from typing import Any

from mlesearch.models.live.library import load_litellm
from mlesearch.models.price import Price, PriceTier


def map_entry(model: str) -> Mapping[str, Any]:
    """What litellm's bundled map says of a model; empty where it doesn't know it."""
    litellm = load_litellm()
    try:
        found: Mapping[str, Any] = litellm.model_cost[litellm.get_model_info(model)["key"]]
    except Exception:  # it raises a plain Exception for a model that it doesn't know
        return {}
    return found


def map_version() -> str:
    """Whose map it is, e.g. "litellm 1.106.2"."""
    return f"litellm {importlib.metadata.version('litellm')}"


def map_price(model: str) -> Price | None:
    """The price in litellm's bundled map; None where a direction is missing or zero.

    Of several tiers for long prompts the lowest is given.
    """
    try:
        info = load_litellm().get_model_info(model)
        per_token = [info.get(name) for name in ("input_cost_per_token", "output_cost_per_token")]
        cached, written = info.get("cache_read_input_token_cost"), info.get("cache_creation_input_token_cost")
    except Exception:  # it raises a plain Exception for a model that it doesn't know
        return None
    if not all(isinstance(usd, int | float) and usd > 0 for usd in per_token):
        return None
    return Price(
        _per_mtok(per_token[0]),
        _per_mtok(per_token[1]),
        _per_mtok(cached) if cached else None,
        _per_mtok(written) if written else None,
        tiers=_tiers(map_entry(model)),
    )


def _tiers(entry: Mapping[str, Any]) -> tuple[PriceTier, ...]:
    """The lowest tier for long prompts, where there is one."""
    found = (re.fullmatch(r"input_cost_per_token_above_(\d+)k_tokens", key) for key in entry)
    above_k = min((int(match[1]) for match in found if match), default=None)
    if above_k is None:
        return ()
    kinds = (
        *("input_cost_per_token", "output_cost_per_token"),
        *("cache_read_input_token_cost", "cache_creation_input_token_cost"),
    )
    usd = [entry.get(f"{kind}_above_{above_k}k_tokens", entry.get(kind)) for kind in kinds]
    cached, written = (_per_mtok(usd_per_token) if usd_per_token else None for usd_per_token in usd[2:])
    return (PriceTier(_per_mtok(usd[0]), _per_mtok(usd[1]), cached, written, above_tokens=1000 * above_k),)


def _per_mtok(usd_per_token: float) -> float:
    return float(f"{usd_per_token * 1e6:.12g}")  # 2.5e-07 per token is 0.25, not 0.24999999999999997


def map_cost_nusd(response: Any, model: str) -> int | None:
    """Nano-dollars of a response by litellm's map, its tiers included; None where it can't tell or says nothing."""
    try:
        usd = load_litellm().completion_cost(completion_response=response, model=model)
    except Exception:  # as above
        return None
    if not isinstance(usd, int | float) or not math.isfinite(usd) or usd <= 0:
        return None
    return math.ceil(round(usd * 1e9, 3))
