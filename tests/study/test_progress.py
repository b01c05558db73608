"""Live progress counts events, whatever texts stand in them."""

from types import SimpleNamespace

import pytest

from mlesearch.study.monitoring.progress import describe
from mlesearch.study.monitoring.watching import Watched
from mlesearch.types import ConfigError
from tests.support.run_story import Story


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path)


def watched(story):
    return Watched(SimpleNamespace(folder=story.folder))


def unusable(story, id, op):
    story.step(id, op)
    story.events[-1]["outcome"]["status"] = "reply_unusable"


def test_programs_that_ended_or_never_came_are_counted_as_they_come(story):
    watch = watched(story)
    assert not watch.poll()  # there is no journal yet
    story.step(0, "draft", 0.5).executed(0).write()
    watch.poll()
    assert watch.steps == 1
    unusable(story, 1, "improve")
    unusable(story, 2, "diagnose")  # a judgement is no program
    story.write()
    watch.poll()
    watch.poll()
    assert watch.steps == 2


def test_a_reply_that_quotes_a_journal_counts_nothing(story):
    story.step(0, "draft", 0.5)
    story.events[-2]["text"] = '{"type":"executed"} "status":"reply_unusable"'
    story.write()
    watch = watched(story)
    watch.poll()
    assert watch.steps == 0


def test_a_corrupt_journal_leaves_the_others_watched(story):
    story.step(0, "draft", 0.5).executed(0).write()
    watch = watched(story)
    watch.poll()
    with open(story.folder / "journal.jsonl", "a") as journal:
        journal.write('garbage\n{"type":"told"}\n')
    assert not watch.poll()
    assert watch.steps == 1


def test_a_folder_that_can_t_be_read_ends_no_watch(story):
    story.folder.rmdir()
    story.folder.write_text("a file where a run's folder would be")
    assert not watched(story).poll()


def test_a_run_is_done_when_its_result_is_there(story):
    watch = watched(story)
    story.step(0, "draft", 0.5, test=0.25).ended(0).write()
    assert not watch.poll()
    with pytest.raises(ConfigError, match="no result yet"):
        describe(story.folder)
    story.write(result=True)
    assert watch.poll()
    assert not watch.poll()
    assert describe(story.folder) == "no medal, test 0.25, validation 0.5"
