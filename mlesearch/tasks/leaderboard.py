"""Leaderboards: a task's thresholds from its board, and mle-bench's thresholds by competition."""

from __future__ import annotations

import csv
import functools
import itertools
import math
from pathlib import Path

from mlesearch.tasks import medals
from mlesearch.tasks.protocol import Thresholds
from mlesearch.types import ConfigError, Direction, did_you_mean

BOARD = "leaderboard.csv"
THRESHOLDS = "thresholds.csv"
MLEBENCH_TABLE = Path(__file__).parent / "data" / "mlebench_thresholds.csv"

_LFS_START = "version https://git-lfs"
_THRESHOLD_COLUMNS = ("gold", "silver", "bronze", "median", "teams")


def board_file(folder: Path) -> Path | None:
    """The file that holds a task's board: its `leaderboard.csv`, else its `thresholds.csv`; None where neither is."""
    return next((folder / name for name in (BOARD, THRESHOLDS) if (folder / name).is_file()), None)


def _table(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """Line number and cells of each row of a small CSV that must have these columns."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not readable as UTF-8 text ({error.reason}); save it as a UTF-8 CSV") from error
    if text.startswith(_LFS_START):
        raise ConfigError(f"{path}: a Git-LFS pointer, not the board itself; fetch it with `git lfs pull`")
    reader = csv.DictReader(text.splitlines())
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        found = ", ".join(reader.fieldnames or ()) or "none"
        raise ConfigError(f"{path}: no column {missing[0]!r}; expected {', '.join(columns)}; found {found}")
    rows = [(reader.line_num, row) for row in reader]
    if not rows:
        raise ConfigError(f"{path}: no row below the header")
    return rows


def _number(path: Path, line: int, column: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{path}, line {line}: {column} is {text!r}; expected a finite number")
    return value


@functools.lru_cache(maxsize=128)
def _scores(path: Path, _modified_ns: int) -> tuple[float, ...]:
    return tuple(_number(path, line, "score", row["score"]) for line, row in _table(path, ("score",)))


def scores(path: Path) -> tuple[float, ...]:
    """The scores of a `leaderboard.csv`, in the file's order.

    Raises:
        ConfigError: not there, a Git-LFS pointer, no column `score`, no row, or a score that is not a finite number.
    """
    try:
        return _scores(path, path.stat().st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise ConfigError(f"{path}: {error.strerror}, so nothing can be graded; put it back, then run again") from None


def read_thresholds(path: Path, direction: Direction) -> Thresholds:
    """The thresholds of a board file.

    Args:
        path: a `leaderboard.csv` or a `thresholds.csv`.
        direction: of the task.

    Raises:
        ConfigError: the file is unusable, or its thresholds are not in the order that the direction demands.
    """
    if path.name != THRESHOLDS:
        return medals.thresholds(scores(path), direction)
    rows = _table(path, _THRESHOLD_COLUMNS)
    if len(rows) != 1:
        raise ConfigError(f"{path}: {len(rows)} rows; expected exactly one")
    line, row = rows[0]
    gold, silver, bronze, median, teams = (_number(path, line, c, row[c]) for c in _THRESHOLD_COLUMNS)
    if teams < 1 or teams != int(teams):
        raise ConfigError(f"{path}, line {line}: teams is {row['teams']!r}; expected a whole number from 1")
    order = [gold, silver, bronze, median]
    if any(direction.better(worse, better) for better, worse in itertools.pairwise(order)):
        raise ConfigError(
            f"{path}: gold {gold:g}, silver {silver:g}, bronze {bronze:g}, median {median:g} are not in the order "
            f"of direction {direction.value}; correct the thresholds or the direction in task.yaml"
        )
    return Thresholds(gold, silver, bronze, median, int(teams))


@functools.cache
def _mlebench() -> dict[str, tuple[Thresholds, Direction]]:
    with MLEBENCH_TABLE.open(encoding="utf-8", newline="") as file:
        return {
            row["competition_id"]: (
                Thresholds(
                    gold=float(row["gold_threshold"]),
                    silver=float(row["silver_threshold"]),
                    bronze=float(row["bronze_threshold"]),
                    median=float(row["median_threshold"]),
                    teams=int(row["num_teams"]),
                ),
                Direction.MINIMIZE if row["is_lower_better"] == "True" else Direction.MAXIMIZE,
            )
            for row in csv.DictReader(file)
        }


def mlebench_thresholds(competition_id: str) -> tuple[Thresholds, Direction]:
    """Thresholds and direction of one of mle-bench's 82 competitions, from the table in the package.

    Raises:
        ConfigError: no such competition.
    """
    table = _mlebench()
    if competition_id not in table:
        hint = did_you_mean(competition_id, table, clause=True)
        raise ConfigError(f"unknown mle-bench competition {competition_id!r} (of {len(table)} known){hint}")
    return table[competition_id]
