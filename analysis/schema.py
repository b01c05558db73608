"""The columns of the three tables: names, kinds and meanings, and how a frame is brought into these types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from pandas.api import types as dtypes

from mlesearch.types import ConfigError

Kind = Literal["text", "int", "float", "flag"]
"""What a column holds: text, whole numbers, floats, or true and false."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        kind: what it holds.
        meaning: in words, with the unit.
        nullable: whether it may be empty where it does not apply.
        optional: whether the table may lack it.
    """

    kind: Kind
    meaning: str
    nullable: bool = False
    optional: bool = False


RUNS: Mapping[str, Column] = {
    "run_id": Column("text", "unique name of the run"),
    "model": Column("text", "model id as configured"),
    "tier": Column("text", "declared tier of the model", nullable=True),
    "capability": Column("float", "declared capability of the model, measured outside this study", nullable=True),
    "capability_source": Column("text", "where the capability figure comes from", nullable=True),
    "strategy": Column("text", "search strategy"),
    "variant": Column("text", "variant of the strategy (ablation, setting)"),
    "task": Column("text", "task id"),
    "suite": Column("text", "suite of the task", nullable=True),
    "seed": Column("int", "seed of the run"),
    "status": Column("text", "ok, failed, timeout or missing"),
    "simulated": Column("flag", "whether a simulated engineer answered in place of a language model"),
    "valid": Column("flag", "whether a valid submission was made"),
    "score": Column("float", "test score of the submission, in the metric's units", nullable=True),
    "lower_is_better": Column("flag", "direction of the metric"),
    "gold": Column("flag", "gold medal"),
    "silver": Column("flag", "silver medal"),
    "bronze": Column("flag", "bronze medal"),
    "above_median": Column("flag", "better than the median of the leaderboard"),
    "percentile": Column("float", "share of the leaderboard that the score reaches, 0 to 1", nullable=True),
    "val_selected": Column("float", "validation score of the submitted node", nullable=True),
    "test_selected": Column("float", "test score of the submitted node", nullable=True),
    "test_oracle": Column("float", "best test score of any valid node of the run", nullable=True),
    "medal_oracle": Column("flag", "whether that node has a medal"),
    "improvement_rate": Column("float", "share of improvement steps that beat their base by validation", nullable=True),
    "direction_accuracy": Column("float", "share of hypotheses whose predicted sign came true, 0 to 1", nullable=True),
    "charged_s": Column("float", "charged time, seconds", nullable=True),
    "wait_s": Column("float", "queueing and backoff, never charged, seconds", nullable=True),
    "real_s": Column("float", "wall-clock time, seconds", nullable=True),
    "program_s": Column("float", "run time of all programs, seconds", nullable=True, optional=True),
    "program_cpu_s": Column("float", "processor time of all programs, seconds", nullable=True, optional=True),
    "gpu_h": Column("float", "GPU hours", nullable=True),
    "gpu_wait_s": Column("float", "waiting for a free GPU, seconds", nullable=True, optional=True),
    "cost_usd": Column("float", "cost of all model calls, US dollars; empty without a known price", nullable=True),
    "tokens_in": Column("int", "input tokens", nullable=True),
    "tokens_out": Column("int", "output tokens", nullable=True),
    "n_calls": Column("int", "model calls", nullable=True),
    "n_executions": Column("int", "programs executed", nullable=True),
    "steps": Column("int", "program proposals, executed or not", nullable=True),
    "validation": Column("text", "harness or reported", nullable=True),
    "promises": Column("text", "promises of the sandbox that were in force", nullable=True),
    "rung": Column("text", "rung of the sandbox", nullable=True, optional=True),
    "environment": Column("text", "digest of the programs' interpreter and packages", nullable=True, optional=True),
    "model_answered": Column("text", "model id that the provider answered with", nullable=True),
    "hardware": Column("text", "declared hardware", nullable=True),
}

NODES: Mapping[str, Column] = {
    "run_id": Column("text", "run that the node belongs to"),
    "proposal": Column("int", "proposal id, dense within the run"),
    "step": Column("int", "number of program proposals up to and with this one", nullable=True),
    "op": Column("text", "operator"),
    "trace": Column("int", "parallel trace", nullable=True),
    "base": Column("int", "program that was edited", nullable=True),
    "parents": Column("text", "lineage: proposal ids, separated by commas", nullable=True),
    "status": Column("text", "ok, or how it failed"),
    "verdict": Column("text", "accepted, rejected, void, or empty", nullable=True),
    "t_charged_s": Column("float", "charged time at which it was finished, seconds"),
    "cum_tokens": Column("int", "tokens spent by the run so far", nullable=True),
    "cum_usd": Column("float", "US dollars spent by the run so far", nullable=True),
    "val_score": Column("float", "validation score", nullable=True),
    "test_score": Column("float", "test score, never seen by the strategy", nullable=True),
    "valid": Column("flag", "whether its validation score counts as one"),
    "best_so_far": Column("float", "best validation score of the run so far", nullable=True),
    "medal": Column("text", "medal of this node: gold, silver, bronze or none", nullable=True, optional=True),
}

CALLS: Mapping[str, Column] = {
    "run_id": Column("text", "run that the call belongs to"),
    "proposal": Column("int", "proposal that it was made for"),
    "op": Column("text", "operator (a review has its own)"),
    "attempt": Column("int", "attempt: repair turns and retries after truncation count"),
    "tokens_in": Column("int", "input tokens"),
    "tokens_out": Column("int", "output tokens"),
    "cost_usd": Column("float", "US dollars; empty without a known price", nullable=True),
    "service_s": Column("float", "service time of the call, seconds"),
    "model_answered": Column("text", "model id that the provider answered with", nullable=True, optional=True),
}

SCHEMAS: Mapping[str, Mapping[str, Column]] = {"runs": RUNS, "nodes": NODES, "calls": CALLS}


def typed(frame: pd.DataFrame, schema: Mapping[str, Column], table: str) -> pd.DataFrame:
    """The frame with the columns of the schema in its order and in its types; other columns follow unchanged.

    Args:
        frame: as read.
        schema: one of `RUNS`, `NODES`, `CALLS`.
        table: its name, for errors.

    Raises:
        ConfigError: a column is absent, or holds the wrong kind of value.
    """
    absent = [name for name, column in schema.items() if name not in frame.columns and not column.optional]
    if absent:
        raise ConfigError(
            f"table {table} lacks the column{'' if len(absent) == 1 else 's'} {', '.join(absent)}; "
            "collect the study again with this version of mlesearch"
        )
    parts: dict[str, Any] = {}
    for name, column in schema.items():
        if name in frame.columns:
            parts[name] = _typed_column(frame[name], column, f"{table}.{name}")
    parts |= {str(name): frame[name] for name in frame.columns if name not in schema}
    return pd.DataFrame(parts, index=frame.index).reset_index(drop=True)


def _typed_column(values: pd.Series[Any], column: Column, where: str) -> pd.Series[Any]:
    """One column in its type, or a ConfigError that names it."""
    empty = values.isna()
    if column.kind == "flag":
        return _typed_flag(values, empty, where)
    if not column.nullable and bool(empty.any()):
        row = int(empty.to_numpy().argmax())
        raise ConfigError(f"{where} is empty in row {row}; this column needs a value ({column.meaning})")
    if column.kind == "text":
        return values.where(empty, values.astype(str)).astype(object).where(~empty, None)
    try:
        numbers = pd.to_numeric(values).astype("Float64" if column.kind == "int" else "float64")
        return numbers.astype("Int64" if column.nullable else "int64") if column.kind == "int" else numbers
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where} does not hold numbers ({error}); expected: {column.meaning}") from None


def _typed_flag(values: pd.Series[Any], empty: pd.Series[Any], where: str) -> pd.Series[Any]:
    """A column of true and false; empty means false (an ungraded run has no medal)."""
    filled = values.astype(object).where(~empty, False)
    if not (dtypes.is_bool_dtype(values.dtype) or filled.isin([True, False]).all()):
        raise ConfigError(f"{where} holds something other than true or false")
    return filled.astype(bool)
