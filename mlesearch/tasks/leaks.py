"""What of a task's answers stands in its public tables, and what programs would need and not find there.

Part of the preflight (`mlesearch.tasks.check`), for CSV files; of other files only names are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlesearch.tasks import files, graders
from mlesearch.tasks.protocol import Modality, Task, Validation
from mlesearch.types import ConfigError, Finding, Level

if TYPE_CHECKING:
    import pandas as pd

SAME_SHARE = 0.999
"""A column that agrees with a target in so many of the rows is a copy of it."""

LABELLED_SHARE = 0.9
"""Of rows whose features alone identify them: where so many stand labelled in a training table, that is no chance."""

READ_BYTES, READ_ROWS = 256 * 2**20, 200_000
"""Of a table larger than this only its first rows are read."""

_LOOKED_AT, _MAYBE = 100, 0.5
"""So many rows are looked at first: a column that agrees in fewer than this share of them is no copy."""

_EQUAL = 1e-9
_TRAIN, _WANTED = "train", {"train": ("train",), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}


def findings(task: Task) -> Iterator[Finding]:
    """Answers among the public tables, under whatever name; and parts that are not there."""
    yield from _parts(task)
    paths = _tables(task)
    for path in paths:
        if (size := path.stat().st_size) > READ_BYTES:
            name = f"public/{files.shown(str(path.relative_to(task.public_dir)))}"
            text = f"{name} has {size / 1e6:,.0f} MB; its first {READ_ROWS:,} rows were compared with the answers"
            yield Finding(Level.OK, "tables", text)
    sample = _read(task.public_dir / task.sample)
    tables = {path: table for path in paths if (table := _read(path)) is not None and not _is_sample(table, sample)}
    for split, answers in _answers(task).items():
        asked = next((t for p, t in tables.items() if p.stem == split), None)
        for path, table in tables.items():
            name = f"public/{files.shown(str(path.relative_to(task.public_dir)))}"
            if path.stem == split:
                yield from _ids_found(task, name, table, answers)
            if set(task.target_columns) <= set(table.columns):
                yield from _labelled(task, name, table, split, answers, asked)
            else:
                yield from _copied(task, name, table, split, answers)


def _parts(task: Task) -> Iterator[Finding]:
    """A public folder in which there is nothing to learn from, or nothing to predict for."""
    found = [p for p in files.files(task.public_dir) if p.relative_to(task.public_dir) != Path(task.sample)]
    if not found:
        yield Finding(Level.ERROR, "parts", f"public/ holds nothing but {task.sample}; put the data there")
        return
    names = {p.relative_to(task.public_dir).parts[0].lower() for p in found}
    wanted = [split for split in _WANTED if split != "validation" or task.validation is Validation.HARNESS]
    lacking = [s for s in wanted if not any(word in name for name in names for word in _WANTED[s])]
    if lacking:
        text = (
            f"public/ has no file or folder named after {', '.join(lacking)}; programs may not know which data is which"
        )
        level = Level.ERROR if len(lacking) == len(wanted) and task.modality is Modality.TABULAR else Level.WARNING
        yield Finding(level, "parts", text)


def _tables(task: Task) -> list[Path]:
    """The CSV files of the public folder, the sample submission left out."""
    return [p for p in files.files(task.public_dir) if p.suffix.lower() == ".csv" and p.name != task.sample]


def _read(path: Path) -> pd.DataFrame | None:
    """A table, every cell as the text that it is; None for a file that is none."""
    import pandas as pd

    rows = READ_ROWS if path.stat().st_size > READ_BYTES else None
    try:
        return pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8-sig", encoding_errors="replace", nrows=rows
        )
    except (ValueError, OSError):
        return None


def _is_sample(table: pd.DataFrame, sample: pd.DataFrame | None) -> bool:
    """Whether a table is the sample submission again: under the name that its source gave it, or in another order."""
    if sample is None or table.shape != sample.shape or set(table.columns) != set(sample.columns):
        return False
    columns = list(sample.columns)
    one, other = (frame[columns].sort_values(columns).reset_index(drop=True) for frame in (table, sample))
    return bool(one.equals(other))


def _answers(task: Task) -> dict[str, pd.DataFrame]:
    """The answers by split, every cell as the text that it is; without splits whose answers have another form."""
    names = ("validation", "test") if task.validation is Validation.HARNESS else ("test",)
    found = {name: _read(task.private_dir / f"{name}.csv") for name in names}
    wanted = {task.id_column, *task.target_columns}
    return {name: table for name, table in found.items() if table is not None and wanted <= set(table.columns)}


def _ids_found(task: Task, name: str, table: pd.DataFrame, answers: pd.DataFrame) -> Iterator[Finding]:
    """A table of rows to predict whose ids are not those of the answers, or not under the name of the id column."""
    ids = set(answers[task.id_column])
    if task.id_column not in table.columns:
        like = [c for c in table.columns if len(ids & set(table[c])) > len(ids) / 2]
        hint = f"; {like[0]!r} holds these ids: set id_column to it everywhere, or rename it" if like else ""
        text = (
            f"{name} has no column {task.id_column!r}, the id_column, so programs can't tell which row is which{hint}"
        )
        yield Finding(Level.ERROR, "ids", text)
        return
    missing = ids - set(table[task.id_column])
    if missing:
        text = f"{name} lacks {len(missing):,} of the {len(ids):,} ids that are asked for, such as {min(missing)!r}"
        yield Finding(Level.ERROR, "ids", text)


def _labelled(
    task: Task, name: str, table: pd.DataFrame, split: str, answers: pd.DataFrame, asked: pd.DataFrame | None
) -> Iterator[Finding]:
    """Rows of the answers that stand with their labels in a table: by id, or by all their features."""
    targets = list(task.target_columns)
    if task.id_column in table.columns:
        both = answers.merge(table, on=task.id_column, suffixes=("", " (public)"))
        if len(both) and any(both[f"{name} (public)"].nunique() > 1 for name in targets):
            right = _agree(both, targets)
            features = _features(task, table, asked)
            alike = right
            if asked is not None and features and task.id_column in asked.columns:
                rows = both.merge(asked, on=task.id_column, suffixes=(" (labelled)", ""))
                alike = _same_rows(rows, features) & _agree(rows, targets) if len(rows) == len(both) else right
            if alike.mean() >= LABELLED_SHARE:
                text = f"{int(alike.sum()):,} {split} rows stand in {name} with their labels, by {task.id_column}"
                yield Finding(Level.ERROR, "labelled", f"{text}; remove them there")
            else:
                text = (
                    f"{len(both):,} ids of {split} rows occur in {name} too, with other content; are they other rows?"
                )
                yield Finding(Level.WARNING, "labelled", text)
            return
    features = _features(task, table, asked)
    if asked is None or not features or task.id_column not in asked.columns:
        return
    rows = asked.merge(answers[[task.id_column, *targets]], on=task.id_column, suffixes=(" (asked)", ""))
    keys = [*features, *targets]
    if len(rows) == 0 or rows.duplicated(features).mean() > 1 - LABELLED_SHARE:
        return  # rows that are alike by nature say nothing
    found = rows[keys].merge(table[keys].drop_duplicates(), on=keys)
    if len(found) >= LABELLED_SHARE * len(rows):
        text = f"{len(found):,} of {len(rows):,} {split} rows stand in {name} with their labels, by all their features"
        yield Finding(Level.ERROR, "labelled", f"{text}; remove them there")


def _features(task: Task, table: pd.DataFrame, asked: pd.DataFrame | None) -> list[str]:
    """The columns that a labelled and an unlabelled table share, id and targets left out."""
    if asked is None:
        return []
    known = {task.id_column, *task.target_columns}
    return [c for c in asked.columns if c in table.columns and c not in known]


def _agree(both: pd.DataFrame, targets: list[str]) -> pd.Series[bool]:
    """Whether each row has the right labels, beside `NAME (public)`."""
    import pandas as pd

    right = pd.Series(data=True, index=both.index)
    for name in targets:
        right &= _equal(both[name], both[f"{name} (public)"])
    return right


def _same_rows(rows: pd.DataFrame, features: list[str]) -> pd.Series[bool]:
    import pandas as pd

    same = pd.Series(data=True, index=rows.index)
    for name in features:
        same &= _equal(rows[name], rows[f"{name} (labelled)"])
    return same


def _equal(a: pd.Series[Any], b: pd.Series[Any]) -> pd.Series[bool]:
    """Where two columns of texts are alike, as texts or as numbers."""
    import pandas as pd

    x, y = pd.to_numeric(a, errors="coerce"), pd.to_numeric(b, errors="coerce")
    return (a == b) | ((x - y).abs() <= _EQUAL * x.abs().clip(lower=1.0))


_ITSELF = " under another name"


def _copied(task: Task, name: str, table: pd.DataFrame, split: str, answers: pd.DataFrame) -> Iterator[Finding]:
    """A column that is a target under another name, row by row by id; or in the same order, where there are no ids."""
    import pandas as pd

    if task.id_column in table.columns:
        rows = answers.merge(table, on=task.id_column, suffixes=("", " (public)"))
    elif len(table) == len(answers):
        rows = pd.concat([answers.reset_index(drop=True), table.add_suffix(" (public)")], axis=1)
    else:
        return
    if len(rows) < len(answers) / 2 or len(rows) < 3:
        return
    few = rows.iloc[:: max(1, len(rows) // _LOOKED_AT)]
    looked_at = {column: few[column].tolist() for column in rows.columns}
    for target in task.target_columns:
        truth = rows[target]
        if truth.nunique() < 2:
            continue
        labels = truth.nunique() <= max(2, len(truth) // 5)
        for column in rows.columns.difference(answers.columns, sort=False):
            if not _may_be_copy(looked_at[target], looked_at[column], labels):
                continue
            how = _is_copy(truth, rows[column])
            if how:
                shown = str(column).removesuffix(" (public)")
                text = f"column {shown!r} of {name} is the target {target!r} of the {split} rows{how}; remove it"
                yield Finding(Level.ERROR if how == _ITSELF else Level.WARNING, "copied", text)


def _may_be_copy(truth: list[str], column: list[str], labels: bool) -> bool:
    """Whether a few rows leave it open that a column tells a target; most columns are ruled out by them at once."""
    if labels:
        pairs = set(zip(truth, column, strict=True))
        if len(pairs) == len(set(truth)) == len(set(column)):
            return True
    x, y = _floats(truth), _floats(column)
    same = [a == b for a, b in zip(truth, column, strict=True)]
    if x is None or y is None:
        return sum(same) >= _MAYBE * len(same)
    if np.mean(np.array(same) | (np.abs(x - y) <= _EQUAL * np.maximum(1, np.abs(x)))) >= _MAYBE:
        return True
    x, y = x - x.mean(), y - y.mean()
    spread = float(np.sqrt((x @ x) * (y @ y)))
    return spread == 0 or abs(float(x @ y)) >= (1 - 1e-6) * spread


def _floats(cells: list[str]) -> npt.NDArray[np.float64] | None:
    """Cells as numbers; None where one is none."""
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        return None


def _is_copy(truth: pd.Series[Any], column: pd.Series[Any]) -> str | None:
    """How a column tells a target: as it is, scaled, or under other labels; None where it does not."""
    import pandas as pd

    if _equal(truth, column).mean() >= SAME_SHARE:
        return _ITSELF
    x, y = (pd.to_numeric(values, errors="coerce") for values in (truth, column))
    if x.notna().all() and y.notna().all() and x.nunique() > 2 and y.nunique() > 2:
        return ", scaled" if abs(float(x.corr(y))) > 1 - _EQUAL else None
    pairs = pd.DataFrame({"a": truth, "b": column}).drop_duplicates()
    few = truth.nunique() <= max(2, len(truth) // 5)
    one_to_one = len(pairs) == truth.nunique() == column.nunique()
    return " under other labels" if few and one_to_one else None


def check(task: Task) -> list[Finding]:
    """All findings; a table that can't be compared is a warning, since the rest of the preflight goes on."""
    try:
        return list(findings(task))
    except (ValueError, KeyError, ConfigError) as error:
        text = f"the public tables can't be compared with the answers: {graders.said(error)}"
        return [Finding(Level.WARNING, "tables", text)]
