"""That a study's grid has grown since the claim was declared, which its tests know nothing of."""

from __future__ import annotations

import pandas as pd

from mlesearch.analysis.data.columns import distinct
from mlesearch.analysis.results import Results
from mlesearch.analysis.text import listing, plural

_AXES = {"model": "model", "strategy": "strategy", "variant": "variant", "task": "task", "seed": "seed"}
_SHOWN = 4


def grown(results: Results) -> str:
    """That later launches added runs, and what of it is new; empty where one launch asked for all, or looks did.

    A study without a declared claim confirms nothing, so nothing is said of it.
    """
    runs, claim = results.tables.runs, results.claim
    if claim is None or not claim.declared or results.looks is not None or "launch" not in runs.columns:
        return ""
    number = runs["launch"].dropna().astype(int)
    if number.nunique() < 2:
        return ""
    later = number > number.min()
    of_first, added = runs.loc[number.index[~later]], runs.loc[number.index[later]]
    launches = number[later].nunique()
    by = "a later launch" if launches == 1 else f"{launches} later launches"
    return (
        f"The grid has grown since the first launch, before which the claim was declared: {len(added):,} of "
        f"{plural(len(runs), 'run')} were asked for by {by}{_new(of_first, added)}. If results were seen in between, "
        "tests reject more often than their levels say."
    )


def _new(first: pd.DataFrame, added: pd.DataFrame) -> str:
    """Models, strategies and so on that only later launches have."""
    found = []
    for column, what in _AXES.items():
        known = set(distinct(first[column].astype(str)))
        names = [name for name in distinct(added[column].astype(str)) if name not in known]
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            named = f"{', '.join(names[:_SHOWN])}{more}" if more else listing(names)
            found.append(f"{plural(len(names), what)}: {named}".replace("strategys", "strategies"))
    return f" (new with {'; '.join(found)})" if found else ""
