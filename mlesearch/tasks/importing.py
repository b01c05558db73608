"""Folders of other benchmarks as task folders, as far as their formats carry what a task needs.

MLE-Dojo: a competition's folder has `info/description.txt`, `info/private_leaderboard.csv` (rank, score) and
`utils/metric.py`, a class whose direction is the default of its parameter `higher_is_better`; its prepared data are
`data/public`, with `sample_submission.csv`, and `data/private/test_answer.csv`. Source: the repository
MLE-Dojo/MLE-Dojo, files mledojo/gym/competition.py and mledojo/competitions.

Harbor: a task's folder has `task.toml`, `instruction.md`, `environment/` and `tests/test.sh`, which runs in the task's
container and writes a reward. It has no answers that predictions could be compared with, so it can't be carried over.
Source: the documentation of Harbor, page Task Structure.
"""

from __future__ import annotations

import ast
import csv
import math
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlesearch import __version__
from mlesearch.tasks import files, folder, leaderboard
from mlesearch.tasks.protocol import Validation
from mlesearch.types import ConfigError, Direction

GRADER = Path(__file__).parent / "data" / "mledojo_grader"
METRIC, DESCRIPTION, BOARD = "utils/metric.py", "info/description.txt", "info/private_leaderboard.csv"
ANSWERS = "private/test_answer.csv"


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """A competition of MLE-Dojo that can become a task.

    Attributes:
        source: its folder.
        data: its prepared data, `public` and `private`.
        direction: of its metric class.
        metric: name of that class.
        scores: of its board; empty where it has none that can be used.
        notes: what does not carry over, one sentence each.
    """

    source: Path
    data: Path
    direction: Direction
    metric: str
    scores: tuple[float, ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The id of the task."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.source.resolve().name).strip("-._") or "task"


def plan_import(source: Path, data: Path | None = None, *, board: bool = True) -> ImportPlan:
    """Whether a folder can become a task, and what of it carries over. Nothing is written, and none of it is run.

    Args:
        source: the folder of a competition.
        data: its prepared data; None: `data` in that folder.
        board: whether its board is wanted.

    Raises:
        ConfigError: it can't; in one line that says why and what to do.
    """
    if not source.is_dir():
        raise ConfigError(f"{source}: no such folder; name the folder of a competition of MLE-Dojo")
    if (source / "task.toml").is_file() or (source / "instruction.md").is_file():
        raise ConfigError(
            f"{source}: a Harbor task; its test is a script that runs in the task's own container (tests/test.sh) and "
            "looks at what an agent left there, and it has no answers that predictions could be compared with, so it "
            "can't be carried over; if its data are a table with a target: mlesearch tasks new --from FILE"
        )
    missing = [name for name in (METRIC, DESCRIPTION) if not (source / name).is_file()]
    if missing:
        raise ConfigError(
            f"{source}: no {missing[0]} in it, so it is no competition of MLE-Dojo (which has {METRIC} and "
            f"{DESCRIPTION}); other folders are tasks as they are, in the layout of docs/tasks.md"
        )
    place = source / "data" if data is None else data
    for name in ("public/" + folder.SAMPLE, ANSWERS):
        if not (place / name).is_file():
            raise ConfigError(
                f"{place}: no {name}; prepare the competition with MLE-Dojo first, and name its data with --data"
            )
    metric, direction = _metric(source / METRIC)
    notes = ["The answers were split off the training data again, so the board is of another test set than the task."]
    scores: tuple[float, ...] = ()
    if board and (source / BOARD).is_file():
        scores = _scores(source / BOARD)
    if not scores:
        notes = ["There is no board that can be used: runs are scored and win no medal."]
    return ImportPlan(source, place, direction, metric, scores, tuple(notes))


def _metric(path: Path) -> tuple[str, Direction]:
    """The metric class of a file and its direction, read from its text: the default of `higher_is_better`."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{path}: no Python program: {error}") from error
    classes = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "CompetitionMetrics" for base in node.bases)
    ]
    if len(classes) != 1:
        raise ConfigError(f"{path}: {len(classes)} classes inherit CompetitionMetrics; expected exactly one")
    for function in (node for node in classes[0].body if isinstance(node, ast.FunctionDef) and node.name == "__init__"):
        named = function.args.args[len(function.args.args) - len(function.args.defaults) :]
        for argument, default in zip(named, function.args.defaults, strict=True):
            if argument.arg == "higher_is_better" and isinstance(default, ast.Constant):
                return classes[0].name, Direction.MAXIMIZE if default.value else Direction.MINIMIZE
    raise ConfigError(
        f"{path}: {classes[0].name} has no default for `higher_is_better`, so its direction is not known, and a "
        "direction is never guessed; write one into its __init__"
    )


def _scores(path: Path) -> tuple[float, ...]:
    """The scores of a board; empty where some are no numbers."""
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        rows = list(csv.DictReader(file))
    column = next((name for name in (rows[0] if rows else {}) if str(name).lower() == "score"), None)
    try:
        scores = tuple(float(row[column]) for row in rows) if column is not None else ()
    except (TypeError, ValueError):
        return ()
    return scores if all(map(math.isfinite, scores)) else ()


def write_import(plan: ImportPlan, place: Path) -> None:
    """Write the task's folder.

    Args:
        plan: what to write.
        place: an empty folder.

    Raises:
        ConfigError: the public data hold links that programs can't follow, or the sample is no table.
    """
    files.check_links((plan.data / "public").resolve())
    shutil.copytree(plan.data / "public", place / "public", symlinks=True, ignore=_no_description)
    private = place / "private"
    private.mkdir(mode=0o700)
    shutil.copyfile(plan.data / ANSWERS, private / "test.csv")
    shutil.copyfile(plan.source / DESCRIPTION, place / "description.md")
    package = place / "mledojo" / "metrics"
    package.mkdir(parents=True)
    for empty in (package.parent, package):
        (empty / "__init__.py").write_text('"""The names that a metric of MLE-Dojo imports."""\n', encoding="utf-8")
    shutil.copyfile(GRADER / "base.txt", package / "base.py")
    shutil.copyfile(GRADER / "grade.txt", place / "grade.py")
    shutil.copyfile(plan.source / METRIC, place / "competition_metric.py")
    if plan.scores:
        board = sorted(plan.scores, reverse=plan.direction.sign > 0)
        text = "score\n" + "".join(f"{score!r}\n" for score in board)
        (place / leaderboard.BOARD).write_text(text, encoding="utf-8")
    columns = folder.header(place / "public" / folder.SAMPLE)
    if len(columns) < 2:
        raise ConfigError(f"{plan.data}: public/{folder.SAMPLE} has no columns of ids and of predictions")
    text = yaml.safe_dump(_declared(plan, columns), sort_keys=False, allow_unicode=True, width=110)
    (place / folder.DECLARED).write_text(text, encoding="utf-8")


def _no_description(at: str, names: list[str]) -> list[str]:
    """The description is in the prompt already; it is left out where MLE-Dojo puts it beside the data."""
    return [name for name in names if name == "description.txt" and Path(at).name == "public"]


def _declared(plan: ImportPlan, columns: list[str]) -> dict[str, Any]:
    return {
        "id": plan.name,
        "version": "1",
        "metric": plan.metric,
        "direction": plan.direction.value,
        "validation": Validation.REPORTED.value,
        "id_column": columns[0],
        "target_columns": columns[1:],
        "tags": ["mledojo"],
        "known_issues": list(plan.notes),
        "source": f"MLE-Dojo, competition {plan.source.resolve().name}",
        "made_by": {"command": "mlesearch tasks import", "mlesearch": __version__},
    }
