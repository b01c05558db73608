"""The reference of the tables' columns: `python -m mlesearch.storage.column_reference > docs/columns.md`."""

from __future__ import annotations

from collections.abc import Mapping

from mlesearch.storage.columns import ROWS, TABLES, Column

_KINDS = {"text": "text", "int": "whole number", "float": "number", "flag": "true or false"}

_HEAD = """# The columns of a study's tables

`mlesearch collect STUDY` writes three tables as parquet files. Together with study.json they are all that the analysis
sees of a study. A column is declared once, in `mlesearch/storage/columns.py`; this page is made from there, by
`python -m mlesearch.storage.column_reference > docs/columns.md`.

A column that *may be empty* is so where it does not apply, or where the run has no result. *Measured* columns are
durations: all that may differ between two equal studies.
"""


def markdown() -> str:
    """The page."""
    return "\n".join([_HEAD, *(_section(name, TABLES[name], row.__doc__ or "") for name, row in ROWS.items())])


def _section(name: str, columns: Mapping[str, Column], rows: str) -> str:
    head = "| column | holds | unit | meaning | |\n|---|---|---|---|---|"
    lines = [
        f"| `{column}` | {_KINDS[c.kind]} | {c.unit} | {_meaning(c)} | {_marks(c)} |" for column, c in columns.items()
    ]
    return f"## {name}.parquet\n\n{rows}\n\n{head}\n" + "\n".join(lines) + "\n"


def _meaning(c: Column) -> str:
    return f"{c.meaning}; {c.note}" if c.note else c.meaning


def _marks(c: Column) -> str:
    """A flag is never empty: without a result it is false."""
    marks = {"may be empty": c.nullable and c.kind != "flag", "measured": c.measured, "not in older tables": c.optional}
    return ", ".join(mark for mark, holds in marks.items() if holds)


if __name__ == "__main__":
    print(markdown(), end="")
