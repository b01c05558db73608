"""Keys of task.yaml: by which rules a named metric scores, what is valid where nothing does, the category of a task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlesearch.tasks.protocol import Bounds, MetricRules, Validation, Validity
from mlesearch.types import ConfigError, did_you_mean

OF_NAMED_METRICS = ("metric_rules", "prediction_range")


def refuse_beside_grader(path: Path, content: Mapping[str, Any]) -> None:
    """Refuse rules of named metrics where a grade.py scores.

    Args:
        path: of the task.yaml, for messages.
        content: of it.

    Raises:
        ConfigError: one is declared.
    """
    declared = [key for key in OF_NAMED_METRICS if key in content]
    if declared:
        raise ConfigError(f"{path}: {declared[0]} is of named metrics, and grade.py scores here; leave it out")


def category(path: Path, content: Mapping[str, Any]) -> str:
    """The declared category; empty where none is declared.

    Raises:
        ConfigError: it is no line of text.
    """
    text = str(content.get("category", "")).strip()
    if not text.isprintable() or ("category" in content and not text):
        raise ConfigError(f"{path}: category is {content['category']!r}; expected one line of text, or leave it out")
    return text


def metric_rules(path: Path, content: Mapping[str, Any]) -> MetricRules:
    """By whose rules a named metric scores: the plain ones, unless others are declared.

    Raises:
        ConfigError: unknown rules.
    """
    found, known = content.get("metric_rules", MetricRules.PLAIN), [rules.value for rules in MetricRules]
    if found not in known:
        hint = did_you_mean(found, known, clause=True)
        raise ConfigError(f"{path}: metric_rules is {found!r}; allowed: {', '.join(known)}{hint}")
    return MetricRules(found)


def prediction_range(path: Path, content: Mapping[str, Any]) -> Bounds | None:
    """Lowest and highest prediction, as declared; infinite for null. None where none is declared.

    Raises:
        ConfigError: these are not two numbers in order.
    """
    found = content.get("prediction_range")
    if found is None:
        return None
    numbers = [v for v in found if v is None or (isinstance(v, int | float) and not isinstance(v, bool))]
    if len(found) != 2 or len(numbers) != 2:
        raise ConfigError(f"{path}: prediction_range is {found!r}; expected two numbers, such as [0, 1] or [0, null]")
    low, high = (-math.inf if found[0] is None else found[0]), (math.inf if found[1] is None else found[1])
    if not low < high:
        raise ConfigError(f"{path}: prediction_range is {found!r}; expected the lowest prediction before the highest")
    return float(low), float(high)


def order(sample: str) -> str:
    """What a contract says of a task whose official grader compares rows by position.

    Args:
        sample: the sample submission, below the public folder.
    """
    return (
        f"Order: the rows of `submission.csv` must stand in the order of `input/{sample}`, since the metric compares "
        "them by position; any other order is refused."
    )


def ungraded(path: Path, content: Mapping[str, Any], validation: Validation) -> Validity | None:
    """By what submissions are found valid where there are no test answers; None: there are.

    Raises:
        ConfigError: unknown, or what only answers could do is declared beside it.
    """
    found, known = content.get("ungraded"), [validity.value for validity in Validity]
    if found is None:
        return None
    if found not in known:
        hint = did_you_mean(found, known, clause=True)
        raise ConfigError(f"{path}: ungraded is {found!r}; allowed: {', '.join(known)}{hint}")
    if "leaderboard" in content:
        raise ConfigError(
            f"{path}: leaderboard is declared, but without answers nothing has a place on it; leave it out"
        )
    if found == Validity.SERVER and validation is not Validation.REPORTED:
        raise ConfigError(
            f"{path}: ungraded is 'server', but validation is {validation.value!r}; a server sees whole submissions to "
            "the test rows: set validation: reported"
        )
    return Validity(found)


def sample(path: Path, content: Mapping[str, Any], usual: str) -> str:
    """The sample submission, below the public folder; empty where a server judges and there is none.

    Raises:
        ConfigError: it is no path below that folder, or there is none and no server.
    """
    found: str = content.get("sample", usual)
    if not found and content.get("ungraded") == Validity.SERVER:
        return ""
    parts = Path(found).parts
    if not parts or Path(found).is_absolute() or ".." in parts:
        raise ConfigError(f"{path}: sample is {found!r}; expected a file of public/, such as {usual}")
    return found
