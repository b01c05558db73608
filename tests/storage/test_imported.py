"""Imports that stand beside a study: kept once, under names of their own, and refused where they would be pooled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlesearch.storage.imported import ImportedFile, ImportedRow, imported_path, read_imported, write_imported
from mlesearch.storage.layout import open_study, study_header
from mlesearch.types import ConfigError


def row(**other: Any) -> ImportedRow:
    made: dict[str, Any] = {
        **{"model": "m", "strategy": "aide", "task": "t", "seed": 1, "score": 0.5, "medal": "gold"},
        **{"above_median": True, "submitted": True, "valid": True, "kind": "test", "lower_is_better": None},
        **{"source": "f.json", **other},
    }
    return made  # type: ignore[return-value]  # made field by field, for wrong ones too


def content(name: str = "theirs", *rows: ImportedRow) -> ImportedFile:
    made = list(rows) or [row()]
    return {
        **{"format": 1, "name": name, "imported": True, "mlesearch": "0", "sources": {}, "incomplete": "refuse"},
        **{"notes": [], "mismatches": [], "rows": made},
    }  # type: ignore[typeddict-item,return-value]  # in two parts


@pytest.fixture
def study(tmp_path: Path) -> Path:
    open_study(tmp_path / "s", study_header("s", None))
    return tmp_path / "s"


def test_what_was_kept_is_read_back(study: Path) -> None:
    made = content("theirs", row(), row(seed=2, score="nan"), row(seed=3, score=None, medal=None, above_median=None))
    path = write_imported(study, made, [("m", "greedy")])
    assert path == imported_path(study, "theirs")
    assert read_imported(study) == [made]


def test_nothing_is_pooled_or_overwritten(study: Path) -> None:
    with pytest.raises(ConfigError, match=r"model 'm' with strategy 'aide' is its own runs there; .* never pooled"):
        write_imported(study, content(), [("m", "aide")])
    write_imported(study, content(), [("m", "greedy")])
    with pytest.raises(ConfigError, match=r"--name: .* is there already"):
        write_imported(study, content("theirs", row(strategy="x")), [])
    with pytest.raises(ConfigError, match=r"strategy 'aide' is the import theirs there; .* never pooled"):
        write_imported(study, content("again"), [])
    write_imported(study, content("again", row(model="n")), [])
    assert [found["name"] for found in read_imported(study)] == ["again", "theirs"]
    with pytest.raises(ConfigError, match=r"--into: .* is simulated, and simulated and other results may never stand"):
        write_imported(study, content("live", row(model="o")), [], simulated=True)
    with pytest.raises(ConfigError, match=r"--into: .* no study here"):
        write_imported(study / "nowhere", content(), [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": 2},
        {"imported": False},
        {"rows": 3},
        {"notes": [1]},
        {"name": None},
        {"rows": [{**row(), "more": 1}]},
        {"rows": [row(seed="1")]},
        {"rows": [row(score="high")]},
        {"rows": [row(valid=None)]},
    ],
)
def test_a_damaged_file_is_refused(study: Path, wrong: dict[str, Any]) -> None:
    path = write_imported(study, content(), [])
    path.write_text(json.dumps({**content(), **wrong}))
    with pytest.raises(
        ConfigError, match=r"theirs\.json: (no import of this version of mlesearch|it is damaged); remove it"
    ):
        read_imported(study)
