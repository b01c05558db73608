"""Monte Carlo graph search as in MLEvolve: a tree of branches that show each other what they found."""

from __future__ import annotations

from mlesearch.optimizers.base import Params, read_params
from mlesearch.optimizers.describe import Description
from mlesearch.optimizers.mcgs.search import GraphSearch
from mlesearch.optimizers.mcgs.settings import MCGSSettings
from mlesearch.types import Problem, Rng

DESCRIPTIONS = (
    Description(
        idea="tree search whose stagnant branches learn from the others; UCT gives way to the best programs",
        source="MLEvolve: Du et al. 2026, arXiv:2606.06473",
        settings=MCGSSettings,
        family="tree search",
    ),
)


def make(params: Params, problem: Problem, rng: Rng) -> GraphSearch:
    """The factory; parameters: `MCGSSettings`.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    return GraphSearch(read_params("mcgs", MCGSSettings, params), problem, rng)
