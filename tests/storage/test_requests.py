"""What a user asks of workers: seen once by those that are at work, and by later ones where it still holds."""

import pytest

from mlesearch.storage.requests import (
    LIMIT,
    LOOK_S,
    RequestReader,
    ask_again,
    end_pause,
    pause,
    set_study_usd,
    why_paused,
)
from tests.support.call_limits import Clock


def test_a_pause_holds_until_it_is_ended(tmp_path):
    clock = Clock()
    reader = RequestReader(tmp_path, clock.monotonic)
    assert (reader.look(), reader.why_waiting) == ([], "")
    pause(tmp_path, "a new disk \ud800")
    assert reader.why_waiting == ""
    clock.now_s += LOOK_S
    reader.look()
    assert why_paused(tmp_path) == "a new disk ?"
    assert reader.why_waiting == "the study is paused (a new disk ?)"
    later = RequestReader(tmp_path)
    later.look()
    assert later.why_waiting
    assert end_pause(tmp_path)
    assert not end_pause(tmp_path)
    clock.now_s += LOOK_S
    reader.look()
    assert reader.why_waiting == ""


def test_the_last_look_is_taken_at_once(tmp_path):
    reader = RequestReader(tmp_path, Clock().monotonic)
    assert reader.look() == []
    ask_again(tmp_path, ["a"])
    assert reader.look() == []
    assert reader.look(at_once=True) == ["a"]


def test_who_waits_is_told_why_and_what_to_do_and_when_it_is_over(tmp_path):
    clock, said = Clock(), []
    reader = RequestReader(tmp_path / "a study", clock.monotonic, said.append)
    (tmp_path / "a study").mkdir()
    pause(tmp_path / "a study", "a new disk")
    for _ in range(3):
        reader.look()
        clock.now_s += LOOK_S
    off = f"nothing new begins until: mlesearch pause '{tmp_path}/a study' --off"
    assert said == [f"waiting: the study is paused (a new disk); {off}"]
    end_pause(tmp_path / "a study")
    for _ in range(2):
        reader.look()
        clock.now_s += LOOK_S
    assert said[1:] == ["going on: the study is no longer paused"]


def test_while_a_limit_can_not_be_read_nothing_new_begins(tmp_path):
    clock, said = Clock(), []
    reader = RequestReader(tmp_path, clock.monotonic, said.append)
    set_study_usd(tmp_path, 5)
    waits = []
    for step in (
        lambda: None,
        lambda: (tmp_path / LIMIT).write_text("{"),
        lambda: pause(tmp_path, "so"),
        lambda: end_pause(tmp_path),
        lambda: set_study_usd(tmp_path, 6),
    ):
        step()
        reader.look()
        waits.append(reader.why_waiting.partition(" (")[0])
        clock.now_s += LOOK_S
    unread = f"{tmp_path}/budget.json: what the study may cost can't be read"
    assert waits == ["", unread, "the study is paused", unread, ""]
    assert f"set it again: mlesearch budget {tmp_path} --study-usd USD" in said[0]
    assert [line.partition(" (")[0] for line in said] == [
        f"waiting: {unread}",
        "waiting: the study is paused",
        f"waiting: {unread}",
        "going on: the study's limit is known again",
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"why": 7}'])
def test_a_pause_whose_file_is_damaged_is_one(tmp_path, text):
    (tmp_path / "pause.json").write_text(text)
    assert why_paused(tmp_path) == "pause.json is there"


def test_a_run_is_asked_for_again_once_and_of_those_that_are_at_work(tmp_path):
    clock = Clock()
    ask_again(tmp_path, ["before"])
    reader = RequestReader(tmp_path, clock.monotonic)
    assert reader.look() == []
    ask_again(tmp_path, ["a", "b"])
    clock.now_s += LOOK_S
    assert reader.look() == ["a", "b"]
    with (tmp_path / "requeue.jsonl").open("a") as file:
        file.write('{"run_ids": ["c"')
    clock.now_s += LOOK_S
    assert reader.look() == []
    ask_again(tmp_path, ["d"])
    clock.now_s += LOOK_S
    assert reader.look() == ["d"]
    assert RequestReader(None).look() == []
