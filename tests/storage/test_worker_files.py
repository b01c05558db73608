"""What workers say of themselves: written, read back, and read from whatever a crash or another version left."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.storage.processes import alive
from mlesearch.storage.run_log import log_run, read_log
from mlesearch.storage.worker_files import (
    INDEX,
    WORKERS,
    IndexReader,
    RunAttempt,
    SlotState,
    WorkerState,
    append_attempts,
    attempt_at,
    job_id,
    new_worker_id,
    read_attempts,
    read_workers,
    this_worker,
    write_worker,
)
from tests.support.run_story import KEY, Story

STATE = WorkerState(
    "node-1-7-aa",
    "node-1",
    7,
    "0:7:1.b",
    "4711",
    2,
    1.5,
    9.0,
    3,
    "stopping",
    "SIGTERM",
    0.25,
    1,
    (SlotState("a", 2.0),),
)


def test_a_worker_is_written_and_read_back(tmp_path):
    write_worker(tmp_path, STATE)
    write_worker(tmp_path, later := replace(STATE, id="node-2-7-bb", begun_s=1.0, usd=None))
    write_worker(tmp_path, STATE)
    assert read_workers(tmp_path) == [later, STATE]
    assert STATE.run_ids == ("a",)
    assert replace(STATE, activity="ended").run_ids == ()


def test_this_worker_lives_and_has_a_name_of_its_own(tmp_path):
    names = {new_worker_id() for _ in range(20)}
    assert len(names) == 20
    state = this_worker(names.pop(), launch=3, slots=2)
    write_worker(tmp_path, state)
    assert [p.name for p in (tmp_path / WORKERS).iterdir()] == [f"{state.id}.json"]
    assert alive(state.owner)
    assert state.slots == (SlotState(), SlotState())
    assert state.run_ids == ()


def test_the_job_of_a_batch_system_is_named():
    assert job_id({"SLURM_JOB_ID": "12", "HOME": "/"}) == "12"
    assert job_id({"PBS_JOBID": "7.host"}) == "7.host"
    assert job_id({"SLURM_JOB_ID": ""}) == ""


def test_attempts_are_read_once_each_and_a_torn_line_when_it_is_whole(tmp_path):
    reader = IndexReader(tmp_path)
    assert reader.new() == read_attempts(tmp_path) == []
    first = RunAttempt("a", "lost", "signal 9", "lost", "n", "", "w1", 1, 1, 2.0)
    second = replace(first, status="ok", reason="", error_class="", worker="w2", attempt=2, ended_s=1.0, gold=True)
    append_attempts(tmp_path, "w1", [first])
    append_attempts(tmp_path, "w2", [second, replace(second, run_id="b")])
    assert reader.new() == [first, second, replace(second, run_id="b")]
    assert reader.new() == []
    assert read_attempts(tmp_path)[-1] == first
    line = json.dumps(asdict(replace(first, run_id="c"))) + "\n"
    index = tmp_path / INDEX / "w1.jsonl"
    with index.open("a") as file:
        file.write(line[:20])
    assert reader.new() == []
    append_attempts(tmp_path, "w1", [replace(first, run_id="d")])
    assert [a.run_id for a in reader.new()] == ["d"]
    assert first.medal is False
    assert second.medal is True


def test_an_index_that_was_replaced_is_read_anew(tmp_path):
    reader = IndexReader(tmp_path)
    append_attempts(tmp_path, "w", [RunAttempt("a"), RunAttempt("b")])
    reader.new()
    (tmp_path / INDEX / "w.jsonl").unlink()
    append_attempts(tmp_path, "w", [RunAttempt("c")])
    assert [a.run_id for a in reader.new()] == ["c"]


def test_a_line_says_what_the_row_of_the_run_says(tmp_path):
    story = Story(tmp_path).step(0, "draft", 0.5, test=0.25).ended(0)
    story.grades[0]["medal"] = "silver"
    story.write(result=True)
    row = json.loads((tmp_path / "result.json").read_text())
    attempt = attempt_at(STATE, KEY.id, "ok", row, attempt=2)
    assert (attempt.host, attempt.job, attempt.worker, attempt.launch) == ("node-1", "4711", "node-1-7-aa", 2)
    assert (attempt.silver, attempt.medal, attempt.valid) == (row["silver"], True, True)
    assert (attempt.steps, attempt.usd, attempt.real_s) == (row["steps"], row["cost_usd"], row["real_s"])
    failed = attempt_at(STATE, KEY.id, "failed", {"status": "failed", "reason": "no \ud800 key", "real_s": 2.0})
    append_attempts(tmp_path, "w", [failed])
    assert read_attempts(tmp_path) == [failed]
    assert (failed.reason, failed.usd, failed.real_s) == ("no ? key", None, 2.0)
    assert attempt_at(STATE, KEY.id, "lost", None, reason="signal 9").reason == "signal 9"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"id": 7}', b'{"slots": 7}', b"\xed\xa0\x80", b"\0"])
def test_a_file_that_is_damaged_costs_what_it_says_alone(tmp_path, data):
    write_worker(tmp_path, STATE)
    (tmp_path / WORKERS / "w.json").write_bytes(data)
    (tmp_path / WORKERS / ".w.json.12").write_text("{}")
    found = read_workers(tmp_path)
    assert STATE in found
    assert {w.id for w in found} <= {"w", STATE.id}
    append_attempts(tmp_path, "w", [RunAttempt("a")])
    (tmp_path / INDEX / "v.jsonl").write_bytes(data + b"\n")
    assert read_attempts(tmp_path) == [RunAttempt("a")]


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
CONTENTS = st.dictionaries(
    st.sampled_from(["id", "pid", "activity", "usd", "slots", "begun_s", "later"]),
    VALUES | st.lists(st.dictionaries(st.sampled_from(["run_id", "step", "since_s", "later"]), VALUES), max_size=3),
)


@settings(deadline=None)
@given(content=CONTENTS)
def test_a_file_of_any_version_is_read(tmp_path_factory, content):
    """What is unknown or of another kind is left out; what is left is of the declared kinds."""
    study = tmp_path_factory.mktemp("study")
    (study / WORKERS).mkdir()
    (study / WORKERS / "w.json").write_text(json.dumps(content))
    (found,) = read_workers(study)
    assert found.id == "w"
    assert isinstance(found.pid, int)
    assert found.activity in ("working", "paused", "stopping", "ended")
    assert all(isinstance(s.run_id, str) and isinstance(s.step, int) for s in found.slots)


def test_the_log_of_a_run_says_who_and_when_and_what_in_one_line_each(tmp_path):
    log_run(tmp_path, STATE, 2, "began")
    log_run(tmp_path, replace(STATE, job=""), 2, "failed: no\nkey \ud800")
    first, second = read_log(tmp_path)
    assert first.endswith("Z node-1 job 4711 worker node-1-7-aa: attempt 2: began")
    assert second.endswith("Z node-1 worker node-1-7-aa: attempt 2: failed: no key ?")
    log_run(tmp_path / "gone", STATE, 1, "began")
    assert read_log(tmp_path / "gone") == []
