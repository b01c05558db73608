"""Which folders a study may be written to."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlesearch.storage.documents import STUDY
from mlesearch.storage.layout import check_study, open_study, study_header
from mlesearch.types import ConfigError

HEADER = study_header("first", None)


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ConfigError, match=r"is not empty and holds no study"):
        check_study(tmp_path, HEADER)


def test_a_header_that_was_cut_while_written_blocks_nobody(tmp_path: Path) -> None:
    (tmp_path / f".{STUDY}.4711").write_text('{"format"')
    check_study(tmp_path, HEADER)
    open_study(tmp_path, HEADER)
    assert json.loads((tmp_path / STUDY).read_text())["name"] == "first"


def test_a_study_that_another_launch_opens_meanwhile_is_no_strange_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Path.iterdir

    def opened_meanwhile(folder: Path) -> Iterator[Path]:
        open_study(tmp_path, HEADER)
        (tmp_path / "launches.jsonl").touch()
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", opened_meanwhile)
    check_study(tmp_path, HEADER)
    assert (tmp_path / STUDY).exists()


def test_another_study_that_opens_meanwhile_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = Path.iterdir

    def opened_meanwhile(folder: Path) -> Iterator[Path]:
        open_study(tmp_path, study_header("second", None))
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", opened_meanwhile)
    with pytest.raises(ConfigError, match="holds another study: name"):
        check_study(tmp_path, HEADER)
