"""Monte Carlo graph search: UCT that gives way to the best programs, and stagnant branches that learn from others.

The names are those of MLEvolve's config/config.yaml; shares of its 12 hours are shares of the budget here.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlesearch.optimizers.base import param


@dataclass(frozen=True, slots=True)
class MCGSSettings:
    """Parameters.

    Attributes:
        initial_drafts: drafts made before any branch goes on.
        num_drafts: children of the root.
        num_improves: children of a valid program, those made when it was picked as one of the best not counted.
        topk_max_improves: children of a valid program at most when it is picked as one of the best.
        exploration_constant: C of UCT at first.
        alpha: how much C falls with each program.
        lower_bound: where C stops.
        back_debug_depth: a branch that is this many debugs deep without success is backed up and left.
        max_debug_depth: a program this deep is never debugged again.
        metric_improvement_threshold: a score that betters the branch's by less is no gain, in units of the score.
        max_improve_failure: a branch without gain more often than this since its last back-up is terminal.
        explore_switch_start: share of the budget until which UCT always selects.
        explore_switch_end: share from which it does so with probability `min_exploration_weight`.
        min_exploration_weight: see `explore_switch_end`.
        topk_early_k: how many of the best programs may be picked until `explore_switch_end`.
        topk_early_max_per_branch: how many of these may be of one branch.
        topk_late_k: the same from then on.
        topk_late_max_per_branch: the same from then on.
        branch_stagnation_threshold: valid programs of a branch below its best, since then, that make it stagnant.
        topk_stagnation_threshold: the same for a program that is picked as one of the best.
        evolution: a stagnant branch's program is improved with the path that led to it in view.
        fusion: a stagnant branch's program is merged with the best of other branches.
        aggregation: drafts made from the best of all branches.
        fusion_vs_evolution_prob: probability of fusion where both are possible.
        fusion_start: share of the budget before which nothing is merged.
        aggregation_start: share of the budget from which drafts are made from all branches.
        aggregation_end: share until which they are.
        max_fusion_drafts: such drafts at most.
        fusion_min_branches: branches needed for one.
        fusion_min_successful_nodes: valid programs that each of these needs.
        force_backprop_mid_threshold: share of the budget from which every so many programs a branch is backed up.
        force_backprop_mid_modulo: how many.
        force_backprop_late_threshold: share from which a branch is backed up at random instead.
        force_backprop_late_prob: how probably, after each program.
        recent_best_window: a program as good as the best of so many before it is not backed up by these two rules.
    """

    initial_drafts: int = param(3, low=1)
    num_drafts: int = param(5, low=1)
    num_improves: int = param(3, low=1)
    topk_max_improves: int = param(10, low=1)
    exploration_constant: float = param(1.414, low=0.0)
    alpha: float = param(0.01, low=0.0)
    lower_bound: float = param(0.5, low=0.0)
    back_debug_depth: int = param(3, low=1)
    max_debug_depth: int = param(20, low=1)
    metric_improvement_threshold: float = param(1e-4, low=0.0)
    max_improve_failure: int = param(3, low=0)
    explore_switch_start: float = param(0.5, low=0.0, high=1.0)
    explore_switch_end: float = param(0.7, low=0.0, high=1.0)
    min_exploration_weight: float = param(0.2, low=0.0, high=1.0)
    topk_early_k: int = param(5, low=1, high=100)
    topk_early_max_per_branch: int = param(3, low=1)
    topk_late_k: int = param(3, low=1, high=100)
    topk_late_max_per_branch: int = param(2, low=1)
    branch_stagnation_threshold: int = param(3, low=2)
    topk_stagnation_threshold: int = param(6, low=2)
    evolution: bool = param(True)
    fusion: bool = param(True)
    aggregation: bool = param(True)
    fusion_vs_evolution_prob: float = param(0.3, low=0.0, high=1.0)
    fusion_start: float = param(0.5, low=0.0, high=1.0)
    aggregation_start: float = param(0.5, low=0.0, high=1.0)
    aggregation_end: float = param(0.833, low=0.0, high=1.0)
    max_fusion_drafts: int = param(2, low=0)
    fusion_min_branches: int = param(2, low=2)
    fusion_min_successful_nodes: int = param(2, low=1)
    force_backprop_mid_threshold: float = param(0.4, low=0.0, high=1.0)
    force_backprop_mid_modulo: int = param(3, low=1)
    force_backprop_late_threshold: float = param(0.8, low=0.0, high=1.0)
    force_backprop_late_prob: float = param(0.5, low=0.0, high=1.0)
    recent_best_window: int = param(4, low=1)
