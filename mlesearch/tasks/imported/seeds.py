"""Complete seeds of imported results: what is done with a task that some seed lacks is asked for, and said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlesearch.tasks.imported.results import ImportedResult
from mlesearch.types import ConfigError

NAMED = 4


def complete_seeds(
    results: Sequence[ImportedResult], policy: str, tasks: Iterable[str] | None = None
) -> tuple[list[ImportedResult], list[str]]:
    """Results of which each seed has every task, for each model and strategy by itself.

    Args:
        results: of any number of models and strategies.
        policy: `refuse` what is incomplete; `drop` seeds that lack a task; or `pad` them with failures.
        tasks: that every seed is to have; None: those that the model and strategy has results on.

    Returns:
        The results, by model, strategy, seed and task; and what was left out or made up, one line each.

    Raises:
        ConfigError: some seed is incomplete and that is refused, or no seed is left.
    """
    wanted = None if tasks is None else list(dict.fromkeys(tasks))
    found: list[ImportedResult] = []
    notes: list[str] = []
    for of in sorted({result.of for result in results}):
        own = {(r.seed, r.task): r for r in results if r.of == of and (wanted is None or r.task in wanted)}
        names = wanted if wanted is not None else sorted({task for _, task in own})
        label = f"{of[0]}, {of[1]}"
        left = sum(r.of == of for r in results) - len(own)
        if left:
            notes.append(f"{label}: {left} results on other tasks are left out")
        if not own:
            raise ConfigError(f"{label}: no result on any of the tasks that --tasks names")
        seeds = sorted({seed for seed, _ in own})
        holes = [(seed, task) for seed in seeds for task in names if (seed, task) not in own]
        if holes and policy == "refuse":
            raise ConfigError(
                f"{label}: {len(holes)} of {len(seeds) * len(names)} results are missing ({_named(holes)}); say what "
                "is to be done: --incomplete drop leaves out seeds that lack a task, --incomplete pad counts failures"
            )
        if holes and policy == "drop":
            lacking = {seed for seed, _ in holes}
            seeds = [seed for seed in seeds if seed not in lacking]
            if not seeds:
                raise ConfigError(
                    f"{label}: every seed lacks a task ({_named(holes)}); --incomplete pad counts it as failed"
                )
            notes.append(f"{label}: {len(lacking)} seeds dropped, which lack {len(holes)} results ({_named(holes)})")
        elif holes:
            notes.append(f"{label}: {len(holes)} results padded as failures ({_named(holes)})")
        found += [own.get((seed, task)) or _failure(of, seed, task) for seed in seeds for task in names]
    return found, notes


def _failure(of: tuple[str, str], seed: int, task: str) -> ImportedResult:
    """A run without a submission, as MLE-bench's aggregation fills a seed."""
    return ImportedResult(*of, task, seed, None, "none", False, False, False, "test", None, "padded")


def _named(holes: Sequence[tuple[int, str]]) -> str:
    shown = "; ".join(f"{task}, seed {seed}" for seed, task in holes[:NAMED])
    return shown + (f" and {len(holes) - NAMED} more" if len(holes) > NAMED else "")
