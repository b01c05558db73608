"""What is said of a file system, by what two processes found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.cli.doctor_study import examine_study, findings
from mlesearch.storage.file_system_check import SharedFolderFacts
from mlesearch.types import ConfigError, Level

GOOD = SharedFolderFacts(0, 0, 0, 0, "held", "held", 0.01, 0.1, 0.01, 0.005, True)


@pytest.mark.parametrize(
    ("fault", "level", "subject", "said"),
    [
        ({"made_twice": 3}, Level.ERROR, "O_EXCL", "of 200 names 3 were made by both"),
        ({"made_never": 1}, Level.ERROR, "O_EXCL", "and 1 by none"),
        ({"seen_after_s": 31.0}, Level.ERROR, "beats", "within 31 s"),
        ({"half_seen": 2}, Level.ERROR, "rename", "missing or not whole 2 times"),
        ({"lines_lost": 7}, Level.WARNING, "append", "of 400 lines that two processes appended to one file 7 are lost"),
        ({"flock": "not held"}, Level.WARNING, "flock", "one process gets what the other has locked"),
        ({"flock": "Function not implemented"}, Level.WARNING, "flock", "there are none: Function not implemented"),
        ({"record_lock": "No locks available"}, Level.WARNING, "fcntl locks", "there are none: No locks available"),
        ({"clock_ahead_s": -90.0}, Level.WARNING, "clocks", "-90 s ahead"),
        ({"synced_s": None}, Level.WARNING, "fsync", "it fails"),
        ({"synced_s": 0.5}, Level.WARNING, "fsync", "500 ms"),
    ],
)
def test_each_fault_is_said_with_what_depends_on_it(
    fault: dict[str, object], level: Level, subject: str, said: str
) -> None:
    found = list(findings(replace(GOOD, **fault), 90.0))  # type: ignore[arg-type]
    wrong = [f for f in found if f.level is not Level.OK]
    assert [(f.level, f.subject) for f in wrong] == [(level, subject)]
    assert said in wrong[0].text
    assert wrong[0].todo
    assert len(str(wrong[0]).splitlines()) == 1


def test_a_good_one_lacks_nothing() -> None:
    assert [f.level for f in findings(GOOD, 90.0)] == [Level.OK] * 8
    assert "hard links" in [f.subject for f in findings(replace(GOOD, links=False), 90.0)]


def test_a_folder_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        list(examine_study(tmp_path / "absent"))
