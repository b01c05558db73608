"""Executions recorded once: found again, replayed where nothing can run, whole after kill -9, one for all processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.cli.main import main
from mlesearch.sandbox.inside import landlock
from mlesearch.sandbox.protocol import Job, Limits, Spec, execute
from mlesearch.sandbox.recorded import RecordSandbox, ReplaySandbox
from mlesearch.storage.entry import Entry, StoreError, StoreMiss, decode, encode, key_of
from mlesearch.storage.journal import without_durations
from mlesearch.storage.store import FORMS, Store, open_store
from mlesearch.testing.scripted_sandbox import ScriptedSandbox
from mlesearch.types import Captured, ConfigError, ExecResult, ExecStatus, SandboxUnavailable

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.text(), JSON, max_size=4)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(form: str, tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path / "store", form)) as opened:
        yield opened


# entries and stores


@settings(max_examples=60, deadline=None)
@given(FIELDS, FIELDS, st.dictionaries(st.text(), st.binary(max_size=200), max_size=3))
def test_an_entry_comes_back_as_it_was(fields: dict, value: dict, blobs: dict) -> None:
    entry = Entry(fields, value, blobs)
    assert decode(encode(entry), key_of(fields)) == entry


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_entry_is_never_read(data: st.DataObject) -> None:
    entry = Entry({"a": 1}, {"b": [2]}, {"c": b"some bytes"})
    good = encode(entry)
    at = data.draw(st.integers(0, len(good) - 1))
    flipped = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    for bad in (flipped, good[:at]):
        with pytest.raises(StoreError, match=entry.key):
            decode(bad, entry.key)
    with pytest.raises(StoreError, match="holds what belongs to"):
        decode(good, key_of({"a": 2}))


def test_nothing_is_made_before_the_first_put(store: Store, tmp_path: Path) -> None:
    assert store.get("0" * 64) is None
    assert store.keys() == []
    assert store.neighbours("a") == []
    assert list(tmp_path.iterdir()) == []


def test_the_first_writer_wins_unless_told_otherwise(store: Store) -> None:
    first, second = Entry({"a": 1}, {"n": 1}), Entry({"a": 1}, {"n": 2})
    assert store.put(first, "x") is first
    assert store.put(second, "x") == first
    assert store.get(first.key) == first
    assert store.put(second, "x", replace=True) is second
    assert store.get(first.key) == second
    assert store.keys() == [first.key]


def test_neighbours_are_of_the_same_name_or_of_those_beside_it(store: Store) -> None:
    entries = {name: Entry({"name": name}, {}) for name in ("a/1", "a/2", "c/1")}
    for name, entry in entries.items():
        store.put(entry, name)
    store.put(Entry({"name": "a/2", "other": 1}, {}), "a/2")
    assert len(store.neighbours("a/2")) == 2
    assert store.neighbours("b") == [*store.neighbours("a/2"), entries["c/1"]]
    assert store.neighbours("z") == [entries["c/1"]]


def test_a_store_of_another_form_or_none_is_refused(form: str, tmp_path: Path) -> None:
    other = next(f for f in FORMS if f != form)
    open_store(tmp_path / "store", form).put(Entry({}, {}), "")
    with pytest.raises(ConfigError, match="was asked for as"):
        open_store(tmp_path / "store", other)
    with pytest.raises(ConfigError, match="nothing is at"):
        open_store(tmp_path / "none", form, must_exist=True)
    with pytest.raises(ConfigError, match="there are: sqlite, files"):
        open_store(tmp_path / "store", "pickle")


def test_what_is_no_database_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("no database" * 500)
    with pytest.raises(StoreError, match=r"can't be used: file is not a database") as error:
        open_store(tmp_path / "store").get("0" * 64)
    assert "\n" not in str(error.value)


def test_a_fork_opens_its_own(store: Store) -> None:
    store.put(Entry({"n": 0}, {}), "x")
    child = os.fork()
    if child == 0:
        try:
            store.put(Entry({"n": 1}, {}), "x")
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert store.keys() == sorted(key_of({"n": n}) for n in range(2))


WRITER = """
import sys
from pathlib import Path
from mlesearch.storage.entry import Entry
from mlesearch.storage.store import open_store
path, form, me, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = open_store(path, form)
for n in range(count):
    kept = store.put(Entry({"n": n}, {"by": me}, {"x": bytes([me]) * 5000}), f"a/{n}")
    assert kept.blobs["x"] == bytes([kept.value["by"]]) * 5000
    print(n, kept.value["by"], flush=True)
"""


def _writer(tmp_path: Path, form: str, me: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "store"), form, str(me), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_several_processes_keep_one_entry_a_key(form: str, store: Store, tmp_path: Path) -> None:
    writers = [_writer(tmp_path, form, me, 30) for me in range(4)]
    seen = [w.communicate(timeout=120)[0].split() for w in writers]
    assert [w.returncode for w in writers] == [0] * 4
    assert seen[0] == seen[1] == seen[2] == seen[3]  # all were told the same winners
    assert len(store.keys()) == 30


def test_kill_9_leaves_whole_entries_and_nothing_promised_is_lost(form: str, store: Store, tmp_path: Path) -> None:
    promised: set[int] = set()
    for round_ in range(6):
        writer = _writer(tmp_path, form, round_, 100_000)
        assert writer.stdout is not None
        for _ in range(5 + 7 * round_):
            promised.add(int(writer.stdout.readline().split()[0]))
        os.kill(writer.pid, signal.SIGKILL)
        promised |= {
            int(line.split()[0]) for line in writer.stdout.read().splitlines(keepends=True) if line[-1] == "\n"
        }
        writer.wait()
        writer.stdout.close()
        for key in list(store.keys()):
            entry = store.get(key)
            assert entry is not None
            assert entry.blobs["x"] == bytes([entry.value["by"]]) * 5000
        assert {key_of({"n": n}) for n in promised} <= set(store.keys())
    store.put(Entry({"after": True}, {}), "b")
    assert store.get(key_of({"after": True})) is not None


# executions

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


# a whole run

RUN = ["run", "model=sim_05", "strategy=gome", "tasks=[rentals]", "seeds=[0]", "budget.steps=4"]


def _events(study: Path) -> list[object]:
    folder = next(study.rglob("run.json")).parent
    lines = (folder / "journal.jsonl").read_text().splitlines()
    return [without_durations(json.loads(line)) for line in lines]


def _durations(study: Path) -> list[int]:
    folder = next(study.rglob("run.json")).parent
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [e["result"]["wall_us"] for e in lines if e.get("type") == "executed"]


@pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")
def test_a_run_replays_with_nothing_executed(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    how = f"sandbox.exec_store_form={form}"
    assert main([*RUN, "study.dir=first", "sandbox.exec_store=record", how]) == 0
    store = tmp_path / "first" / ("executions.db" if form == "sqlite" else "executions")
    assert store.exists()

    def never(*a: object, **k: object) -> None:
        raise AssertionError("something was executed")

    monkeypatch.setattr("mlesearch.config.sandboxes.SandboxRequest.open", never)
    monkeypatch.setattr("mlesearch.sandbox.ladder.make", never)
    monkeypatch.setattr("mlesearch.sandbox.ladder.probe", never)
    monkeypatch.setattr("mlesearch.sandbox.rungs.local.LocalSandbox.run", never)
    where = f"sandbox.exec_store_path={store}"
    assert main([*RUN, "study.dir=second", "sandbox.exec_store=replay", where, how]) == 0
    assert _events(tmp_path / "first") == _events(tmp_path / "second")
    assert _durations(tmp_path / "first") == _durations(tmp_path / "second")
    first, second = (json.loads(next((tmp_path / n).rglob("run.json")).read_text()) for n in ("first", "second"))
    assert first["digest"] == second["digest"]
    capsys.readouterr()
    other = [a if not a.startswith("seeds") else "seeds=[1]" for a in RUN]
    assert main([*other, "study.dir=third", "sandbox.exec_store=replay", where, how]) == 1
    assert "the nearest stored key is" in capsys.readouterr().err
    assert main([*RUN, "study.dir=fourth", "sandbox.exec_store=replay", "sandbox.exec_store_path=none"]) == 2
    assert "nothing is at" in capsys.readouterr().err
    assert main([*RUN, "study.dir=fourth", "sandbox.exec_store=rewind"]) == 2
    assert "there are: off, record, replay" in capsys.readouterr().err
