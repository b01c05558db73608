"""The switches and constants of gome."""

from __future__ import annotations

from dataclasses import dataclass

from mlesearch.optimizers.base import param


@dataclass(frozen=True, slots=True)
class GomeSettings:
    """Parameters. The defaults are the published configuration, as far as it is known (docs/strategies.md).

    Attributes:
        n_traces: parallel traces.
        momentum: whether the success memory is retrieved and accepted experiments are shown.
        diagnosis: whether there is structured reasoning (DIAGNOSE, HYPOTHESIZE, SELECT); off: improve straight away.
        merge: whether steps near the end of the budget merge the traces.
        diversify: whether a trace without an accepted program is told to differ from the others.
        acceptance: "llm" decides by the model's word, "numeric" by the scores.
        selection: "llm" asks the model (operator SELECT), "rank" samples a hypothesis by its five scores.
        scale: "raw" takes differences of scores as they are, "robust" divides them by an interquartile range.
        pool: which retrieved entries are kept: "as_released" (the oldest) or "by_probability".
        max_debug: debugs of one step's program before the step counts as failed.
        max_debug_in_trial_runs: the same where programs run on a sample first (`run.trial`), so that bugs cost little.
        tie_tolerance: a change up to this share of the spread of accepted scores is a near-tie (numeric acceptance).
        merge_window: share of the budget at its end in which traces are merged.
        alpha: weight of similarity in the kernel.
        beta: weight of the score difference in the kernel.
        half_life: steps of a trace after which the weight of similarity has halved (gamma = ln 2 / half_life).
        history: how many accepted and how many failed experiments of its own a trace shows at most.
    """

    n_traces: int = param(3, low=1, high=64)
    momentum: bool = param(True)
    diagnosis: bool = param(True)
    merge: bool = param(False)
    diversify: bool = param(True)
    acceptance: str = param("llm", choices=("llm", "numeric"))
    selection: str = param("llm", choices=("llm", "rank"))
    scale: str = param("raw", choices=("raw", "robust"))
    pool: str = param("as_released", choices=("as_released", "by_probability"))
    max_debug: int = param(3, low=0)
    max_debug_in_trial_runs: int = param(10, low=0)
    tie_tolerance: float = param(1e-3, low=0.0)
    merge_window: float = param(0.1, low=0.0, high=1.0)
    alpha: float = param(1.0, low=0.0)
    beta: float = param(1.0, low=0.0)
    half_life: float = param(30.0, low=1e-6)
    history: int = param(20, low=1)
