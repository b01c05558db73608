"""The facts of a study, for the end of its report: what was run, by which versions, on what."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from mlesearch.analysis.data import columns
from mlesearch.analysis.results import Results
from mlesearch.analysis.words import official, wording


def facts(results: Results) -> tuple[tuple[str, str], ...]:
    """The study's facts, for the end of the page."""
    runs, models = results.tables.runs, results.models
    status = runs["status"].value_counts()
    counted = ", ".join(f"{int(status.get(s, 0))} {s}" for s in ("ok", "failed", "timeout", "missing"))
    described = []
    for i, model in enumerate(models.names):
        notes = [models.tier[i]] if models.tier[i] else []
        if models.capability is not None and not models.ordinal:
            notes.append(f"capability {models.capability[i]:.3g}")
        described.append(f"{model} ({', '.join(notes)})" if notes else model)

    def distinct(column: str) -> str:
        return "; ".join(text for text in columns.distinct(runs[column]) if text) or "not recorded"

    grid = results.tables.study.get("grid")
    rows = [
        ("Models", "; ".join(described)),
        ("Source of capability", models.source or "not declared"),
        ("Strategies", "; ".join(arm.label for arm in results.arms)),
        ("Tasks", "; ".join(sorted(set(runs["task"])))),
        ("Seeds", "; ".join(str(seed) for seed in sorted(set(runs["seed"].astype(int))))),
        ("Runs", f"{len(runs)} ({counted})"),
        ("Missing runs", wording.missing_runs(results)),
        *([("Not run by design", results.not_planned.words)] if results.not_planned.runs else []),
        ("Steps per run", _span(runs["steps"])),
        ("Validation", distinct("validation")),
        *official.board_fact(runs),
        ("Hardware", distinct("hardware")),
        ("Sandbox", distinct("rung") if "rung" in runs.columns else "not recorded"),
        ("Sandbox promises", distinct("promises").replace(",", ", ")),
        ("Programs' environment", distinct("environment") if "environment" in runs.columns else "not recorded"),
        ("Programs' own time", _own_time(runs)),
        ("mlesearch", str(results.tables.study.get("mlesearch_version") or "unknown")),
    ]
    if isinstance(grid, Mapping) and grid:
        rows.append(("Declared grid", json.dumps(grid, sort_keys=True, ensure_ascii=False)))
    return tuple(rows)


def _own_time(runs: pd.DataFrame) -> str:
    """How much of the runs' wall-clock time their programs were running."""
    if not {"program_s", "program_cpu_s"} <= set(runs.columns) or runs["program_s"].dropna().empty:
        return "not recorded"
    known = runs.dropna(subset=["program_s", "program_cpu_s", "real_s"])
    ran, computed, real = (float(known[c].sum()) for c in ("program_s", "program_cpu_s", "real_s"))
    return f"{ran:,.0f} s run time ({computed:,.0f} s of processors) of {real:,.0f} s wall-clock time of all runs"


def _span(values: pd.Series[int]) -> str:
    """Smallest to largest known value."""
    known = values.dropna()
    if known.empty:
        return "not recorded"
    low, high = int(known.min()), int(known.max())
    return str(low) if low == high else f"{low} to {high}"
