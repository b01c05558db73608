"""`mlesearch collect`: a study's runs folded into the three tables that the analysis reads.

runs.parquet has one row a run that any launch asked for (one that has no result yet is `missing`), nodes.parquet one
row a program, calls.parquet one row a model call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlesearch.storage.codec import Json
from mlesearch.storage.files import read_json
from mlesearch.storage.journal import JournalError
from mlesearch.storage.layout import RunKey, declared, run_folders
from mlesearch.study.summary import rows_of
from mlesearch.types import ConfigError

if TYPE_CHECKING:
    import pandas as pd

TEXT, INTEGER, REAL, FLAG = "string", "Int64", "Float64", "boolean"

RUNS = {
    "run_id": TEXT,
    "model": TEXT,
    "tier": TEXT,
    "capability": REAL,
    "capability_source": TEXT,
    "strategy": TEXT,
    "variant": TEXT,
    "task": TEXT,
    "suite": TEXT,
    "seed": INTEGER,
    "status": TEXT,
    "ended": TEXT,
    "reason": TEXT,
    "simulated": FLAG,
    "valid": FLAG,
    "score": REAL,
    "lower_is_better": FLAG,
    "gold": FLAG,
    "silver": FLAG,
    "bronze": FLAG,
    "above_median": FLAG,
    "percentile": REAL,
    "selected": INTEGER,
    "val_selected": REAL,
    "test_selected": REAL,
    "test_oracle": REAL,
    "medal_oracle": FLAG,
    "improvement_rate": REAL,
    "direction_accuracy": REAL,
    "charged_s": REAL,
    "wait_s": REAL,
    "real_s": REAL,
    "program_s": REAL,
    "program_cpu_s": REAL,
    "gpu_h": REAL,
    "gpu_wait_s": REAL,
    "cost_usd": REAL,
    "tokens_in": INTEGER,
    "tokens_out": INTEGER,
    "n_calls": INTEGER,
    "n_executions": INTEGER,
    "steps": INTEGER,
    "validation": TEXT,
    "promises": TEXT,
    "rung": TEXT,
    "environment": TEXT,
    "model_answered": TEXT,
    "hardware": TEXT,
}
NODES = {
    "run_id": TEXT,
    "proposal": INTEGER,
    "step": INTEGER,
    "op": TEXT,
    "trace": INTEGER,
    "base": INTEGER,
    "parents": TEXT,
    "status": TEXT,
    "verdict": TEXT,
    "t_charged_s": REAL,
    "cum_tokens": INTEGER,
    "cum_usd": REAL,
    "val_score": REAL,
    "test_score": REAL,
    "medal": TEXT,
    "valid": FLAG,
    "best_so_far": REAL,
}
CALLS = {
    "run_id": TEXT,
    "proposal": INTEGER,
    "op": TEXT,
    "attempt": INTEGER,
    "tokens_in": INTEGER,
    "tokens_out": INTEGER,
    "cost_usd": REAL,
    "service_s": REAL,
    "model_answered": TEXT,
}
DURATIONS = (
    *("charged_s", "wait_s", "real_s", "program_s", "program_cpu_s", "gpu_h", "gpu_wait_s"),
    *("t_charged_s", "service_s"),
)
"""Columns of measured durations: all that may differ between two equal studies."""


def collect(folder: Path) -> Path:
    """Write the three tables of a study; returns its folder.

    Raises:
        ConfigError: there is no study in this folder.
        JournalError: a run's journal is corrupt.
    """
    runs, nodes, calls = tables(folder)
    for name, frame in (("runs", runs), ("nodes", nodes), ("calls", calls)):
        temporary = folder / f".{name}.parquet"
        frame.to_parquet(temporary, index=False)
        temporary.replace(folder / f"{name}.parquet")
    return folder


def tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Runs, nodes and calls of a study, as they stand on disk now."""
    if not (folder / "study.json").exists():
        raise ConfigError(f"{folder}: no study here (no study.json); name the folder that a launch wrote")
    finished, labels, unfinished = [], {}, {}
    for f in run_folders(folder):
        run = read_json(f / "run.json")
        labels[run["key"]["model"]] = run["labels"]
        result = read_json(f / "result.json") if (f / "result.json").exists() else None
        if result is not None and result["status"] != "failed":
            finished.append(f)
        else:
            unfinished[RunKey(**run["key"])] = (f, result)
    runs, nodes, calls = rows_of(finished)
    have = {r["run_id"] for r in runs}
    for key in [*declared(folder), *unfinished]:
        if key.id not in have:
            have.add(key.id)
            row = _without_result(key, labels.get(key.model, {}), unfinished.get(key))
            runs.append(row)
    runs.sort(key=lambda r: r["run_id"])
    return _frame(runs, RUNS), _frame(nodes, NODES), _frame(calls, CALLS)


def _without_result(key: RunKey, labels: Mapping[str, object], begun: tuple[Path, Json | None] | None) -> Json:
    """The row of a run that failed, or that has not ended (or not begun) yet."""
    row: Json = dict.fromkeys(RUNS)
    folder, result = begun or (None, None)
    if folder is not None and result is not None and (folder / "journal.jsonl").exists():
        try:
            row |= rows_of([folder])[0][0]
        except JournalError as e:
            result = {**result, "reason": str(e)}
    flags = dict.fromkeys(("valid", "gold", "silver", "bronze", "above_median", "medal_oracle"), False)
    row |= flags | {
        "run_id": key.id,
        "model": key.model,
        "strategy": key.strategy,
        "variant": key.variant,
        "task": key.task,
        "seed": key.seed,
        "status": "failed" if result else "missing",
        "reason": result["reason"] if result else "",
        "simulated": labels.get("simulated"),
        "tier": labels.get("tier"),
        "capability": labels.get("capability"),
        "capability_source": labels.get("capability_source"),
        "score": None,
    }
    return row


def _frame(rows: Sequence[Json], columns: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({c: pd.array([r[c] for r in rows], dtype=t) for c, t in columns.items()})  # type: ignore[call-overload]  # dtype names are not literal here
