"""Results from a plain CSV: one row a run, with model, strategy, task, seed, and score or medal."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from mlesearch.tasks.imported.results import (
    MEDAL_WORDS,
    NOT_RECORDED,
    ImportedResult,
    SourceHints,
    content_of,
    number_of,
)
from mlesearch.types import ConfigError, did_you_mean

NEEDED = ("task", "seed")
KNOWN = ("model", "strategy", *NEEDED, "score", "medal", "above_median", "valid")
_YES = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def read_table(path: Path, hints: SourceHints) -> list[ImportedResult]:
    """The rows of a CSV.

    Args:
        path: of a UTF-8 text with a header.
        hints: model and strategy, where there are no such columns.

    Raises:
        ConfigError: a column is missing or unknown, a cell is none of what it may be, or a run stands there twice.
    """
    try:
        text = content_of(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: no UTF-8 text ({error.reason}); save it as a UTF-8 CSV") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    columns = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    _check_columns(path, columns)
    found: list[ImportedResult] = []
    seen: dict[tuple[str, str, str, int], int] = {}
    try:
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                raise ConfigError(f"{where}: {len(columns)} cells are expected")
            result = _result({k: v.strip() for k, v in row.items()}, where, path, hints)
            key = (*result.of, result.task, result.seed)
            if key in seen:
                raise ConfigError(f"{where}: the run of line {seen[key]} again ({result.task}, seed {result.seed})")
            seen[key] = reader.line_num
            found.append(result)
    except csv.Error as error:
        raise ConfigError(f"{path}, line {reader.line_num}: {error}") from None
    if not found:
        raise ConfigError(f"{path}: no row below the header")
    return found


def _check_columns(path: Path, columns: list[str]) -> None:
    missing = [name for name in NEEDED if name not in columns]
    if missing or not {"score", "medal"} & set(columns):
        what = missing[0] if missing else "score or medal"
        raise ConfigError(
            f"{path}: no column {what}; expected {', '.join(KNOWN)}, of which score or medal is enough; found "
            f"{', '.join(columns)[:200] or 'nothing'}"
        )
    for name in columns:
        if name not in KNOWN:
            raise ConfigError(f"{path}: unknown column {name!r}{did_you_mean(name, KNOWN)}; known: {', '.join(KNOWN)}")
    if len(set(columns)) < len(columns):
        raise ConfigError(f"{path}: a column stands there twice ({', '.join(columns)})")


def _result(row: dict[str, str], where: str, path: Path, hints: SourceHints) -> ImportedResult:
    score = number_of(row.get("score") or None, f"{where}: score")
    medal = _word(row, where)
    valid = _flag(row, "valid", where)
    if valid is None:
        valid = score is not None or medal in MEDAL_WORDS[:3]
    if medal in MEDAL_WORDS[:3] and not valid:
        raise ConfigError(f"{where}: a {medal} medal for a submission that is not valid")
    if not row["task"]:
        raise ConfigError(f"{where}: task is empty")
    seed = row["seed"]
    if not seed.isascii() or not seed.isdigit() or len(seed) > 18:
        raise ConfigError(f"{where}: seed is {seed[:40]!r}; a whole number from 0 is expected")
    if medal is None and score is None:
        medal = "none"  # no submission wins none
    return ImportedResult(
        model=row.get("model") or hints.model or NOT_RECORDED,
        strategy=row.get("strategy") or hints.strategy or path.stem,
        task=row["task"],
        seed=int(seed),
        score=score,
        medal=medal,
        above_median=_flag(row, "above_median", where) if valid else False,
        submitted=valid or score is not None,
        valid=valid,
        kind="test",
        lower_is_better=None,
        source=path.as_posix(),
    )


def _word(row: dict[str, str], where: str) -> str | None:
    word = row.get("medal", "").lower()
    if word and word not in MEDAL_WORDS:
        raise ConfigError(f"{where}: medal is {row['medal'][:40]!r}; allowed: {', '.join(MEDAL_WORDS)}, or empty")
    return word or None


def _flag(row: dict[str, str], name: str, where: str) -> bool | None:
    word = row.get(name, "").lower()
    if word and word not in _YES:
        raise ConfigError(f"{where}: {name} is {row[name][:40]!r}; true or false is expected")
    return _YES.get(word)
