"""Findings about a task's tables, for its `eda.md`: target, drift from train to test, lengths of texts, first rows.

Made once by whoever prepares a task (`mlesearch tasks eda TASK > FOLDER/eda.md`), read by every strategy. It reads the
public folder alone, never an answer, and gives the same text for the same files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlesearch.tasks.folder import EDA_CHARS
from mlesearch.tasks.protocol import Task
from mlesearch.types import ConfigError

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 100_000
"""Only the first rows of a longer table are read; the text says so."""

MAX_CLASSES = 20
"""A target with more different values is described by its quantiles, where it is a number."""

MAX_LEVELS = 50
"""A column with at most so many different values is compared by their shares."""

DRIFT = 0.1
"""Columns that differ by less are not named: of standardised means, of total variation, of unseen values."""

SHOWN, ROWS, ENDS, CELL_CHARS, LONG_TEXT_CHARS = 8, 3, 12, 60, 30

_QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


def describe(task: Task, max_chars: int = EDA_CHARS) -> str:
    """What there is to know about a task's tables, as plain text with lines of at most a few figures.

    Args:
        task: loaded; `train.csv` and `test.csv` of its public folder are read.
        max_chars: whole lines are left out at the end of a longer text.

    Raises:
        ConfigError: there is no `train.csv`, or a table can't be read.
    """
    train = _read(task.public_dir / "train.csv")
    if train is None:
        raise ConfigError(
            f"{task.public_dir / 'train.csv'}: not there; findings are made for tables only: write eda.md by hand"
        )
    test = _read(task.public_dir / "test.csv")
    lines = [f"(from the first {MAX_ROWS:,} rows of each table)"] if len(train) == MAX_ROWS else []
    for name in task.target_columns:
        if name in train:
            lines += _target(name, train[name])
    features = [str(c) for c in train if c != task.id_column and c not in task.target_columns]
    if test is not None:
        lines += _drift(train, test, [c for c in features if c in test])
    lines += _texts(train, features)
    lines += _rows(train)
    return _cut(lines, max_chars)


def _read(path: Path) -> pd.DataFrame | None:
    import pandas as pd

    if not path.is_file():
        return None
    try:
        return pd.read_csv(path, nrows=MAX_ROWS, keep_default_na=False, na_values=[""], low_memory=False)
    except ValueError as error:
        raise ConfigError(f"{path}: not readable as a CSV: {' '.join(str(error).split())}") from error


def _cut(lines: Sequence[str], max_chars: int) -> str:
    kept, left = list[str](), max_chars
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            break
        kept.append(line)
    return "\n".join(kept).rstrip()


def _is_number(values: pd.Series[Any]) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _target(name: str, values: pd.Series[Any]) -> list[str]:
    present = values.dropna()
    missing = f"; {values.isna().mean():.1%} missing" if len(present) < len(values) else ""
    counts = present.value_counts()
    if len(counts) <= MAX_CLASSES or not _is_number(values):
        ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
        shares = ", ".join(f"{_cell(value)} {count / len(present):.1%}" for value, count in ordered[:MAX_CLASSES])
        more = f", and {len(ordered) - MAX_CLASSES:,} more values" if len(ordered) > MAX_CLASSES else ""
        return [f"Target {name}, share of each value: {shares}{more}{missing}."]
    figures = ", ".join(f"{value:.5g}" for value in present.quantile(list(_QUANTILES)))
    marks = ", ".join(f"{q:.0%}" for q in _QUANTILES)
    mean, spread, zeros = float(present.mean()), float(present.std()), float((present == 0).mean())
    return [
        f"Target {name}, quantiles at {marks}: {figures}; mean {mean:.5g}, standard deviation {spread:.5g}, "
        f"zeros {zeros:.1%}{missing}."
    ]


def _drift(train: pd.DataFrame, test: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """The columns whose rows in test differ most from those in train."""
    found = sorted((d for c in columns for d in _differences(c, train[c], test[c])), key=lambda d: (-d[0], d[1]))
    shown = [text for size, text in found if size >= DRIFT][:SHOWN]
    if not shown:
        return ["Drift from train to test: no column differs noticeably."]
    return ["Drift from train to test, largest first:", *(f"- {text}" for text in shown)]


def _differences(name: str, train: pd.Series[Any], test: pd.Series[Any]) -> Iterator[tuple[float, str]]:
    before, after = float(train.isna().mean()), float(test.isna().mean())
    yield abs(after - before), f"{name}: {before:.1%} missing in train, {after:.1%} in test"
    a, b = train.dropna(), test.dropna()
    if a.empty or b.empty:
        return
    if _is_number(train) and _is_number(test):
        spread = float(a.std()) if len(a) > 1 else 0.0
        if spread > 0.0:
            shift = float(b.mean() - a.mean()) / spread
            yield abs(shift), f"{name}: its mean in test is {shift:+.2f} standard deviations from that in train"
        return
    a, b = a.astype(str), b.astype(str)
    if a.nunique() <= MAX_LEVELS:
        shares = a.value_counts(normalize=True).sub(b.value_counts(normalize=True), fill_value=0.0)
        distance = float(shares.abs().sum()) / 2.0
        yield distance, f"{name}: {distance:.1%} of its values would have to change for equal shares"
    unseen = float((~b.isin(set(a))).mean())
    if a.nunique() <= len(a) / 2:  # of free text nearly every value is new
        yield unseen, f"{name}: {unseen:.1%} of the rows in test have a value that train does not have"


def _texts(train: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    lines = []
    for name in columns:
        present = train[name].dropna()
        if present.empty or _is_number(train[name]):
            continue
        texts = present.astype(str)
        if float(texts.str.len().mean()) < LONG_TEXT_CHARS:
            continue
        words = texts.map(lambda text: len(text.split()))
        lines.append(
            f"Text {name}, words a row: median {words.median():.0f}, 95 % at most {words.quantile(0.95):.0f}, "
            f"longest {words.max():.0f}; {texts.duplicated().mean():.1%} of the rows repeat an earlier one."
        )
    return lines[:SHOWN]


def _rows(train: pd.DataFrame) -> list[str]:
    """The first rows, one line each; of many columns the first and the last."""
    columns = [str(c) for c in train.columns]
    shown = columns if len(columns) <= 2 * ENDS else [*columns[:ENDS], *columns[-ENDS:]]
    left_out = "" if shown == columns else f" ({len(columns) - len(shown)} columns in the middle are left out)"
    first = [", ".join(f"{c}={_cell(train[c].iloc[i])}" for c in shown) for i in range(min(ROWS, len(train)))]
    return [f"First rows of train.csv{left_out}:", *(f"- {row}" for row in first)]


def _cell(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= CELL_CHARS else text[:CELL_CHARS] + "..."
