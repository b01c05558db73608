"""Runs that a study leaves out by design stay out of later launches, unless they are asked for as such.

The same command goes on with a study, so that it names a run again is no decision to carry it out after all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from mlesearch.analysis.text import plural
from mlesearch.config.planning.plan import StudyPlan
from mlesearch.storage.layout import not_planned
from mlesearch.types import ConfigError


def without_left_out(planned: StudyPlan, option: str, tell: Callable[[str], None]) -> StudyPlan:
    """The launch without the runs that the study leaves out.

    Args:
        planned: as asked for.
        option: what the user gives to have them carried out all the same.
        tell: is told, in a line, how many there are and why.

    Raises:
        ConfigError: there is no other.
    """
    left_out = not_planned(planned.folder)
    runs = tuple(run for run in planned.runs if run.key not in left_out)
    gone = len(planned.runs) - len(runs)
    if not gone:
        return planned
    reasons = Counter(left_out[run.key] for run in planned.runs if run.key in left_out)
    why = "; ".join(f"{reason} ({n})" if len(reasons) > 1 else reason for reason, n in reasons.most_common())
    of, be = plural(len(planned.runs), "run"), "is" if gone == 1 else "are"
    said = f"{gone:,} of the {of} of this launch {be} left out of the study by design: {why}"
    anyway = f"{option} has {'it' if gone == 1 else 'them'} carried out all the same"
    if not runs:
        raise ConfigError(f"{said}; {anyway}")
    tell(f"{said}; {'it stays' if gone == 1 else 'they stay'} out ({anyway})")
    return replace(planned, runs=runs)
