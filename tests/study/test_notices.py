"""Who is told what becomes of a study: each notice once, by one worker, and never at the cost of a run."""

import json
import os
import time
from dataclasses import replace

import pytest

from mlesearch.cli.status import lines
from mlesearch.storage.documents import write_result
from mlesearch.storage.layout import RunKey, note_launch, open_study, study_header
from mlesearch.storage.worker_files import (
    SlotState,
    append_attempts,
    attempt_at,
    new_worker_id,
    this_worker,
    write_worker,
)
from mlesearch.study.monitoring import notices
from mlesearch.study.monitoring.notices import Notices
from mlesearch.study.monitoring.status import SILENT_S, read_status
from tests.support.run_story import Story
from tests.support.waiting import until

KEYS = [RunKey("m", "greedy", "base", "t", n) for n in range(4)]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(notices, "EVERY_S", 0.0)


@pytest.fixture
def study(tmp_path):
    open_study(tmp_path / "s", study_header("s", None))
    note_launch(tmp_path / "s", KEYS)
    return tmp_path / "s"


def fail(study, key, reason):
    Story(study / key.id).write(key)
    write_result(study / key.id, {"status": "failed", "reason": reason, "real_s": 1.0})


def told(study):
    """What the command was told so far, in any order."""
    return [json.loads(line) for path in sorted(study.parent.glob("told-*")) for line in path.read_text().splitlines()]


def limited(study, **budget):
    """The newest list of the study's runs, as far as its cell has budgets."""
    s = {"model": {"name": "m"}, "strategy": {"name": "greedy"}, "variant": "base"}
    number = 1 + len(list((study / "launches").glob("*")))
    (study / "launches").mkdir(exist_ok=True)
    text = json.dumps({"cell": {**s, "budget": {"study_usd": None, "cell_usd": None} | budget}}, separators=(",", ":"))
    (study / "launches" / f"{number}.jsonl").write_text('{"launch":1}\n' + text + "\n")


def teller(study, said=None, command=None):
    to_file = f"cat > {study.parent}/told-$$"
    return Notices(study, command or to_file, (said if said is not None else []).append)


def test_the_first_failure_of_a_kind_is_told_once_and_by_whoever_comes_first(study):
    fail(study, KEYS[0], "no answer after 12 s")
    fail(study, KEYS[1], "no answer after 15 s")
    fail(study, KEYS[2], "no key")
    tellers = [teller(study) for _ in range(3)]
    for each in tellers:
        each.look("w")
    assert until(lambda: len(told(study)) == 2, 20)
    assert {(t["event"], t["reason"][:9]) for t in told(study)} == {("failure", "no answer"), ("failure", "no key")}
    assert (told(study)[0]["planned"], told(study)[0]["failed"], told(study)[0]["missing"]) == (4, 3, 1)


def test_one_worker_looks_though_the_first_is_on_another_machine(study):
    own = this_worker("here")
    far = replace(own, id="far", begun_s=own.begun_s - 1, owner=own.owner.rpartition(".")[0] + ".of-another-boot")
    for state in (far, own):
        write_worker(study, state)
    fail(study, KEYS[0], "no key")
    teller(study).look("here")
    assert not (study / notices.NOTICES).exists(), "the first of those at work tells"
    teller(study).look("far")
    assert until(lambda: len(told(study)) == 1, 20)


def test_the_end_is_told_when_nobody_goes_on(study):
    state = this_worker(new_worker_id())
    write_worker(study, state)
    for key in KEYS[:3]:
        Story(study / key.id).step(0, "draft", 0.5).executed(0).ended(0).write(key, result=True)
    teller(study).end("another")
    assert told(study) == [], "a run is missing, and a worker is at work"
    write_worker(study, replace(state, activity="ended"))
    teller(study).end(state.id, stopped=True)
    assert told(study) == []
    teller(study).end(state.id)
    (end,) = told(study)
    assert (end["event"], end["ended"], end["missing"]) == ("end", 3, 1)
    teller(study).end(state.id)
    assert len(told(study)) == 1


def test_a_worker_that_stands_still_and_a_budget_nearly_spent(study):
    gone = this_worker(new_worker_id())
    gone = replace(gone, owner=gone.owner.replace(f":{gone.pid}:", ":4194305:"), slots=(SlotState(KEYS[0].id, 1.0),))
    write_worker(study, gone)
    story = Story(study / KEYS[1].id).step(0, "draft", 0.5).executed(0).ended(0)
    for event in story.events:
        if "usage" in event:
            event["usage"]["cost_nusd"] = 900_000_000
    story.write(KEYS[1], result=True)
    limited(study, study_usd=2.0)
    teller(study).look("w")
    assert until(lambda: len(told(study)) == 1, 20)
    limited(study, study_usd=1.0)
    teller(study).look("w")
    assert until(lambda: len(told(study)) == 2, 20)
    by_event = {t["event"]: t for t in told(study)}
    assert (by_event["stall"]["worker"], by_event["stall"]["run_ids"]) == (gone.id, [KEYS[0].id])
    assert (by_event["budget"]["study_usd"], by_event["budget"]["usd"]) == (1.0, 0.9)
    limited(study, study_usd=1.0, cell_usd=1.2)
    teller(study).look("w")
    limited(study, study_usd=1.0, cell_usd=1.1)
    teller(study).look("w")
    assert until(lambda: len(told(study)) == 3, 20)
    (of_cell,) = [t for t in told(study) if "cell" in t]
    assert (of_cell["event"], of_cell["cell"]) == ("budget", "m/greedy/base")
    assert (of_cell["cell_usd"], of_cell["usd_of_cell"]) == (1.1, 0.9)
    said = "\n".join(lines(read_status(study)))
    assert "nearly spent: budget.study_usd: USD 0.9000 of 1.0000, by journals" in said
    assert "nearly spent: budget.cell_usd of m/greedy/base: USD 0.9000 of 1.1000, by journals" in said


def test_a_worker_whose_work_others_have_is_no_news(study):
    """It was killed, or its machine was lost: what it was on has ended since, or another worker is on it."""
    own = this_worker(new_worker_id())
    dead = own.owner.replace(f":{own.pid}:", ":4194305:")
    elsewhere = own.owner.rpartition(".")[0] + ".of-another-boot"
    old_s = time.time() - 2 * SILENT_S
    lost = replace(own, host="node-9", owner=elsewhere, begun_s=old_s, beat_s=old_s)
    ended, taken = SlotState(KEYS[0].id, old_s), SlotState(KEYS[1].id, old_s)
    for state in (
        replace(own, id="killed", owner=dead, begun_s=old_s, beat_s=old_s, slots=(ended, taken)),
        replace(lost, id="lost", slots=(ended, taken)),
        replace(lost, id="idle"),
    ):
        write_worker(study, state)
        os.utime(study / "workers" / f"{state.id}.json", (old_s, old_s))
    Story(study / KEYS[0].id).step(0, "draft", 0.5).executed(0).ended(0).write(KEYS[0], result=True)
    write_worker(study, replace(own, id="now", slots=(SlotState(KEYS[1].id, time.time()),)))
    teller(study).look("now")
    found = read_status(study)
    assert (found.stalled, found.broken_off) == ((), ())
    assert found.runs[KEYS[1].id].worker == "now", "who works on it has it, not who was not heard of"
    assert not (study / notices.NOTICES).exists()
    assert not any(line.startswith(("stalled", "ended abruptly")) for line in lines(found))
    write_worker(study, replace(own, id="now", activity="ended"))  # it left the run as it was
    assert [w.state.id for w in read_status(study).stalled] == ["lost"]
    (study / "workers/lost.json").unlink()
    assert [w.state.id for w in read_status(study).broken_off] == ["killed"]


def test_a_lost_machine_is_told_of_while_runs_are_missing_and_nobody_has_begun_since(study):
    own = this_worker(new_worker_id())
    elsewhere = own.owner.rpartition(".")[0] + ".of-another-boot"
    old_s = time.time() - 2 * SILENT_S
    write_worker(study, replace(own, id="idle", owner=elsewhere, host="node-9", begun_s=old_s, beat_s=old_s))
    os.utime(study / "workers/idle.json", (old_s, old_s))
    write_worker(study, replace(own, begun_s=old_s - 1))
    assert [w.state.id for w in read_status(study).stalled] == ["idle"]
    write_worker(study, own)
    assert read_status(study).stalled == ()


def test_an_end_after_new_work_is_told_again_and_one_without_is_not(study):
    state = this_worker("w")
    for key in KEYS[:3]:
        Story(study / key.id).step(0, "draft", 0.5).executed(0).ended(0).write(key, result=True)
    fail(study, KEYS[3], "no key")
    failed = attempt_at(state, KEYS[3].id, "failed", None, reason="no key")
    teller(study).end("w")
    append_attempts(study, "w", [failed])  # which comes a little after what the run's folder says
    teller(study).end("w")
    assert [t["event"] for t in told(study)].count("end") == 1
    append_attempts(study, "w", [replace(failed, attempt=2)])  # asked for again, it failed again
    teller(study).end("w")
    assert [(t["ended"], t["failed"]) for t in told(study) if t["event"] == "end"] == [(3, 1), (3, 1)]
    (study / KEYS[3].id / "result.json").unlink()
    unpaid = attempt_at(state, KEYS[3].id, "unpaid", None, reason="budget.study_usd is spent")
    for _ in range(3):  # a worker that is started again and again, with no money to go on
        append_attempts(study, "w", [unpaid])
        teller(study).end("w")
    assert len([t for t in told(study) if t["event"] == "end"]) == 3


def test_only_the_first_of_the_workers_tells(study):
    fail(study, KEYS[0], "no key")
    first, second = (replace(this_worker(new_worker_id()), begun_s=time.time() - ago) for ago in (20, 10))
    write_worker(study, second)
    write_worker(study, first)
    teller(study).look(second.id)
    assert told(study) == []
    teller(study).look(first.id)
    assert until(lambda: len(told(study)) == 1, 20)


@pytest.mark.parametrize("command", ["exit 3", "no-such-command-anywhere", "cat > /dev/null; kill -9 $$"])
def test_a_command_that_fails_costs_its_notice_and_is_named(study, command):
    fail(study, KEYS[0], "no key")
    said = []
    each = teller(study, said=said, command=command)
    each.look("w")
    each.end()
    assert said
    assert all(line.startswith("warning: notify.command ended with exit code ") for line in said)


def test_without_a_command_nothing_is_made(study):
    fail(study, KEYS[0], "no key")
    each = Notices(study, None, print)
    each.look("w")
    each.end()
    assert not (study / "notices").exists()
