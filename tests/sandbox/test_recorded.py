"""Executions recorded once, replayed where nothing can run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.sandbox.protocol import Job, Limits, Spec, execute
from mlesearch.sandbox.recorded import RecordSandbox, ReplaySandbox
from mlesearch.storage.entry import Entry, StoreMiss
from mlesearch.storage.store import Store
from mlesearch.testing.scripted_sandbox import ScriptedSandbox
from mlesearch.types import Captured, ConfigError, ExecResult, ExecStatus, SandboxUnavailable

ASKED = {"kind": "scripted", "params": {}, "gpu": None}


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    (tmp_path / "public").mkdir()
    return Spec("t@1", tmp_path / "public", limits=Limits(time_s=20))


def job(tmp_path: Path, address: str = "run/1", program: str = "print(1)", deadline_s: float = 20.0) -> Job:
    return Job(address, program, deadline_s, tmp_path / "out" / address.replace("/", "-"))


def scripted() -> ScriptedSandbox:
    count = iter(range(10_000))
    return ScriptedSandbox(lambda job: {"submission": f"id,y\n{next(count)},0\n", "stdout": job.program}, ("net_off",))


def same(left: ExecResult, right: ExecResult) -> bool:
    """Equal but for where the artefacts lie, whose bytes are equal."""

    def plain(result: ExecResult) -> object:
        files = [(a.name, a.problem, a.path.read_bytes() if a.path else None) for a in result.artefacts.values()]
        return replace(result, artefacts={}), files

    return plain(left) == plain(right)


def test_a_recorded_execution_is_not_done_again_and_replays(store: Store, spec: Spec, tmp_path: Path) -> None:
    inner = scripted()
    record = RecordSandbox(inner, store, ASKED)
    first = execute(record, spec, job(tmp_path))
    again = execute(record, spec, replace(job(tmp_path), outbox=tmp_path / "elsewhere"))
    second = execute(record, spec, job(tmp_path, "run/2"))
    assert inner.jobs == ["run/1", "run/2"]  # two runs of one program are two runs
    assert same(first, again)
    assert not same(first, second)
    replay = ReplaySandbox(store, ASKED)
    assert same(execute(replay, spec, replace(job(tmp_path), outbox=tmp_path / "third")), first)
    assert (tmp_path / "third" / "submission.csv").read_text() == "id,y\n0,0\n"
    assert not (tmp_path / "third" / "metrics.json").exists()
    assert (replay.name, replay.identity(), replay.packages()) == (inner.name, inner.identity(), inner.packages())
    assert inner.jobs == ["run/1", "run/2"]


@pytest.mark.parametrize(
    ("changed_spec", "changed_job", "named"),
    [
        ({"task": "t@2"}, {}, r'task \(stored "t@1", asked for "t@2"\)'),
        ({"split_seed": 3}, {}, r"split_seed \(stored 0, asked for 3\)"),
        ({"limits": Limits(time_s=20.5)}, {}, r"limits.time_s \(stored 20.0, asked for 20.5"),
        ({"gpus": 1}, {}, r"gpus \(stored 0, asked for 1\)"),
        ({}, {"program": "print(2)"}, r"program \(stored "),
        ({}, {"address": "run/7"}, r'address \(stored "run/1", asked for "run/7"\)'),
        ({}, {"collect": ("a",)}, "collect "),
    ],
)
def test_a_miss_names_the_nearest_key_and_what_differs(
    changed_spec: dict, changed_job: dict, named: str, store: Store, spec: Spec, tmp_path: Path
) -> None:
    RecordSandbox(scripted(), store, ASKED).run(RecordSandbox(scripted(), store, ASKED).prepare(spec), job(tmp_path))
    replay = ReplaySandbox(store, ASKED)
    with pytest.raises(StoreMiss, match=f"the nearest stored key is [0-9a-f]{{12}} and differs in {named}") as error:
        replay.run(replay.prepare(replace(spec, **changed_spec)), replace(job(tmp_path), **changed_job))
    assert ";" not in str(error.value).split("differs in")[1]  # in nothing else
    assert not (tmp_path / "out" / "run-7").exists()


@pytest.mark.parametrize(
    ("status", "wall_s", "now_s", "hit"),
    [
        ("ok", 5.0, 20.0, True),
        ("ok", 5.0, 4.5, True),  # within the slack
        ("ok", 5.0, 3.0, False),
        ("timeout", 10.0, 10.003, True),
        ("timeout", 10.0, 8.0, False),
        ("timeout", 10.0, 20.0, False),
    ],
)
def test_the_deadline_is_compared_and_not_part_of_the_key(
    status: str, wall_s: float, now_s: float, hit: bool, store: Store, spec: Spec, tmp_path: Path
) -> None:
    inner = ScriptedSandbox(lambda job: {"status": status, "wall_us": round(wall_s * 1e6)})
    record = RecordSandbox(inner, store, ASKED)
    execute(record, spec, job(tmp_path, deadline_s=10.0))
    replay = ReplaySandbox(store, ASKED)
    if hit:
        assert execute(replay, spec, job(tmp_path, deadline_s=now_s)).status == ExecStatus(status)
    else:
        with pytest.raises(StoreMiss, match="recorded under a deadline of 10 s, asked for under one of"):
            execute(replay, spec, job(tmp_path, deadline_s=now_s))
    execute(record, spec, job(tmp_path, deadline_s=now_s))
    assert len(inner.jobs) == (1 if hit else 2)
    assert execute(ReplaySandbox(store, ASKED), spec, job(tmp_path, deadline_s=now_s)).status == ExecStatus(status)


def test_all_of_a_result_comes_back(store: Store, spec: Spec, tmp_path: Path) -> None:
    told = ExecResult(
        ExecStatus.OOM,
        None,
        9,
        1,
        2,
        3,
        Captured("h", "t", 70_000),
        Captured("", "", 0),
        "used more",
        {},
        ("net_off", "gpu_pinned: advisory"),
        5,
        6,
        True,
    )

    class Once(ScriptedSandbox):
        def run(self, slot: object, job: Job) -> ExecResult:
            return told

    execute(RecordSandbox(Once(lambda job: {}), store, ASKED), spec, job(tmp_path))
    assert execute(ReplaySandbox(store, ASKED), spec, job(tmp_path)) == told


def test_a_sandbox_that_fails_is_not_recorded(store: Store, spec: Spec, tmp_path: Path) -> None:
    def fail(job: Job) -> dict:
        raise SandboxUnavailable("down")

    with pytest.raises(SandboxUnavailable, match="down"):
        execute(RecordSandbox(ScriptedSandbox(fail), store, ASKED), spec, job(tmp_path))
    with pytest.raises(StoreMiss):
        execute(ReplaySandbox(store, ASKED), spec, job(tmp_path))


def test_another_sandbox_asked_for_alike_is_refused(store: Store, spec: Spec, tmp_path: Path) -> None:
    execute(RecordSandbox(scripted(), store, ASKED), spec, job(tmp_path))
    with pytest.raises(ConfigError, match=r"differs from this one in identity\.promises"):
        RecordSandbox(ScriptedSandbox(lambda job: {}), store, ASKED)
    with pytest.raises(ConfigError, match=r'no such sandbox was recorded: .*asked.kind \(stored "scripted"'):
        ReplaySandbox(store, {**ASKED, "kind": "docker"})


def test_a_replay_of_any_rung_takes_the_one_that_was_recorded(store: Store, spec: Spec, tmp_path: Path) -> None:
    other = {**ASKED, "kind": "docker"}
    execute(RecordSandbox(scripted(), store, ASKED), spec, job(tmp_path))
    assert ReplaySandbox(store, other, ASKED).name == "scripted"
    execute(RecordSandbox(scripted(), store, other), spec, job(tmp_path, "run/2"))
    with pytest.raises(ConfigError, match=r"several rungs \(scripted, scripted\); name one of them"):
        ReplaySandbox(store, other, ASKED)


def test_an_artefact_that_was_not_asked_for_is_never_written(store: Store, spec: Spec, tmp_path: Path) -> None:
    execute(RecordSandbox(scripted(), store, ASKED), spec, job(tmp_path))
    for key in list(store.keys()):
        entry = store.get(key)
        assert entry is not None
        if entry.fields["kind"] == "execution":
            result = {**entry.value["result"], "artefacts": [["../evil", 1, ""]]}
            store.put(Entry(entry.fields, {**entry.value, "result": result}, {"../evil": b"x"}), "", replace=True)
    with pytest.raises(StoreMiss, match=r"has no content of '\.\./evil'"):
        execute(ReplaySandbox(store, ASKED), spec, job(tmp_path))
    assert not (tmp_path / "out" / "evil").exists()


def test_a_replay_writes_nothing_where_the_outbox_is_another_owners(store: Store, spec: Spec, tmp_path: Path) -> None:
    execute(RecordSandbox(scripted(), store, ASKED), spec, job(tmp_path))
    files = {path.name: path.read_bytes() for path in job(tmp_path).outbox.iterdir()}

    def check_owner() -> None:
        raise InterruptedError("another process has it")

    late = replace(job(tmp_path), outbox=tmp_path / "late", check_owner=check_owner)
    with pytest.raises(InterruptedError):
        execute(ReplaySandbox(store, ASKED), spec, late)
    assert not late.outbox.exists()
    execute(ReplaySandbox(store, ASKED), spec, replace(late, check_owner=lambda: None))
    assert {path.name: path.read_bytes() for path in late.outbox.iterdir()} == files
