"""MLE-bench's own package, and stand-in data of competitions with the reports that it gave; neither need be here."""

from __future__ import annotations

import csv
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mlesearch.tasks.mlebench.interpreter import PYTHON_VARIABLE
from tests.support.paths import SHARED

GOLDEN = SHARED / "data" / "mlebench_golden.zip"


def real_python() -> Path:
    """The interpreter that has the package; the test is skipped where none is named."""
    named = os.environ.get(PYTHON_VARIABLE)
    if not named:
        pytest.skip(f"{PYTHON_VARIABLE} names no interpreter with MLE-bench (mlesearch mlebench install)")
    return Path(named)


def golden(folder: Path) -> Sequence[Mapping[str, str]]:
    """Unpack prepared data (`data/`) and submissions; the rows say what the package reported of each of them."""
    if not GOLDEN.is_file():
        pytest.skip(f"{GOLDEN} is not here")
    with zipfile.ZipFile(GOLDEN) as archive:
        archive.extractall(folder)
    with (folder / "reports.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
