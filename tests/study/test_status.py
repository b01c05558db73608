"""Where a study stands, from the files of workers and from its folders: neither may contradict what lies there."""

import json
import os
import shutil
import time
from dataclasses import replace

import pytest

from mlesearch.cli.main import main
from mlesearch.cli.status import lines
from mlesearch.storage.documents import write_result
from mlesearch.storage.layout import RunKey, note_launch, note_not_planned, open_study, study_header
from mlesearch.storage.requests import ask_again
from mlesearch.storage.run_log import log_run
from mlesearch.storage.worker_files import (
    WORKERS,
    RunAttempt,
    SlotState,
    WorkerState,
    append_attempts,
    attempt_of,
    new_worker_id,
    this_worker,
    write_worker,
)
from mlesearch.study.monitoring.status import SILENT_S, read_status
from mlesearch.types import ConfigError
from tests.support.run_story import Story
from tests.support.virtual_runs import launch

KEYS = [RunKey("m", s, "base", "t", n) for s in ("greedy", "random") for n in range(4)]


def story(study, key, *, medal="none", ended=True, seconds=100):
    made = Story(study / key.id).step(0, "draft", 0.5).executed(0).step(1, "improve", 0.6, base=0).executed(1)
    made.grades[-1]["medal"] = medal
    if ended:
        made.ended(1)
        made.events[-1]["real_us"] = seconds * 1_000_000
        made.events[-2]["real_us"] = made.events[-3].get("real_us", 0)
    made.write(key, result=ended)


def indexed(study, key, worker="w"):
    row = json.loads((study / key.id / "result.json").read_text())
    append_attempts(study, worker, [replace(attempt_of(row, key.id), ended_s=time.time(), host="node-1")])


@pytest.fixture
def study(tmp_path):
    """Eight runs: three ended, one failed, one begun, three to begin."""
    study = tmp_path / "study"
    open_study(study, study_header("a study", None))
    note_launch(study, KEYS)
    for key, medal in zip(KEYS, ("gold", "none", "bronze"), strict=False):
        story(study, key, medal=medal)
    story(study, KEYS[4], ended=False)
    write_result(study / KEYS[4].id, {"status": "failed", "reason": "no key", "real_s": 1.0})
    story(study, KEYS[5], ended=False)
    return study


def states(found):
    return [found.runs[key.id].state for key in KEYS]


EXPECTED = ["ended", "ended", "ended", "waiting", "failed", "begun", "waiting", "waiting"]


def test_a_study_without_an_index_is_read_from_its_folders(study):
    found = read_status(study)
    assert states(found) == EXPECTED
    assert (found.missing, found.measured, found.slots, found.eta_s) == (4, 3, 0, None)
    greedy, random = found.cells
    assert (greedy.cell, greedy.planned, greedy.ended, greedy.rated, greedy.medals) == ("m/greedy/base", 4, 3, 3, 2)
    assert (random.failed, random.begun, random.waiting) == (1, 1, 2)
    assert greedy.left_s == pytest.approx(100, rel=0.1)
    assert random.left_s == pytest.approx(300, rel=0.1), "by the runs of the other cell"
    assert found.runs[KEYS[5].id].steps == 2
    assert [f.reason for f in found.failures] == ["no key"]


def test_an_index_says_the_same(study):
    before = read_status(study)
    for key in KEYS[:3]:
        indexed(study, key)
    append_attempts(study, "w", [RunAttempt(KEYS[4].id, "failed", "no key", "permanent", "node-1", "4711")])
    found = read_status(study)
    assert states(found) == EXPECTED
    assert [replace(c, usd=0) for c in found.cells] == [replace(c, usd=0) for c in before.cells]
    (failed,) = found.failures
    assert (failed.error_class, failed.host, failed.job, failed.run_ids) == (
        "permanent",
        "node-1",
        "4711",
        (KEYS[4].id,),
    )


def test_what_the_folders_say_holds_against_an_index(study):
    for key in KEYS[:3]:
        indexed(study, key)
    append_attempts(study, "w", [RunAttempt(KEYS[4].id, "failed", "no key", ended_s=time.time())])
    (study / KEYS[0].id / "result.json").unlink()
    (study / KEYS[4].id / "result.json").unlink()  # it was launched again
    write_worker(study, this_worker("w2"))
    story(study, KEYS[1], medal="silver")  # carried out again by something that keeps no index
    later = time.time() + 120
    os.utime(study / KEYS[1].id / "result.json", (later, later))
    found = read_status(study)
    assert states(found) == ["begun", "ended", "ended", "waiting", "begun", "begun", "waiting", "waiting"]
    assert found.cells[0].medals == 2


def test_a_failure_that_no_folder_says_holds_until_the_run_is_begun_or_asked_for_again(study):
    """As where a file stands in the place of a folder, or a disk is full."""
    attempt = RunAttempt(KEYS[6].id, "failed", "Not a directory", "permanent", ended_s=time.time())
    append_attempts(study, "w", [attempt, replace(attempt, run_id=KEYS[7].id, error_class="transient")])
    assert states(read_status(study))[6:] == ["failed", "waiting"]
    write_worker(study, replace(this_worker("before"), begun_s=attempt.ended_s - 1))
    assert states(read_status(study))[6:] == ["failed", "waiting"]
    ask_again(study, [KEYS[6].id])
    assert states(read_status(study))[6] == "waiting"
    append_attempts(study, "w", [replace(attempt, ended_s=time.time())])
    assert states(read_status(study))[6] == "failed"
    write_worker(study, this_worker("after"))
    assert states(read_status(study))[6] == "waiting"


def test_a_worker_of_another_machine_is_gone_only_where_that_can_be_known(study):
    """On bare nodes the first namespace of processes has one number on all of them; their boots differ."""
    own = this_worker(new_worker_id())
    elsewhere = own.owner.rpartition(".")[0] + ".of-another-boot"
    write_worker(study, replace(own, id="far", host="node-9", owner=elsewhere, slots=(SlotState(KEYS[6].id),)))
    old = time.time() - 2 * SILENT_S
    for name, host in (("far-silent", "node-9"), ("before-a-restart", own.host)):
        write_worker(study, replace(own, id=name, host=host, owner=elsewhere, beat_s=old))
        os.utime(study / WORKERS / f"{name}.json", (old, old))
    found = read_status(study)
    assert {w.state.id: w.standing for w in found.workers} == {
        "far": "working",
        "far-silent": "silent",
        "before-a-restart": "gone",
    }
    assert found.runs[KEYS[6].id].state == "under_way"


def test_workers_by_what_they_say_and_whether_they_can(study):
    own = this_worker(new_worker_id(), slots=2)
    busy = replace(own, slots=(SlotState(KEYS[5].id, time.time() - 40, 1), SlotState(KEYS[3].id, time.time())))
    write_worker(study, busy)
    gone = replace(own, id="gone", owner=own.owner.replace(f":{own.pid}:", ":4194305:"), slots=(SlotState(KEYS[6].id),))
    write_worker(study, gone)
    write_worker(study, replace(own, id="over", activity="ended", slots=(SlotState(KEYS[7].id),)))
    silent = WorkerState("silent", "node-9", 7, beat_s=time.time() - 2 * SILENT_S, slots=(SlotState(KEYS[7].id, 1.0),))
    write_worker(study, silent)
    old = time.time() - 2 * SILENT_S
    os.utime(study / WORKERS / "silent.json", (old, old))
    found = read_status(study)
    assert {w.state.id: w.standing for w in found.workers} == {
        own.id: "working",
        "gone": "gone",
        "over": "ended",
        "silent": "silent",
    }
    assert states(found) == ["ended", "ended", "ended", "under_way", "failed", "under_way", "waiting", "under_way"]
    assert found.slots == 2
    assert found.runs[KEYS[5].id].steps == 2
    assert found.left_s == pytest.approx(100 + 60 + 0 + 100, rel=0.1)
    assert found.eta_s == pytest.approx(found.left_s / 2)
    said = "\n".join(lines(found))
    assert f"stalled: worker silent on node-9 was last heard of 3.0 minutes ago, at work on {KEYS[7].id}" in said
    assert f"ended abruptly: worker gone on {own.host}, at work on {KEYS[6].id}" in said
    assert "no worker is at work" not in said


def test_the_first_line_says_what_is_missing_and_each_failure_is_named_once(study, capsys):
    for key in KEYS[6:]:
        story(study, key, ended=False)
        write_result(study / key.id, {"status": "failed", "reason": "no key", "real_s": 1.0})
    log_run(study / KEYS[4].id, this_worker("w"), 1, "failed: no key")
    assert main(["status", str(study)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith(": 3 of 8 runs have ended, 3 failed, 2 are missing")
    (failed,) = [line for line in said if line.startswith("failed")]
    assert failed.startswith(f"failed: {KEYS[4].id} and 2 more: no key [log: ")
    assert failed.endswith("run.log]")
    assert said[-1].startswith("no worker is at work; to go on: mlesearch resume ")


def test_runs_that_wait_for_money_are_told_with_the_reason(study):
    append_attempts(study, "w", [RunAttempt(k.id, "unpaid", "budget.study_usd is spent") for k in KEYS[5:7]])
    assert "waiting for money: 2 runs: budget.study_usd is spent" in list(lines(read_status(study)))


def test_json_has_all_of_it(study, capsys, monkeypatch):
    indexed(study, KEYS[0])
    write_worker(study, replace(this_worker("w"), slots=(SlotState(KEYS[3].id, 5.0, 1),)))
    log_run(study / KEYS[4].id, this_worker("w"), 1, "failed: no key")
    monkeypatch.chdir(study.parent)
    assert main(["status", "study", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["planned"], found["ended"], found["failed"], found["missing"]) == (8, 3, 1, 4)
    assert found["runs_under_way"][0]["run_id"] == KEYS[3].id
    assert found["workers"][0]["standing"] == "working"
    assert found["failures"][0]["run_ids"] == [KEYS[4].id]
    assert found["failures"][0]["log"] == str(study / KEYS[4].id / "run.log"), "from wherever it is read"
    assert found["cells"][0]["medals"] == 2
    assert found["eta_s"] == found["left_slot_s"]


def test_watching_ends_when_nothing_is_left(study, capsys):
    note_not_planned(study, KEYS[3:], "three are enough")
    assert main(["status", str(study), "--watch"]) == 0
    assert "3 of 3 runs have ended, none is missing" in capsys.readouterr().out
    assert main(["status", str(study), "--watch", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["missing"] == 0


def test_runs_in_the_stores_of_cells_count(tmp_path):
    study = tmp_path / "study"
    launch(study, 1, seeds=[0, 1])
    found = read_status(study)
    assert (found.count("ended"), found.missing, found.simulated) == (16, 0, True)
    rows = [cell.medals for cell in found.cells]
    shutil.rmtree(study / "index", ignore_errors=True)
    assert [cell.medals for cell in read_status(study).cells] == rows


@pytest.mark.parametrize("folder", ["nowhere", "studies", "studies/x/study.json"])
def test_a_typo_is_one_line(tmp_path, monkeypatch, capsys, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies/x").mkdir(parents=True)
    (tmp_path / "studies/x/study.json").write_text('{"format": 1, "name": "x"}')
    code = main(["status", folder])
    said = capsys.readouterr()
    if folder.endswith(".json"):
        assert code == 0
        assert "no run was asked for yet" in said.out
        return
    assert code == 2
    assert said.err.count("\n") == 1
    assert said.err.startswith("mlesearch: error: ")
    assert "studies are in: studies/x" in said.err


def test_an_empty_study_and_a_folder_that_is_none(tmp_path):
    open_study(tmp_path / "s", study_header("s", None))
    assert next(lines(read_status(tmp_path / "s"))).endswith("no run was asked for yet")
    with pytest.raises(ConfigError, match="no study here"):
        read_status(tmp_path)
