"""Whether the two sides of a comparison ran in the same sandbox: a gap between them may come from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mlesearch.analysis.data.claim import Arm
from mlesearch.analysis.measures.accounts import arm_labels

ASPECTS: Mapping[str, str] = {
    "rung": "sandbox rung",
    "promises": "sandbox promises",
    "environment": "sandbox environment",
}
"""Columns of the table of runs that describe the sandbox, with their names for people."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One aspect in which the runs of two arms differ on the same model and task.

    Attributes:
        aspect: key of `ASPECTS`.
        models: those with which they differ, in display order.
        treatment: values that the treatment's runs had there, sorted.
        baseline: values that the baseline's runs had there, sorted.
    """

    aspect: str
    models: tuple[str, ...]
    treatment: tuple[str, ...]
    baseline: tuple[str, ...]


def differences(
    runs: pd.DataFrame, models: Sequence[str], arms: Sequence[Arm], treatment: Arm, baseline: Arm
) -> tuple[Difference, ...]:
    """Where the runs of two arms were not run in the same sandbox; empty where they were, or where nothing is known.

    Runs that never began have no sandbox and are left out. Runs that differ among themselves in the same way on both
    sides (one seed here, one there) are no difference between the sides.

    Args:
        runs: table of runs.
        models: in display order.
        arms: all of the study.
        treatment: one side.
        baseline: the other.
    """
    found = []
    for aspect in (a for a in ASPECTS if a in runs.columns and runs[a].nunique() > 1):
        known = runs.assign(arm=arm_labels(runs, arms)).dropna(subset=[aspect])
        known = known[known["arm"].isin([treatment.label, baseline.label])]
        values: dict[tuple[str, str, str], set[str]] = {}
        for model, task, arm, value in zip(known["model"], known["task"], known["arm"], known[aspect], strict=True):
            values.setdefault((model, task, arm), set()).add(str(value))
        unlike: list[tuple[str, set[str], set[str]]] = []
        for model, task in sorted({key[:2] for key in values}):
            left, right = (values.get((model, task, side.label), set()) for side in (treatment, baseline))
            if left and right and left != right:
                unlike.append((model, left, right))
        if unlike:
            where = {model for model, _, _ in unlike}
            sides = [tuple(sorted(set().union(*(u[side] for u in unlike)))) for side in (1, 2)]
            found.append(Difference(aspect, tuple(m for m in models if m in where), sides[0], sides[1]))
    return tuple(found)
