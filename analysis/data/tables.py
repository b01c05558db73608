"""The three tables and the description of a study: reading them, what is refused, and missing runs.

They are all that the analysis ever sees of a study: `runs.parquet` (one row a run), `nodes.parquet` (one row a
node), `calls.parquet` (one row a model call) and `study.json`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from mlesearch.analysis.data.columns import coded, distinct, distinct_pairs, used
from mlesearch.analysis.data.policies import POLICIES, Policy
from mlesearch.analysis.data.schema import decoded, read_frame, typed
from mlesearch.storage.columns import MEDALS, RUN_STATUSES, TABLES
from mlesearch.storage.imported import ImportedFile, read_imported
from mlesearch.storage.layout import RunKey
from mlesearch.types import ConfigError

RESULTS = ("ok", "timeout")
"""Statuses of runs that have a result. One that failed has none: it is missing, with a reason."""

IDENTITY = tuple(field.name for field in fields(RunKey))
CELL = ("model", "strategy", "variant")


@dataclass(frozen=True, slots=True)
class Tables:
    """A study as the analysis sees it; the columns are those of `mlesearch.storage.columns`.

    Attributes:
        runs: one row a run, columns of `RUNS`.
        nodes: one row a node, columns of `NODES`.
        calls: one row a model call, columns of `CALLS`.
        study: the content of study.json.
        imported: results of others, which stand beside these and are never pooled with them.
        planned: how many runs the study has, where these are its first rounds of seeds alone; 0: these are all.
    """

    runs: pd.DataFrame
    nodes: pd.DataFrame
    calls: pd.DataFrame
    study: Mapping[str, Any]
    imported: tuple[ImportedFile, ...] = ()
    planned: int = 0

    @property
    def interim(self) -> str:
        """What a report of an unfinished study says of itself; empty where all planned runs were made."""
        if self.planned:
            return f"Interim: the first {len(self.runs)} of {self.planned} runs, the same seeds of every cell and task"
        made = f"{len(self.runs) - self.to_come} of {len(self.runs)}"
        return f"Unfinished: {made} planned runs were made" if self.to_come else ""

    @property
    def to_come(self) -> int:
        """Planned runs that were not made (not begun, or not ended); a study that has any is unfinished."""
        return int((self.runs["status"] == "missing").sum()) + max(0, self.planned - len(self.runs))

    @property
    def simulated(self) -> bool:
        """Whether a simulated engineer stood in for the language model."""
        return bool(self.runs["simulated"].any())

    def has_imported(self, strategy: str) -> bool:
        """Whether results of a strategy of this name were imported."""
        return any(row["strategy"] == strategy for content in self.imported for row in content["rows"])


@dataclass(frozen=True, slots=True)
class PolicyNote:
    """What the missing-run policy did.

    Attributes:
        policy: its name.
        missing: number of runs without a result, failed ones included.
        failed: how many of them failed.
        expected: number of runs that the grid holds.
        dropped_tasks: tasks left out, sorted.
        dropped_runs: rows left out.
        to_come: how many of the missing were not made at all; they are no failures under any policy.
    """

    policy: Policy
    missing: int
    expected: int
    dropped_tasks: tuple[str, ...]
    dropped_runs: int
    failed: int = 0
    to_come: int = 0

    @property
    def words(self) -> str:
        """One sentence for the report."""
        if not self.missing:
            return f"no missing run among {self.expected} (policy: {self.policy})"
        failed = f", {self.failed} of them since they failed" if self.failed else ""
        failed += f", {self.to_come} since they were not made" if self.to_come else ""
        found = f"{self.missing} of {self.expected} runs are missing{failed} (policy: {self.policy}): "
        if self.policy == "fail":
            each = "each that failed" if self.to_come else "each"
            left = "; those that were not made are no failures, and gaps leave them out" if self.to_come else ""
            found += f"{each} counts as one without success, and a rate that it could change is given by its two bounds"
            return found + left
        tasks = f"{len(self.dropped_tasks)} task{'' if len(self.dropped_tasks) == 1 else 's'}"
        if self.policy == "drop_task":
            return found + f"{tasks} left out for all models and strategies, {self.dropped_runs} runs in all"
        extra = f", and {tasks} left with no run in some cell" if self.dropped_tasks else ""
        return found + f"they are left out, so these cells have fewer seeds{extra}"


def read(study_dir: Path | str) -> Tables:
    """Reads the tables of a study, typed by the schemas. Call `validate` on the result before using it.

    Raises:
        ConfigError: a file is absent or unreadable, a column is absent, or a column holds the wrong kind of value.
    """
    folder = Path(study_dir)
    study_file = folder / "study.json"
    if not study_file.is_file():
        raise ConfigError(f"{study_file} does not exist: a study folder with study.json is expected")
    try:
        study = json.loads(study_file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{study_file} is not valid JSON ({error}); restore it, it is written once") from None
    if not isinstance(study, dict):
        raise ConfigError(f"{study_file} holds {type(study).__name__}, expected an object with name, claim and grid")
    frames = {}
    for name, columns in TABLES.items():
        file = folder / f"{name}.parquet"
        if not file.is_file():
            raise ConfigError(f"{file} does not exist: collect the study first (`mlesearch collect {folder}`)")
        try:
            frame = read_frame(file)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{file} cannot be read ({error}); collect the study again") from None
        frames[name] = typed(_told_apart(frame, study) if name == "runs" else frame, columns, name)
    frames["runs"] = decoded(frames["runs"])
    imported = tuple(read_imported(folder))
    return Tables(runs=frames["runs"], nodes=frames["nodes"], calls=frames["calls"], study=study, imported=imported)


def only(tables: Tables, run_ids: Collection[str]) -> Tables:
    """Some runs of a study, as an interim report shows them: the first rounds of seeds, while others are to come.

    Args:
        tables: of all runs.
        run_ids: those to keep; all of them: the tables as they are.
    """
    planned = tables.runs[tables.runs["status"] != "not_planned"]
    if planned["run_id"].isin(run_ids).all():
        return tables
    return replace(of_runs(tables, run_ids), planned=len(planned))


def of_runs(tables: Tables, run_ids: Collection[str]) -> Tables:
    """Some runs of a study, with their nodes and calls."""
    runs, nodes, calls = (
        frame[frame["run_id"].isin(run_ids)].reset_index(drop=True)
        for frame in (tables.runs, tables.nodes, tables.calls)
    )
    return replace(tables, runs=runs, nodes=nodes, calls=calls)


def has_result(runs: pd.DataFrame) -> pd.Series[bool]:
    """Whether each run has a result."""
    return runs["status"].isin(RESULTS)


def _told_apart(runs: pd.DataFrame, study: Mapping[str, Any]) -> pd.DataFrame:
    """A run that never began does not know whether it would have been simulated: other runs do, or study.json."""
    if not {"simulated", "status"} <= set(runs.columns):
        return runs
    known = list(runs["simulated"].dropna().unique())
    if not known and study.get("simulated") is not None:
        known = [bool(study["simulated"])]
    unknown = runs["simulated"].isna() & ~has_result(runs)
    return runs.assign(simulated=runs["simulated"].where(~unknown, known[0])) if len(known) == 1 else runs


def validate(tables: Tables) -> None:
    """Refuses tables from which no number should be computed.

    Raises:
        ConfigError: no run at all; two runs with one identity or one run_id; an unknown status; more than one medal
            flag on a run; a medal on an invalid run; a run without a result that is valid; live and simulated rows
            together; imported rows; a hole in the grid with no `missing` row; nodes or calls of an unknown run.
    """
    runs = tables.runs
    if runs.empty:
        raise ConfigError("table runs is empty: run the study and collect it before analysing it")
    _refuse_imported(tables)
    _refuse_duplicates(runs)
    unknown = ~runs["status"].isin(RUN_STATUSES)
    _refuse(runs, unknown, lambda row: f"has status {row['status']!r}; allowed: {', '.join(RUN_STATUSES)}")
    flags = runs[list(MEDALS)]
    _refuse(
        runs,
        flags.sum(axis=1) > 1,
        lambda row: (
            "has more than one medal flag (" + ", ".join(m for m in MEDALS if row[m]) + "); at most one is "
            "allowed: collect the study again"
        ),
    )
    _refuse(
        runs,
        (flags.any(axis=1) | runs["above_median"]) & ~runs["valid"],
        lambda row: "has a medal or stands above the median though its submission is invalid; collect the study again",
    )
    _refuse(
        runs,
        runs["valid"] & ~has_result(runs),
        lambda row: f"is {row['status']}, which is no result, and yet valid; collect the study again",
    )
    _refuse_mixture(tables)
    _refuse_holes(tables)
    known = set(runs["run_id"])
    for name, frame in (("nodes", tables.nodes), ("calls", tables.calls)):
        places, texts = coded(frame["run_id"])
        if known.issuperset(texts.tolist()):
            continue
        if strangers := sorted(set(used(places, texts)[1].tolist()) - known):
            raise ConfigError(
                f"table {name} has rows of run {strangers[0]!r}, which table runs lacks "
                f"({len(strangers)} such runs); collect the study again"
            )


def _refuse(runs: pd.DataFrame, bad: pd.Series[Any], what: Any) -> None:
    """Raises about the first bad run, saying how many there are."""
    count = int(bad.sum())
    if count:
        row = runs[bad].iloc[0]
        others = f" ({count} runs in all)" if count > 1 else ""
        raise ConfigError(f"run {row['run_id']} {what(row)}{others}")


def _refuse_imported(tables: Tables) -> None:
    """Results of others among the study's runs: marked as such, or under a model and strategy that were imported."""
    runs = tables.runs
    if tables.imported and tables.simulated:
        raise ConfigError(
            f"this study is simulated, and {tables.imported[0]['name']} was imported into it; simulated and other "
            "results may never stand in one table: remove its folder imported_results"
        )
    if "imported" in runs.columns:
        marked = runs["imported"].astype("boolean").fillna(False).astype(bool)
        _refuse(runs, marked, lambda row: "was imported; imported results are never pooled with a study's own runs")
    names = {(row["model"], row["strategy"]): content["name"] for content in tables.imported for row in content["rows"]}
    if not names:
        return
    pairs = pd.Series(list(zip(runs["model"], runs["strategy"], strict=True)), index=runs.index, dtype=object)
    _refuse(
        runs,
        pairs.isin(names.keys()),
        lambda row: (
            f"has the model and strategy of the import {names[row['model'], row['strategy']]}; imported results are "
            "never pooled: remove that file, and import it under another name (--strategy)"
        ),
    )


def _refuse_duplicates(runs: pd.DataFrame) -> None:
    """Two rows for one run."""
    for columns in (list(IDENTITY), ["run_id"]):
        again = runs.duplicated(columns)
        if bool(again.any()):
            row = runs[again].iloc[0]
            what = ", ".join(f"{name}={row[name]}" for name in columns)
            raise ConfigError(f"table runs holds two rows for {what}; each run may stand there once: collect again")


def _refuse_mixture(tables: Tables) -> None:
    """Live and simulated rows together, or a study.json or another table that says otherwise than its runs."""
    simulated = tables.runs["simulated"]
    if bool(simulated.any()) and not bool(simulated.all()):
        raise ConfigError(
            f"table runs mixes {int(simulated.sum())} simulated with {int((~simulated).sum())} live runs; "
            "put them into two studies, their results may never stand in one table"
        )
    for name, frame in (("nodes", tables.nodes), ("calls", tables.calls)):
        if "simulated" in frame.columns and bool((frame["simulated"] != simulated.iloc[0]).any()):
            row = frame[frame["simulated"] != simulated.iloc[0]].iloc[0]
            raise ConfigError(
                f"table {name} says simulated={bool(row['simulated'])} of run {row['run_id']}, and table runs says "
                f"simulated={bool(simulated.iloc[0])}; collect the study again"
            )
    declared = tables.study.get("simulated")
    if declared is not None and bool(declared) != bool(simulated.iloc[0]):
        raise ConfigError(
            f"study.json says simulated={bool(declared)} but the runs say simulated={bool(simulated.iloc[0])}; "
            "collect the study again"
        )


def declared_names(study: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of names of the grid that study.json declares, empty where it declares none."""
    grid = study.get("grid")
    value = grid.get(key) if isinstance(grid, Mapping) else None
    if isinstance(value, Sequence) and not isinstance(value, str):
        names = [item.get("name", item.get("id")) if isinstance(item, Mapping) else item for item in value]
        if all(isinstance(name, str | int) for name in names):
            return tuple(str(name) for name in names)
    return ()


def _refuse_holes(tables: Tables) -> None:
    """A cell of the grid with neither a run nor a `missing` row."""
    runs = tables.runs
    arms = distinct_pairs(runs["strategy"], runs["variant"])
    for name in declared_names(tables.study, "strategies"):
        if name not in {strategy for strategy, _ in arms}:
            raise ConfigError(f"strategy {name} of the declared grid has no row in table runs, not even a missing one")
    models = sorted(set(distinct(runs["model"])) | set(declared_names(tables.study, "models")))
    tasks = sorted(set(distinct(runs["task"])) | set(declared_names(tables.study, "tasks")))
    declared_seeds = {int(s) for s in declared_names(tables.study, "seeds")}
    seeds = sorted(set(runs["seed"].unique().astype(int).tolist()) | declared_seeds)
    expected = len(models) * len(arms) * len(tasks) * len(seeds)
    if expected == len(runs):
        return
    there = set(runs[list(IDENTITY)].itertuples(index=False, name=None))
    for model, (strategy, variant), task, seed in product(models, arms, tasks, seeds):
        if (model, strategy, variant, task, seed) not in there:
            raise ConfigError(
                f"the grid has a hole: no row for model={model}, strategy={strategy}, variant={variant}, task={task}, "
                f"seed={seed} ({expected - len(runs)} in all); launch it in this study and "
                "collect again, or keep the grids in two studies"
            )


def apply_policy(tables: Tables, policy: Policy = "fail") -> tuple[Tables, PolicyNote]:
    """Treats missing runs by the named policy; one that failed is missing.

    A strategy that has no result at all with a model costs the others nothing: its rows stay, and it has no rate.

    Args:
        tables: validated.
        policy: `fail` keeps a run that failed as one without success, and leaves out those that were not made, as
            `drop_seed` does; `drop_task` leaves out, for all models and strategies, every task with a missing run;
            `drop_seed` leaves out the missing runs alone (then a task has fewer seeds in that cell), and the tasks
            that have no run left in some cell.

    Raises:
        ConfigError: the policy is unknown, or leaves no task.
    """
    if policy not in POLICIES:
        raise ConfigError(f"unknown policy for missing runs {policy!r}; allowed: {', '.join(POLICIES)}")
    runs = tables.runs
    cell = list(CELL)
    without = ~has_result(runs)
    count, failed = int(without.sum()), int((runs["status"] == "failed").sum())
    bare = without.groupby([runs[name] for name in cell]).transform("all")
    missing = without & ~bare
    dropped: tuple[str, ...] = ()
    kept = runs
    if policy == "drop_task":
        dropped = tuple(sorted(set(runs.loc[missing, "task"])))
        kept = runs[~runs["task"].isin(dropped)]
    elif (gone := missing if policy == "drop_seed" else missing & (runs["status"] == "missing")).any():
        kept = runs[~gone]
        cells = len(runs[cell].drop_duplicates())
        per_task = kept[["task", *cell]].drop_duplicates()["task"].value_counts()
        full = set(per_task.index[per_task == cells])
        dropped = tuple(sorted(set(runs["task"]) - full))
        kept = kept[kept["task"].isin(sorted(full))]
    if kept.empty or (policy != "fail" and without[kept.index].all()):
        instead = "finish the study or use fail" if count == failed else "finish the study, or report its progress"
        raise ConfigError(f"policy {policy} leaves no task: every task has a missing run; {instead}")
    note = PolicyNote(policy, count, len(runs), dropped, len(runs) - len(kept), failed, count - failed)
    if len(kept) == len(runs):
        return tables, note
    return of_runs(tables, set(kept["run_id"])), note
