"""Loads a task from its folder.

```
task.yaml         see `Declared`
description.md    what the agent reads
public/           mounted read-only as input/; has sample_submission.csv
private/          answers: test.csv, and validation.csv with `validation: harness`; id and target columns. Of a task
                  that declares `ungraded`, no test.csv
leaderboard.csv   optional: column score, one row a team; or thresholds.csv. Without one there are scores and no medals
grade.py          optional: grade(submission, answers) -> float; modules beside it that it imports
eda.md            optional: findings about the public data, shown in every prompt
```
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import yaml

from mlesearch.tasks import digests, files, graders, leaderboard, metrics, own, rules, sources
from mlesearch.tasks import ungraded as prompts
from mlesearch.tasks.protocol import MAX_SUBMISSION_BYTES, Modality, Task, Thresholds, Validation
from mlesearch.types import ConfigError, Direction, did_you_mean

MINI = Path(__file__).parent / "data" / "mini"
DECLARED = digests.DECLARED
SAMPLE = "sample_submission.csv"
EDA = digests.EDA
OWN_PLACE = own.where(f"{own.TASKS}/NAME/{DECLARED}")
EDA_CHARS = 4000
"""A longer `eda.md` is refused: it stands in every prompt of a run."""

DEFAULT_PROGRAM_TIME_S = 3600.0


_KEYS: Mapping[str, tuple[type, ...]] = {
    "id": (str,),
    "title": (str,),
    "version": (str, int, float),
    "suite": (str,),
    "category": (str,),
    "metric": (str,),
    "metric_rules": (str,),
    "prediction_range": (list,),
    "positional": (bool,),
    "direction": (str,),
    "validation": (str,),
    "ungraded": (str,),
    "sample": (str,),
    "reported_split": (str,),
    "modality": (str,),
    "id_column": (str,),
    "target_columns": (list,),
    "group_column": (str,),
    "time_column": (str,),
    "program_time_s": (int, float),
    "max_submission_mb": (int, float),
    "rows": (dict,),
    "tags": (list,),
    "known_issues": (list,),
    "licence": (str,),
    "source": (str,),
    "made_by": (dict,),
    "leaderboard": (dict,),
    "sha256": (dict,),
}
_REQUIRED = ("id", "metric", "direction", "validation")


def names() -> tuple[str, ...]:
    """The names of the mini suite, sorted. Reads no file."""
    return tuple(sorted(path.name for path in MINI.iterdir() if (path / DECLARED).is_file()))


def locate(name_or_path: str | Path) -> Path:
    """The folder of a task: a name of the mini suite or of an own task, a path with a task.yaml, or `source:name`.

    Raises:
        ConfigError: no such task; several of this name; a folder without task.yaml; no such source.
    """
    known = names()
    named = _named(name_or_path, known) if isinstance(name_or_path, str) else None
    if named is not None:
        return named
    folder = Path(name_or_path)
    if isinstance(name_or_path, str) and sources.of(name_or_path) and not folder.exists():
        folder = sources.folder(name_or_path)
    known = tuple(dict.fromkeys((*known, *(name for name, _ in own.task_folders(DECLARED)))))
    listed = f"tasks: {', '.join(known)}, or the path of a task folder; an own one is found by name as {OWN_PLACE}"
    if not folder.is_dir():
        hint = did_you_mean(str(name_or_path), known, clause=True)
        raise ConfigError(f"unknown task {str(name_or_path)!r}{hint} ({listed})")
    if not (folder / DECLARED).is_file():
        raise ConfigError(f"task folder {folder}: no {DECLARED} in it; a task folder starts with one ({listed})")
    return folder


def _named(name: str, known: Sequence[str]) -> Path | None:
    """The folder of a task that is asked for by its name alone; None where nothing has this name.

    Raises:
        ConfigError: several tasks have it.
    """
    if not name or "/" in name or name in (".", ".."):
        return None
    places = [MINI / name] if name in known else []
    places += [path for own_name, path in own.task_folders(DECLARED) if own_name == name]
    if name not in known and (Path(name) / DECLARED).is_file():  # a name of the suite is not taken by a folder here
        places.append(Path(name).absolute())
    distinct = list({path.resolve(): path for path in reversed(places)}.values())[::-1]
    if len(distinct) > 1:
        raise ConfigError(
            f"tasks: two tasks are called {name!r}: {distinct[0]} and {distinct[1]}; give one of them another name, or "
            f"name it by its path (./{name})"
        )
    return distinct[0] if distinct else None


def declared(folder: Path) -> dict[str, Any]:
    """The checked content of a folder's task.yaml.

    Raises:
        ConfigError: unreadable YAML, an unknown or missing key, or a value of the wrong type.
    """
    path = folder / DECLARED
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys and values, such as `id: my-task`; found {type(content).__name__}")
    for key, value in content.items():
        if key not in _KEYS:
            hint = did_you_mean(str(key), _KEYS, clause=True)
            raise ConfigError(f"{path}: unknown key {key!r}{hint} (allowed: {', '.join(_KEYS)})")
        if not isinstance(value, _KEYS[key]) or (isinstance(value, bool) and bool not in _KEYS[key]):
            wanted = " or ".join(kind.__name__ for kind in _KEYS[key])
            raise ConfigError(f"{path}: {key} is {value!r}; expected {wanted}")
    missing = [key for key in _REQUIRED if key not in content]
    if missing:
        raise ConfigError(f"{path}: key {missing[0]!r} is missing (required: {', '.join(_REQUIRED)})")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", content["id"]):
        raise ConfigError(f"{path}: id is {content['id']!r}; expected letters, digits, dots, dashes and underscores")
    return content


def _one_of(path: Path, key: str, value: str, allowed: Iterable[str]) -> str:
    allowed = list(allowed)
    if value not in allowed:
        hint = did_you_mean(value, allowed, clause=True)
        raise ConfigError(f"{path}: {key} is {value!r}; allowed: {', '.join(allowed)}{hint}")
    return value


def _positive(path: Path, key: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{path}: {key} is {value!r}; expected a number greater than 0")
    return float(value)


def _texts(path: Path, key: str, values: list[object]) -> tuple[str, ...]:
    if not all(isinstance(value, str) for value in values):
        raise ConfigError(f"{path}: {key} is {values!r}; expected a list of texts")
    return tuple(cast("list[str]", values))


def header(path: Path) -> list[str]:
    """The column names of a CSV; empty for an empty file. Bytes that are no UTF-8 are replaced.

    Raises:
        ConfigError: its first line is no CSV.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
            return next(csv.reader(file), [])
    except csv.Error as error:
        raise ConfigError(f"{path}: its first line is no line of a CSV: {error}") from error


def _text(path: Path) -> str:
    """A text that stands in prompts.

    Raises:
        ConfigError: it is no UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not readable as UTF-8 text ({error.reason}); save it as UTF-8") from error
    if "\0" in text:
        raise ConfigError(f"{path}: not readable as UTF-8 text (it holds NUL bytes); save it as UTF-8")
    return text


def _columns(folder: Path, content: Mapping[str, Any], sample: str) -> tuple[str, tuple[str, ...]]:
    """Id and target columns: declared, else the first and the other columns of the sample submission."""
    path = folder / DECLARED
    if not sample:
        return "", ()
    found = header(folder / "public" / sample)
    if not found:
        raise ConfigError(f"{folder / 'public' / sample}: empty; expected a header with the id and target columns")
    if any("\ufffd" in column or "\0" in column for column in found):
        raise ConfigError(f"{folder / 'public' / sample}: its header is no UTF-8 text; save it as a UTF-8 CSV")
    if len(set(found)) < len(found):
        raise ConfigError(f"{folder / 'public' / sample}: a column occurs twice: {', '.join(found)}")
    id_column = content.get("id_column", found[0])
    if "target_columns" in content:
        targets = _texts(path, "target_columns", content["target_columns"])
    else:
        targets = tuple(column for column in found if column != id_column)
    if sorted((id_column, *targets)) != sorted(found) or not targets:
        raise ConfigError(
            f"{path}: id_column {id_column!r} and target_columns {list(targets)} do not match the columns of "
            f"public/{sample}: {found}"
        )
    return id_column, targets


def _column(folder: Path, content: Mapping[str, Any], key: str) -> str | None:
    """The declared column of groups or of times, which a CSV file of the public folder must have."""
    column: str | None = content.get(key)
    if column is None:
        return None
    tables = sorted((folder / "public").glob("*.csv"))
    if not any(column in header(path) for path in tables):
        raise ConfigError(
            f"{folder / DECLARED}: {key} is {column!r}, which no CSV file of public/ has; name a column of the "
            f"training data, or leave it out"
        )
    return column


def _submission_limit(folder: Path, content: Mapping[str, Any], sample: str) -> int:
    """Declared, else enough for eight sample submissions and 16 MiB: what is read also has to fit into memory."""
    if "max_submission_mb" in content:
        return int(_positive(folder / DECLARED, "max_submission_mb", content["max_submission_mb"]) * 2**20)
    if not sample:
        return MAX_SUBMISSION_BYTES
    return 16 * 2**20 + 8 * (folder / "public" / sample).stat().st_size


def _reported_split(folder: Path, content: Mapping[str, Any], validation: Validation) -> str:
    """How programs have to validate, in words; only where they report their own score."""
    text = " ".join(content.get("reported_split", "").split())
    if text and validation is not Validation.REPORTED:
        raise ConfigError(
            f"{folder / DECLARED}: reported_split is declared, but validation is {validation.value!r}; it says how "
            "programs that report their own score validate: leave it out, or set validation: reported"
        )
    return text


def _eda(folder: Path) -> str:
    """What the folder says about its data; empty where it says nothing."""
    path = folder / EDA
    if not path.is_file():
        return ""
    text = _text(path).strip()
    if len(text) > EDA_CHARS:
        raise ConfigError(
            f"{path}: {len(text):,} characters; at most {EDA_CHARS:,} are allowed, since it stands in every prompt: "
            "shorten it"
        )
    return text


def _check_files(folder: Path, validation: Validation, sample: str, *, graded: bool) -> None:
    needed = {"description.md": "what the agent reads"}
    if sample:
        needed[f"public/{sample}"] = "the columns and ids of a submission"
    if graded:
        needed["private/test.csv"] = "the answers for the test rows"
    if validation is Validation.HARNESS:
        needed["private/validation.csv"] = "the answers for the validation rows, as validation is harness"
    for name, what in needed.items():
        if not (folder / name).is_file():
            raise ConfigError(f"task folder {folder}: {name} is missing; expected there: {what}")


def _check_answers(path: Path, id_column: str, targets: tuple[str, ...]) -> None:
    found = header(path)
    missing = [column for column in (id_column, *targets) if column not in found]
    if missing:
        raise ConfigError(f"{path}: no column {missing[0]!r}; expected {', '.join((id_column, *targets))}")


def load(name_or_path: str | Path, *, board: bool = True) -> Task:
    """A task, ready to be searched and graded.

    Args:
        name_or_path: a name of the mini suite or the path of a task folder.
        board: False loads a task without its board, for the script that makes one. Without a board the thresholds are
            NaN and no score wins a medal.

    Returns:
        The task. Its `version` is the declared one with a digest of all files that a result depends on, so a
        changed answer, description or board is another version.

    Raises:
        ConfigError: unknown task, or a folder that is not a whole task; one line that says what is expected.
    """
    folder = locate(name_or_path)
    path = folder / DECLARED
    content = declared(folder)
    direction = Direction(_one_of(path, "direction", content["direction"], [d.value for d in Direction]))
    validation = Validation(_one_of(path, "validation", content["validation"], [v.value for v in Validation]))
    ungraded, sample = rules.ungraded(path, content, validation), rules.sample(path, content, SAMPLE)
    _check_files(folder, validation, sample, graded=ungraded is None)
    files.check_links((folder / "public").resolve())
    id_column, targets = _columns(folder, content, sample)
    grader = folder / graders.GRADER if (folder / graders.GRADER).is_file() else None
    if grader is not None:
        rules.refuse_beside_grader(path, content)
    elif ungraded is None or validation is Validation.HARNESS or content["metric"] in metrics.METRICS:
        metric = metrics.find(content["metric"], f"{path}: metric (without a grade.py)")
        if metric.direction is not direction:
            raise ConfigError(f"{path}: direction is {direction.value!r}, but {metric.title} is to {metric.direction}")
        if len(targets) > 1 and not metric.many_targets:
            raise ConfigError(f"{path}: {metric.title} takes one target column, not {', '.join(targets)}")
        parts = ("test",) if ungraded is None else ()
        for name in (*parts, "validation") if validation is Validation.HARNESS else parts:
            _check_answers(folder / "private" / f"{name}.csv", id_column, targets)
    board_file = leaderboard.board_file(folder) if board else None
    limits = Thresholds(math.nan, math.nan, math.nan, math.nan, 0)
    if board_file is not None:
        limits = leaderboard.read_thresholds(board_file, direction)
    teams = content.get("leaderboard", {}).get("teams", limits.teams)
    if board_file is None and board and teams:
        raise ConfigError(f"{path}: leaderboard.teams is {teams!r}, but there is no {leaderboard.BOARD}")
    if board_file is not None and teams != limits.teams:
        raise ConfigError(f"{path}: leaderboard.teams is {teams!r}, but {board_file.name} has {limits.teams}")
    split, group = _reported_split(folder, content, validation), _column(folder, content, "group_column")
    contract, positional = "", content.get("positional", False)
    if ungraded is not None and validation is Validation.REPORTED:
        columns = header(folder / "public" / sample) if sample else []
        contract = prompts.contract(sample, columns, content["metric"], split, group)
    words = contract + (rules.order(sample) if positional else "")
    return Task(
        id=content["id"],
        title=content.get("title", content["id"]),
        version=f"{content.get('version', 1)}-{digests.task_digest(folder, board_file, words)}",
        metric=content["metric"],
        direction=direction,
        validation=validation,
        description=_text(folder / "description.md"),
        public_dir=(folder / "public").resolve(),
        private_dir=(folder / "private").resolve(),
        id_column=id_column,
        target_columns=targets,
        thresholds=limits,
        program_time_s=_positive(path, "program_time_s", content.get("program_time_s", DEFAULT_PROGRAM_TIME_S)),
        suite=content.get("suite", "own"),
        category=rules.category(path, content),
        tags=_texts(path, "tags", content.get("tags", [])),
        known_issues=_texts(path, "known_issues", content.get("known_issues", [])),
        board=board_file,
        grader=grader,
        max_submission_bytes=_submission_limit(folder, content, sample),
        modality=Modality(_one_of(path, "modality", content.get("modality", "tabular"), [m.value for m in Modality])),
        reported_split=split,
        eda=_eda(folder),
        group_column=group,
        metric_rules=rules.metric_rules(path, content),
        prediction_range=rules.prediction_range(path, content),
        positional=positional,
        contract=contract,
        sample=sample,
        ungraded=ungraded,
        time_column=_column(folder, content, "time_column"),
    )
