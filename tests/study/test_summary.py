"""The numbers of a run's row, against a journal written by hand."""

import pytest

from mlesearch.storage.documents import read_run
from mlesearch.study.runs import mechanism, summary
from mlesearch.types import Direction
from tests.support.run_story import Story

MAX = Direction.MAXIMIZE


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path)


def test_improvement_rate_is_the_share_that_beats_its_base(story):
    story.step(0, "draft", 0.5).step(1, "improve", 0.6, base=0).step(2, "improve", 0.6, base=1)
    story.step(3, "improve", None, base=1).step(4, "draft").step(5, "improve", 0.9, base=4)
    f = story.fold()
    assert mechanism.improvement_rate(f, MAX) == pytest.approx(1 / 3)  # 1 of 3; the base of 5 has no score
    assert mechanism.improvement_rate(f, Direction.MINIMIZE) == 0.0


def test_a_void_score_beats_nothing_and_nothing_is_measured_against_it(story):
    story.step(0, "draft", 0.5).step(1, "improve", 0.99, base=0, verdicts=((1, "void"),))
    story.step(2, "improve", 1.0, base=1)
    assert mechanism.improvement_rate(story.fold(), MAX) == 0.0


def test_void_stays_void(story):
    story.step(0, "draft", 0.9, verdicts=((0, "void"),)).step(1, "draft", 0.5, verdicts=((0, "rejected"),))
    f = story.fold()
    assert f.verdicts[0] == "void"
    rows = summary.node_rows(f, "r", MAX)
    assert [r["best_so_far"] for r in rows] == [None, 0.5]
    assert summary._oracle(f, MAX)["id"] == 1


def test_no_improvements_no_rate(story):
    f = story.step(0, "draft", 0.5).fold()
    assert mechanism.improvement_rate(f, MAX) is None
    assert mechanism.direction_accuracy(f, MAX) is None


@pytest.mark.parametrize(
    ("chosen", "score", "right"),
    [("high", 0.6, 1.0), ("high", 0.4, 0.0), ("low", 0.4, 1.0), ("low", 0.6, 0.0), ("high", None, 0.0)],
)
def test_direction_accuracy_compares_the_predicted_sign(story, chosen, score, right):
    story.step(0, "draft", 0.5).step(1, "hypothesize", base=0, impacts={"high": 9, "low": 2, "middle": 5})
    story.step(2, "improve", score, base=0, says=chosen)
    assert mechanism.direction_accuracy(story.fold(), MAX) == right


def test_where_nothing_was_predicted_nothing_is_counted(story):
    story.step(0, "draft", 0.5).step(1, "hypothesize", base=0, impacts={"only": 10})
    story.step(2, "improve", 0.6, base=0, says="only")
    story.step(3, "hypothesize", base=0, impacts={"a": 5, "b": 5})
    story.step(4, "improve", 0.6, base=0, says="a")
    story.step(5, "improve", 0.6, base=0, says="a hypothesis of another trace")
    assert mechanism.direction_accuracy(story.fold(), MAX) is None


def test_the_oracle_is_the_best_test_score_and_ties_go_to_the_earlier(story):
    story.step(0, "draft", 0.9, test=0.3).step(1, "draft", 0.1, test=0.8).step(2, "draft", 0.2, test=0.8)
    f = story.fold()
    assert summary._oracle(f, MAX)["id"] == 1
    assert summary._oracle(f, Direction.MINIMIZE)["id"] == 0


def test_sums_run_over_all_calls_and_steps_count_programs(story):
    story.step(0, "draft", 0.5, tokens=10).step(1, "diagnose", impacts={"x": 1}, tokens=7).step(2, "draft", tokens=5)
    rows = summary.node_rows(story.fold(), "r", MAX)
    assert [(r["proposal"], r["step"], r["cum_tokens"]) for r in rows] == [(0, 1, 10), (2, 2, 22)]
    assert [r["cum_usd"] for r in rows] == pytest.approx([1e-5, 2.2e-5])
    assert [r["best_so_far"] for r in rows] == [0.5, 0.5]
    assert [r["t_charged_s"] for r in rows] == [1.0, 3.0]


def test_real_time_is_that_of_all_processes(story):
    f = story.step(0, "draft", 0.5, real_us=300_000).step(1, "draft", 0.6, real_us=1_800_000).fold()
    assert f.real_us == 1_800_000


def test_a_selected_node_without_a_grade_is_an_error_not_a_zero(story):
    story.step(0, "draft", 0.5).ended(0).grades.clear()
    f = story.fold()
    with pytest.raises(summary.JournalError, match="no grade of the selected node 0"):
        summary.summarise(read_run(story.folder), f)
