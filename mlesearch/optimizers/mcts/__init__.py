"""Monte Carlo tree search, as two published systems do it: `preset: aira` (default) or `preset: ml_master`."""

from __future__ import annotations

from mlesearch.optimizers.base import Params, read_params
from mlesearch.optimizers.describe import Description
from mlesearch.optimizers.mcts.aira import Aira, AiraSettings
from mlesearch.optimizers.mcts.ml_master import MLMaster, MLMasterSettings
from mlesearch.types import Problem, Rng

DESCRIPTIONS = (
    Description(
        idea="tree search by UCT over normalised scores; a buggy child is debugged at once, in a chain",
        source="AIRA-dojo: Toledo et al. 2025, arXiv:2507.02554",
        settings=AiraSettings,
        given={"preset": "aira"},
        family="tree search",
    ),
    Description(
        idea="tree search by UCT with an annealed constant over rewards; a branch goes on until it gains too little",
        source="ML-Master: Liu et al. 2025, arXiv:2506.16499",
        settings=MLMasterSettings,
        given={"preset": "ml_master"},
        family="tree search",
    ),
)


def make(params: Params, problem: Problem, rng: Rng) -> Aira | MLMaster:
    """The factory; parameters: `AiraSettings` or, with `preset: ml_master`, `MLMasterSettings`. It draws nothing.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    if params.get("preset") == "ml_master":
        return MLMaster(read_params("mcts (preset ml_master)", MLMasterSettings, params), problem)
    return Aira(read_params("mcts (preset aira)", AiraSettings, params), problem)
