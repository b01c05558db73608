"""All strategies that ship, in settings that reach every branch; as a program, a digest of what each decides."""

from __future__ import annotations

import hashlib

from mlesearch.optimizers.base import factory
from mlesearch.testing.optimizer_contract import Scenario, simulate
from mlesearch.types import Context

PRESETS: dict[str, tuple[str, dict[str, object]]] = {
    "random": ("random", {}),
    "best_of_n": ("random", {"p_draft": 1.0}),
    "sequential": ("random", {"p_draft": 1.0, "context_sample": 3}),
    "random_sampled": ("random", {"p_draft": 0.5, "context_sample": 5}),
    "greedy": ("greedy", {}),
    "aira_greedy": ("greedy", {"debug_prob": 1.0, "max_debug_depth": 20, "native_context": "scope"}),
    "hillclimb": ("hillclimb", {}),
    "hillclimb_no_debug": ("hillclimb", {"max_debug": 0}),
    "adaptive": ("adaptive", {}),
    "adaptive_short": ("adaptive", {"window": 6, "steps_per_branch": 4, "min_remaining": 1}),
    "adaptive_eager": (
        "adaptive",
        {"window": 1, "epsilon": 0.5, "branches": 5, "steps_per_branch": 1, "min_remaining": 0, "max_debug": 1},
    ),
    "aira": ("mcts", {"preset": "aira"}),
    "ml_master": ("mcts", {"preset": "ml_master"}),
    "ml_master_published": ("mcts", {"preset": "ml_master", "reward": "as_published"}),
    "evo": ("evo", {}),
    "evo_steady": ("evo", {"replacement": "steady_state"}),
    "evo_islands": (
        "evo",
        {
            "num_islands": 3,
            "individuals_per_generation": 2,
            "max_island_size": 3,
            "crossover_prob": 0.8,
            "num_generations_till_crossover": 1,
            "migration_prob": 0.5,
            "num_generations_till_migration": 2,
            "initial_temp": 2.0,
            "final_temp": 0.1,
            "num_generations": 10,
            "max_debug_depth": 2,
        },
    ),
    "mcgs": ("mcgs", {}),
    "mcgs_eager": (
        "mcgs",
        {
            "initial_drafts": 1,
            "num_drafts": 3,
            "num_improves": 2,
            "topk_max_improves": 2,
            "explore_switch_start": 0.0,
            "explore_switch_end": 0.3,
            "branch_stagnation_threshold": 2,
            "topk_stagnation_threshold": 2,
            "fusion_start": 0.0,
            "aggregation_start": 0.1,
            "max_improve_failure": 0,
            "back_debug_depth": 1,
            "max_debug_depth": 2,
            "force_backprop_mid_threshold": 0.1,
            "force_backprop_late_threshold": 0.5,
        },
    ),
    "mcgs_tree": ("mcgs", {"evolution": "off", "fusion": "off", "aggregation": "off"}),
    "gome": ("gome", {}),
    "gome_robust": ("gome", {"acceptance": "numeric", "scale": "robust", "pool": "by_probability", "merge": True}),
    "gome_rank": ("gome", {"selection": "rank", "acceptance": "numeric"}),
    "gome_no_momentum": ("gome", {"momentum": "off"}),
    "gome_no_diagnosis": ("gome", {"diagnosis": "off"}),
    "gome_bare": ("gome", {"momentum": "off", "diagnosis": "off", "merge": "off", "diversify": "off"}),
    "gome_one_trace": ("gome", {"n_traces": 1, "max_debug": 0}),
    "gome_raw_merge": ("gome", {"merge": "on", "acceptance": "numeric"}),
    "gome_eight_traces": ("gome", {"n_traces": 8}),
    "gome_merging": (
        "gome",
        {"n_traces": 4, "merge": True, "merge_window": 0.8, "diversify": False, "history": 2, "selection": "rank"},
    ),
}


def digest(preset: str) -> str:
    """Of all events of four runs."""
    kind, params = PRESETS[preset]
    text = ""
    for seed, workers, context in (
        (17, 1, Context.SHARED),
        (17, 1, Context.NATIVE),
        (17, 5, Context.SHARED),
        (18, 1, Context.SHARED),
    ):
        scenario = Scenario(seed, steps=150, workers=workers, context=context, p_fail=0.5)
        search = factory(kind)(params, scenario.problem, scenario.rng)
        text += repr(simulate(search, scenario.outcome, workers=workers, steps=scenario.steps, pick=scenario.pick))
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    for preset in PRESETS:
        print(preset, digest(preset))
