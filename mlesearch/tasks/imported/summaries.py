"""Summaries of single runs: summary.json of FML-bench, journal.json of AIDE and what is made after it.

FML-bench: `benchmark`, `agent`, `model`, `val_steps`, and `test_result` with `success` and `primary_metric`, the score
of the final test; there are no medals. Source: qrzou/FML-bench, run_agent_benchmark.py and compute_agent_metrics.py.

AIDE: `nodes`, each with `metric` (`value`, `maximize`) and `is_buggy`; the best node is the best of those that are not
buggy, by the score that the program printed of its own validation. No score of a test set is in it. Beside it lies
config.yaml, with the model of `agent.code` and the folder of the data. Source: WecoAI/aideml, aide/journal.py,
aide/utils/serialize.py, aide/utils/config.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import yaml

from mlesearch.tasks.imported.results import (
    NOT_RECORDED,
    ImportedResult,
    SourceHints,
    finite,
    json_of,
    number_of,
    text_of,
)
from mlesearch.types import ConfigError

SUMMARY, AIDE_JOURNAL, AIDE_CONFIG = "summary.json", "journal.json", "config.yaml"


class _PlainLoader(yaml.SafeLoader):
    """Reads what is tagged as an object of Python, such as a path, as its parts; nothing of it is made."""


def _parts(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.SequenceNode):
        return "/".join(str(part) for part in loader.construct_sequence(node)).replace("//", "/")
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


_PlainLoader.add_multi_constructor("tag:yaml.org,2002:python/", _parts)


def is_fml_summary(content: dict[str, Any]) -> bool:
    """Whether a JSON object is a summary of FML-bench."""
    return {"benchmark", "agent", "test_result", "val_steps"} <= content.keys()


def is_aide_journal(content: dict[str, Any]) -> bool:
    """Whether a JSON object is a journal of AIDE."""
    nodes = content.get("nodes")
    return isinstance(nodes, list) and all(isinstance(n, dict) and {"metric", "is_buggy"} <= n.keys() for n in nodes)


def read_summaries(files: Iterable[Path], hints: SourceHints) -> list[ImportedResult]:
    """One result a file; the k-th of a model, strategy and task, in the order of the paths, is seed k.

    Raises:
        ConfigError: a file is none of these formats, or lacks what it must have.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    found = []
    for path in sorted(files, key=str):
        content = json_of(path)
        read = _of_fml if is_fml_summary(content) else _of_aide
        of = read(content, path, hints)
        key = (of.model, of.strategy, of.task)
        seen[key] += 1
        found.append(replace(of, seed=seen[key]))
    return found


def _of_fml(content: dict[str, Any], path: Path, hints: SourceHints) -> ImportedResult:
    test, config = content["test_result"], content.get("task_config")
    test = test if isinstance(test, dict) and test.get("success") is True else {}
    direction = config.get("metric_direction") if isinstance(config, dict) else None
    score = number_of(test.get("primary_metric"), f"{path}: test_result.primary_metric")
    return ImportedResult(
        model=hints.model or text_of(content, "model", path),
        strategy=hints.strategy or text_of(content, "agent", path),
        task=text_of(content, "benchmark", path),
        seed=0,
        score=score,
        medal=None,
        above_median=None,
        submitted=bool(test),
        valid=finite(score) is not None,
        kind="test",
        lower_is_better={"lower": True, "higher": False}.get(str(direction)),
        source=path.as_posix(),
    )


def _of_aide(content: dict[str, Any], path: Path, hints: SourceHints) -> ImportedResult:
    if not is_aide_journal(content):
        raise ConfigError(f"{path}: neither a summary of FML-bench nor a journal of AIDE")
    good: list[tuple[float, bool]] = []
    for node in content["nodes"]:
        metric = node["metric"]
        value = metric.get("value") if isinstance(metric, dict) else None
        score = finite(number_of(value, f"{path}: metric.value"))
        if score is not None and not node["is_buggy"]:
            good.append((score, bool(metric.get("maximize"))))
    ways = {maximize for _, maximize in good}
    if len(ways) > 1:
        raise ConfigError(
            f"{path}: some of its nodes maximise the metric and some minimise it; no best one can be told"
        )
    maximize = ways == {True}
    scores = [score for score, _ in good]
    config = _config(path.with_name(AIDE_CONFIG))
    return ImportedResult(
        model=hints.model or _at(config, "agent", "code", "model") or NOT_RECORDED,
        strategy=hints.strategy or "aide",
        task=PurePath(_at(config, "data_dir")).name or path.absolute().parent.name,
        seed=0,
        score=(max if maximize else min)(scores) if scores else None,
        medal=None,
        above_median=None,
        submitted=bool(scores),
        valid=bool(scores),
        kind="validation",
        lower_is_better=not maximize if ways else None,
        source=path.as_posix(),
    )


def _config(path: Path) -> dict[str, Any]:
    """The settings of AIDE; nothing where they are not there, or no settings."""
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), _PlainLoader)  # a SafeLoader: it makes no object
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _at(config: dict[str, Any], *keys: str) -> str:
    value: Any = config
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return str(value) if isinstance(value, str) else ""
