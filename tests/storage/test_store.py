"""Entries and stores of both forms: whole after kill -9, one entry a key for all processes, damage never read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.storage.entry import Entry, StoreError, decode, encode, key_of
from mlesearch.storage.store import FORMS, Store, open_store
from mlesearch.types import ConfigError

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
