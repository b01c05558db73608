"""`mlesearch tasks show`: what a task is, and what the agent reads of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlesearch.cli.terminal import shell_words, shown
from mlesearch.tasks import files, folder, grading, metrics
from mlesearch.tasks.protocol import Task, Validation, Validity

MOST_FILES = 12
_MIB = 1024 * 1024


def task_lines(task: Task, name: str) -> Iterator[str]:
    """What a task is, a line a fact.

    Args:
        task: loaded.
        name: by which it was asked for.
    """
    root = task.public_dir.parent
    declared = folder.declared(root) if (root / folder.DECLARED).is_file() else {}
    yield f"{task.id}: {task.title}"
    for key, value in _facts(task, declared, root):
        yield f"  {key:12} {value}"
    yield f"what the agent reads: {shell_words('tasks', 'show', name, '--prompt')}"
    yield f"preflight: {shell_words('tasks', 'check', name)}"


def _facts(task: Task, declared: dict[str, Any], root: Path) -> Iterator[tuple[str, str]]:
    yield "folder", shown(root)
    yield "version", task.version
    metric = task.metric if task.grader is None else f"{task.metric}, computed by grade.py"
    named = task.grader is None and (task.ungraded is None or task.metric in metrics.METRICS)
    title = f" ({metrics.find(task.metric).title})" if named else ""
    yield "metric", f"{metric}{title}, to {task.direction}"
    yield "validation", _validation(task)
    rows = ", ".join(f"{number:,} {part}" for part, number in declared.get("rows", {}).items())
    yield "rows", rows or "not declared"
    targets = ", ".join(task.target_columns[:8])
    more = len(task.target_columns) - 8
    yield "submission", f"{task.id_column}, {targets}" + (f" and {more:,} more columns" if more > 0 else "")
    if task.group_column is not None:
        yield "groups", f"rows with one value of {task.group_column} belong together"
    yield "data", task.modality.value
    if task.category:
        yield "category", task.category
    yield from _files(task)
    yield "answers", _answers(task)
    yield from _board(task, declared)
    yield "limits", f"{task.program_time_s:g} s a program; a submission of {task.max_submission_bytes / _MIB:,.0f} MiB"
    for key in ("tags", "known_issues"):
        words = declared.get(key, [])
        if words:
            yield key.replace("_", " "), "; ".join(words)
    for key in ("licence", "source"):
        if key in declared:
            yield key, " ".join(str(declared[key]).split())
    made = declared.get("made_by", {})
    if made:
        plain = {key: " ".join(str(value).split()) for key, value in made.items() if not isinstance(value, list)}
        yield "made by", ", ".join(f"{key} {value}" for key, value in plain.items())


def _answers(task: Task) -> str:
    if task.ungraded is Validity.SAMPLE:
        return f"none: ungraded; a submission is valid by the columns and ids of {task.sample}"
    if task.ungraded is Validity.SERVER:
        return "none: ungraded; a submission is valid by the word of a grading server"
    return "in private/, which no program, prompt or environment of a run sees or names"


def _validation(task: Task) -> str:
    if task.validation is Validation.HARNESS:
        return "harness: predictions for the rows of validation.csv are scored outside the program"
    split = task.reported_split or "five shuffled folds, seed 0"
    return f"reported: programs say their own score, over {split}"


def _files(task: Task) -> Iterator[tuple[str, str]]:
    found = files.files(task.public_dir)
    named = [(files.shown(str(path.relative_to(task.public_dir))), path.stat().st_size) for path in found[:MOST_FILES]]
    listed = [f"{name} ({size:,} bytes)" for name, size in named]
    more = f" and {len(found) - MOST_FILES:,} more" if len(found) > MOST_FILES else ""
    yield "public", "; ".join(listed) + more
    yield "findings", "eda.md stands in every prompt" if task.eda else "none (mlesearch tasks eda makes them)"


def _board(task: Task, declared: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if task.board is None:
        scored = "scored" if task.ungraded is None else "ungraded"
        yield "board", f"none: runs are {scored} and win no medal"
        return
    limits = task.thresholds
    bars = ", ".join(
        f"{name} {value:.5g}" for name in grading.THRESHOLDS if not math.isnan(value := getattr(limits, name))
    )
    yield "board", f"{limits.teams:,} teams: {bars}"
    source = declared.get("leaderboard", {}).get("source")
    if source:
        yield "board of", " ".join(str(source).split())
