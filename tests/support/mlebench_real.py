"""MLE-bench's own package, and stand-in data of competitions with the reports that it gave; neither need be here."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mlesearch.tasks import medals
from mlesearch.tasks.leaderboard import mlebench_thresholds
from mlesearch.tasks.mlebench.interpreter import PYTHON_VARIABLE
from tests.support.paths import SHARED

REPOSITORY_VARIABLE = "MLESEARCH_MLEBENCH_REPOSITORY"
"""Names a git folder of openai/mle-bench: what an installation of the package lacks."""
AGGREGATION = "experiments/aggregate_grading_reports.py"
FAMOU_REPORTS = (
    "983e5e271d2274f4a86e492edfb5ed9f7697681f",
    "e74e1bd2f5a55c4eccce6b00fa371bae4c028291",
    "1580228471689d8daa93e0fb9ca9860993173435",
)
"""Grading reports of three seeds of one agent that the history of the repository has as they are, not as pointers."""
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


def of_repository(what: str) -> bytes:
    """An object of the repository, as git names it; the test is skipped where none is named, or it lacks that."""
    named = os.environ.get(REPOSITORY_VARIABLE)
    if not named:
        pytest.skip(f"{REPOSITORY_VARIABLE} names no git folder of openai/mle-bench")
    found = subprocess.run(["git", "-C", named, "cat-file", "blob", what], capture_output=True)
    if found.returncode:
        pytest.skip(f"{named} has no {what}")
    return found.stdout


def aggregation_script(folder: Path) -> Path:
    """MLE-bench's own script, in a folder where it finds runs/ beside it."""
    script = folder / AGGREGATION
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_bytes(of_repository(f"HEAD:{AGGREGATION}"))
    return script


def with_boards(python: Path, folder: Path, competitions: Sequence[str]) -> Path:
    """A copy of the installed package whose boards have the medal places and the median of our table.

    Its own boards are pointers where it was installed without Git LFS, and its own command grades nothing then.

    Returns:
        The folder, for PYTHONPATH.
    """
    where = "import mlebench, pathlib; print(pathlib.Path(mlebench.__file__).parent)"
    package = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True, cwd=folder).stdout
    shutil.copytree(package.strip(), folder / "mlebench", ignore=shutil.ignore_patterns("__pycache__"))
    for name in competitions:
        limits, direction = mlebench_thresholds(name)
        places = medals.positions(limits.teams)
        scores = [limits.gold] * places.gold
        scores += [limits.silver] * (places.silver - len(scores))
        scores += [limits.bronze] * (places.bronze - len(scores))
        scores += [limits.median] * (limits.teams - 1 - len(scores))
        scores.append(limits.median - direction.sign)  # the package reads the direction from the first and the last
        board = folder / "mlebench" / "competitions" / name / "leaderboard.csv"
        board.write_text("score\n" + "".join(f"{score!r}\n" for score in scores), encoding="utf-8")
    return folder
