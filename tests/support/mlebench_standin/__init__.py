"""Makes what tests need to grade as with MLE-bench: an interpreter that has a stand-in package, and prepared data."""

from __future__ import annotations

import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
MET: Mapping[str, str] = {"pandas": "2.3.3", "numpy": "2.3.5", "scikit-learn": "1.9.1"}
"""Releases that grade as those of 2024 did."""
IDS = ("r1", "r2", "r3", "r4")
TRUTH = (1.0, 2.0, 3.0, 4.0)
NEAR = tuple(y + 0.5 for y in TRUTH)
"""Scores 0.5."""
SIMPLE = ("faults", "positions", "pointer", "leaf-classification")
"""Competitions with the columns id and y, graded by the mean absolute error."""


def interpreter(folder: Path, versions: Mapping[str, str] = MET, *, package: bool = True) -> Path:
    """An environment with the stand-in package and, by name alone, releases of other libraries.

    Args:
        folder: for the environment; absent.
        versions: of the libraries that it seems to have.
        package: whether the stand-in is in it.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    if package:
        (site / "standin.pth").write_text(f"{HERE}\n", encoding="utf-8")
    for name, version in versions.items():
        (site / f"{name.replace('-', '_')}-{version}.dist-info").mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (site / f"{name.replace('-', '_')}-{version}.dist-info" / "METADATA").write_text(text, encoding="utf-8")
    return folder / "bin" / "python"


def prepared(folder: Path) -> Path:
    """A data folder with the simple competitions, prepared."""
    for name in SIMPLE:
        public, private = (folder / name / "prepared" / kind for kind in ("public", "private"))
        public.mkdir(parents=True)
        private.mkdir()
        (private / "test.csv").write_text(csv_of(TRUTH), encoding="utf-8")
        (public / "sample_submission.csv").write_text(csv_of([0.0] * len(IDS)), encoding="utf-8")
    return folder


def csv_of(values: Sequence[float], **columns: str) -> str:
    """A submission; further columns hold one text in each row."""
    names = ["id", "y", *columns]
    rows = [[i, repr(y), *columns.values()] for i, y in zip(IDS, values, strict=True)]
    return "\n".join(",".join(row) for row in [names, *rows]) + "\n"


def submission(folder: Path, text: str | bytes, name: str = "submission.csv") -> Path:
    """A file with this text."""
    path = folder / name
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return path


def faulty(folder: Path, fault: str, **columns: str) -> Path:
    """A submission whose grading goes wrong in this way."""
    return submission(folder, csv_of(NEAR, fault=fault, **columns), f"{fault.replace(' ', '-')}.csv")
