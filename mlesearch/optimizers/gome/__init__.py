"""Gome: reasoning as gradient. `search.py` has the loop; traces, accept, memory and propose are its parts."""

from __future__ import annotations

from mlesearch.optimizers.base import Params, read_params
from mlesearch.optimizers.describe import Description
from mlesearch.optimizers.gome.search import Gome
from mlesearch.optimizers.gome.settings import GomeSettings
from mlesearch.types import Problem, Rng

DESCRIPTIONS = (
    Description(
        idea="diagnose each program, select a hypothesis, implement it; a memory of successes, several traces at once",
        source="Gome (arXiv:2603.01692); R&D-Agent: arXiv:2505.14738, and its released code",
        settings=GomeSettings,
        family="gradient",
    ),
)


def make(params: Params, problem: Problem, rng: Rng) -> Gome:
    """The factory; parameters: `GomeSettings`.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    return Gome(read_params("gome", GomeSettings, params), problem, rng)
