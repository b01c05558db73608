"""A journal that two processes have written counts nowhere: whatever reads it says so in one line."""

import json
import re

import pytest

from mlesearch.cli.main import main
from mlesearch.storage.journal import JOURNAL
from mlesearch.storage.layout import RunKey, note_launch, open_study, study_header
from tests.support.run_story import Story

KEY = RunKey("m", "greedy", "base", "t", 0)


def of_kind(line: bytes, what: str) -> bool:
    return json.loads(line)["type"] == what


def doubled(lines: list[bytes], what: str) -> list[bytes]:
    """As two writers leave it: each event of a kind stands there again, somewhere behind."""
    return [*lines, *(line for line in lines if of_kind(line, what))]


@pytest.fixture
def study(tmp_path):
    study = tmp_path / "study"
    open_study(study, study_header("study", None))
    note_launch(study, [KEY])
    story = Story(study / KEY.id).step(0, "draft", 0.5).executed(0).step(1, "improve", 0.6, base=0).executed(1)
    story.ended(1).write(KEY, result=True)
    return study


@pytest.mark.parametrize(
    ("what", "said"), [("asked", "id 0 was asked twice"), ("told", "id 0 was told twice"), ("ended", "it ended twice")]
)
@pytest.mark.parametrize("command", ["collect", "report", "verify", "cassette verify"])
def test_it_is_refused_in_one_line(study, capsys, what, said, command):
    journal = study / KEY.id / JOURNAL
    assert main(["collect", str(study)]) == 0
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(doubled(lines, what)))
    first = next(n for n, line in enumerate(lines, start=1) if of_kind(line, what))
    capsys.readouterr()
    code = main([*command.split(), str(study if command != "verify" else journal.parent)])
    out, err = capsys.readouterr()
    told = [line for line in (out + err).splitlines() if "twice" in line]
    assert code == 1
    assert len(told) == 1
    assert f"{journal}: {said} (lines {first} and {len(lines) + 1})" in told[0]
    assert "move the run's folder away and launch again" in told[0]
    assert not re.search("Traceback|File .*line", out + err)
