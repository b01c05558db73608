"""`mlesearch budget`: what a study has spent and may, and another limit for the workers that are at work."""

from __future__ import annotations

from pathlib import Path

from mlesearch.cli.show_study import find_study, find_study_to_change
from mlesearch.cli.terminal import shell_words, shown
from mlesearch.study.output import say
from mlesearch.study.workers.spending import check_limit, set_limit, spending


def budget(folder: Path, study_usd: float | None) -> int:
    """Say what a study has spent; with another limit, set that first.

    Args:
        folder: of the study, or within it.
        study_usd: what it may cost from now on; None: as it is.

    Raises:
        ConfigError: there is no study here, or no list of its runs; or its workers count no money.
        SharedBudgetError: what was spent can't be read.
        OSError: nothing can be written in the study.
    """
    study = find_study(folder) if study_usd is None else find_study_to_change(folder)
    then = ""
    if study_usd is not None:
        check_limit("--study-usd", study_usd)
        working = set_limit(study, study_usd)
        hear = f"{working} worker{' at work hears' if working == 1 else 's at work hear'} of it before the next call"
        then = f"; {hear}" if working else f"; no worker is at work: {shell_words('resume', study)}"
    found = spending(study)
    cut = f" (${found.lost_usd:,.4f} of them for calls that were cut off)" if found.lost_usd else ""
    of = "no limit" if found.study_usd is None else f"a limit of ${found.study_usd:,.4f}"
    held = f", ${found.reserved_usd:,.4f} held for calls in flight" if found.reserved_usd else ""
    say(f"{shown(study)}: ${found.spent_usd:,.4f} spent{cut}{held}, {of}{then}")
    return 0
