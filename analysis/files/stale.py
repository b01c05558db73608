"""Files of an earlier report that would contradict a later one: verdicts beside the page of an unfinished study."""

from __future__ import annotations

from pathlib import Path

FINAL = (
    *("rates", "gaps", "gaps_by_task", "capability", "crossover", "mechanism", "dynamics", "lost_cases"),
    *("medals", "gaps-main", "gaps-others", "slopes", "lost-cases", "scores", "leaders", "looks", "stages"),
    *("assumptions", "left_out", "left-out", "gaps-checked", "rates_by_category", "rates-by-category", "dispersion"),
    *("crossings", "percentiles", "improvement", "best_baseline", "best-baseline", "ablations", "traces", "front"),
    *("measures", "budgets", "budget_gaps", "budget_crossover", "process", "process_success", "process-success"),
)
"""Names of tables and figures that a report has only where all planned runs were made."""

PROGRESS = ("progress",)
"""Names of those that it has only where not."""


def remove(folders: tuple[Path, ...], kept: set[Path], *, unfinished: bool) -> None:
    """Remove the files of an earlier report of the same study, when there were more or fewer runs to make.

    Args:
        folders: of tables and of figures.
        kept: files that the report writes now.
        unfinished: whether it is of an unfinished study.

    Raises:
        OSError: they can't be removed.
    """
    for folder in folders:
        for name in FINAL if unfinished else (*PROGRESS, "lost_cases", "lost-cases"):
            for kind in ("csv", "md", "tex", "svg", "pdf"):
                path = folder / f"{name}.{kind}"
                if path not in kept:
                    path.unlink(missing_ok=True)
