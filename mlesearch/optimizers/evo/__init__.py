"""Evolutionary search, generational or in the steady state."""

from __future__ import annotations

from mlesearch.optimizers.base import Params, read_params
from mlesearch.optimizers.describe import Description
from mlesearch.optimizers.evo.search import Evo, EvoSettings
from mlesearch.types import Problem, Rng

DESCRIPTIONS = (
    Description(
        idea="improve or cross over programs drawn by score; a child joins if it is no worse than the average",
        source="AIRA-dojo: Toledo et al. 2025, arXiv:2507.02554; the steady state: arXiv:2603.26499",
        settings=EvoSettings,
        family="evolution",
    ),
)


def make(params: Params, problem: Problem, rng: Rng) -> Evo:
    """The factory; parameters: `EvoSettings`.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    return Evo(read_params("evo", EvoSettings, params), problem, rng)
