"""The JSON files of a study: what was written is read back, and what is damaged is named in one line."""

import json

import pytest

from mlesearch.storage.claim import OUTCOMES, Claim
from mlesearch.storage.documents import best_so_far, finished_row, read_grades, read_result, read_run, read_study
from mlesearch.storage.layout import RunKey, check_run, open_study, study_header
from mlesearch.types import ConfigError
from tests.support.run_story import KEY, Story


def test_a_run_s_place_is_written_and_read_back(tmp_path):
    key = RunKey("gemini/x y", "gome", "no review", "rentals", 3)
    assert key.cell == "gemini__x-y/gome/no-review"
    assert key.id == "gemini__x-y/gome/no-review/rentals/seed-3"
    Story(tmp_path).write(key)
    assert RunKey(**read_run(tmp_path)["key"]) == key


@pytest.mark.parametrize("key", ["id", "key", "digest", "identity", "labels"])
def test_a_run_file_that_lacks_something_is_refused(tmp_path, key):
    Story(tmp_path).write()
    run = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps({**run, key: None}))
    with pytest.raises(ConfigError, match=rf"run\.json: its {key} is absent or damaged; restore it"):
        read_run(tmp_path)
    with pytest.raises(ConfigError, match=rf"run\.json: its {key} is absent"):
        check_run(tmp_path, {})


def test_results(tmp_path):
    story = Story(tmp_path).step(0, "draft", 0.5).ended(0).write()
    assert read_result(tmp_path) is finished_row(tmp_path) is None
    story.write(result=True)
    assert finished_row(tmp_path) == read_result(tmp_path)
    assert finished_row(tmp_path)["run_id"] == KEY.id
    (tmp_path / "result.json").write_text('{"status": "failed", "reason": "no key", "real_s": 1}')
    assert finished_row(tmp_path) is None
    assert read_result(tmp_path)["reason"] == "no key"
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"result\.json: its status is absent"):
        finished_row(tmp_path)


def test_grades_and_the_best_node(tmp_path):
    assert read_grades(tmp_path) == {}
    assert best_so_far(tmp_path) is None
    Story(tmp_path).step(4, "draft", 0.5, test=0.25).write()
    assert read_grades(tmp_path)[4]["score"] == 0.25
    (tmp_path / "best").mkdir()
    (tmp_path / "best/node.json").write_text('{"id":4,"validation_score":0.5}\n')
    assert best_so_far(tmp_path) == 4


def test_a_study_s_header_holds_its_claim(tmp_path):
    claim = Claim("gome", "greedy", "gold", True, ("small", "large"), "a sentence")
    open_study(tmp_path, study_header("first", claim))
    found = read_study(tmp_path)["claim"]
    assert found is not None
    assert Claim(**{**found, "tiers": tuple(found["tiers"])}) == claim
    assert claim.outcome in OUTCOMES
    assert list(found) == ["treatment", "baseline", "outcome", "capability", "tiers", "primary"], (
        "no key that is not used"
    )
