"""What a reader must know before comparing: differences between the arms that are not the strategy."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlesearch.analysis.comparisons.sandboxes import ASPECTS
from mlesearch.analysis.data import unranked
from mlesearch.analysis.data.codes import run_rows
from mlesearch.analysis.data.columns import coded, distinct
from mlesearch.analysis.data.outcomes import RATES
from mlesearch.analysis.results import Results
from mlesearch.analysis.words import official, wording
from mlesearch.analysis.words.assumptions_words import dispersion_sentence
from mlesearch.analysis.words.grown_words import grown


def warnings(results: Results) -> tuple[str, ...]:
    """One sentence each, in the order of the page."""
    runs = results.tables.runs
    measure = RATES[results.outcome] if results.claimed is not None else ""
    found = [wording.sandbox_sentence(c) for c in results.others if c.sandboxes]
    found += [said] if (said := grown(results)) else []
    found += [said] if (said := unranked.sentence(runs)) else []
    found += official.sentences(runs)
    found += [said] if (said := dispersion_sentence(results.dispersion, measure)) else []
    columns = {"hardware": "hardware", **ASPECTS, "validation": "validation"}
    for column, what in columns.items():
        if column not in runs.columns:
            continue
        values = distinct(runs[column])
        if len(values) > 1:
            found.append(f"Not all runs share the same {what}: {'; '.join(values[:4])}.{_who_reports(column, runs)}")
    return (*found, *_changed_ids(results))


def _who_reports(column: str, runs: pd.DataFrame) -> str:
    """Of runs that were scored in different ways: the tasks whose programs reported the score themselves."""
    tasks = sorted(set(runs["task"][runs["validation"] == "reported"])) if column == "validation" else []
    return f" Programs reported their own score on {', '.join(tasks)}." if tasks else ""


def _changed_ids(results: Results) -> list[str]:
    """A model that answered under several ids; operators that another model answers (a role) are looked at apart."""
    runs, calls = results.tables.runs, results.tables.calls
    if "model_answered" in calls.columns:
        looked_at = (runs["model"], calls["op"], calls["model_answered"])
        (model, models), (op, ops), (said, ids) = map(coded, looked_at)
        model = np.append(model, -1)[run_rows(calls, runs)]
        known = (model >= 0) & (op >= 0) & (said >= 0)
        code = (model[known] * len(ops) + op[known]) * len(ids) + said[known]
        seen = np.stack(np.unravel_index(np.flatnonzero(np.bincount(code)), (len(models), len(ops), len(ids))), axis=1)
        columns = {"model": models[seen[:, 0]], "op": ops[seen[:, 1]], "model_answered": ids[seen[:, 2]]}
        answered = pd.DataFrame(columns)
        groups = answered.groupby(["model", "op"], sort=True)["model_answered"]
    else:
        groups = runs.dropna(subset=["model_answered"]).groupby(["model"], sort=True)["model_answered"]
    changed = {(str(key[0]), tuple(sorted(map(str, part.unique())))): None for key, part in groups}
    return [f"Model {m} answered under {len(ids)} ids: {'; '.join(ids[:4])}." for m, ids in changed if len(ids) > 1]
