"""Monte Carlo graph search as in MLEvolve: a tree of branches that show each other what they found."""

from __future__ import annotations

from mlesearch.optimizers.base import Params, read_params
from mlesearch.optimizers.mcgs.search import GraphSearch
from mlesearch.optimizers.mcgs.settings import MCGSSettings
from mlesearch.types import Problem, Rng


def make(params: Params, problem: Problem, rng: Rng) -> GraphSearch:
    """The factory; parameters: `MCGSSettings`.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    return GraphSearch(read_params("mcgs", MCGSSettings, params), problem, rng)
