"""An undecided sequential study in the report: the runs that its next look waits for are planned, and not made yet."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from mlesearch.analysis.data.schema import typed
from mlesearch.analysis.data.tables import Tables
from mlesearch.analysis.planning.sequential import Standing
from mlesearch.storage.columns import RUNS
from mlesearch.storage.layout import RunKey

_OF_A_MODEL = ("tier", "capability", "capability_source")


def with_next_round(tables: Tables, found: Standing) -> Tables:
    """The tables with a `missing` row for every run that the next look waits for, where they have none.

    So a study that was not decided yet is an unfinished one, and gets a progress page and no verdict: a report between
    two looks is no look.

    Args:
        tables: validated.
        found: where the study stands.
    """
    runs = tables.runs
    there = set(runs["run_id"])
    new = [key for key in found.to_run if key.id not in there]
    if not new:
        return tables
    known = runs.drop_duplicates("model").set_index("model")
    rows = pd.DataFrame([_row(key, known, tables.simulated) for key in new])
    return replace(tables, runs=pd.concat([runs, typed(rows, RUNS, "runs")], ignore_index=True))


def _row(key: RunKey, known: pd.DataFrame, simulated: bool) -> dict[str, object]:
    """A run that was not made, with what is known of its model."""
    labels = {name: known.loc[key.model, name] if key.model in known.index else None for name in _OF_A_MODEL}
    row: dict[str, object] = dict.fromkeys(RUNS)
    return {
        **row,
        **labels,
        **key.to_json(),
        "run_id": key.id,
        "status": "missing",
        "reason": "",
        "simulated": simulated,
    }
