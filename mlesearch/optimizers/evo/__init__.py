"""Evolutionary search, generational or in the steady state."""

from __future__ import annotations

from mlesearch.optimizers.base import Params, read_params
from mlesearch.optimizers.evo.search import Evo, EvoSettings
from mlesearch.types import Problem, Rng


def make(params: Params, problem: Problem, rng: Rng) -> Evo:
    """The factory; parameters: `EvoSettings`.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    return Evo(read_params("evo", EvoSettings, params), problem, rng)
