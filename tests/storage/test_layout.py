"""Which folders a study may be written to."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlesearch.storage.documents import STUDY
from mlesearch.storage.layout import (
    RunKey,
    check_study,
    declared,
    not_planned,
    note_launch,
    note_not_planned,
    open_study,
    study_header,
)
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


def test_runs_that_the_design_leaves_out_are_none_that_were_asked_for_until_they_are_again(tmp_path: Path) -> None:
    keys = [RunKey("m", "greedy", "base", "t", seed) for seed in range(4)]
    note_launch(tmp_path, keys[:2])
    before = (tmp_path / "launches.jsonl").read_bytes()
    assert b"not_planned" not in before
    with pytest.raises(ValueError, match="needs a reason"):
        note_not_planned(tmp_path, keys[2:], " ")
    note_not_planned(tmp_path, keys[1:], "stopped after one seed")
    assert declared(tmp_path) == keys[:1]
    assert not_planned(tmp_path) == dict.fromkeys(keys[1:], "stopped after one seed")
    lines = (tmp_path / "launches.jsonl").read_bytes()
    note_not_planned(tmp_path, keys[1:], "stopped after one seed")
    assert (tmp_path / "launches.jsonl").read_bytes() == lines
    note_launch(tmp_path, keys[:3])
    assert declared(tmp_path) == keys[:3]
    assert not_planned(tmp_path) == {keys[3]: "stopped after one seed"}
