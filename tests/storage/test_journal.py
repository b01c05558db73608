"""The journal survives what processes and disks do to it."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.storage import journal
from mlesearch.storage.blobs import Blobs
from mlesearch.storage.events import without_durations
from mlesearch.storage.files import write_atomically
from mlesearch.storage.journal import Journal, JournalError, read

HEADER = {"mlesearch": "test", "run": "r"}


def _write(path: Path, n: int) -> None:
    with Journal(path, HEADER) as j:
        for i in range(n):
            j.append({"type": "asked", "i": i})


def test_events_come_back_in_order(tmp_path):
    path = tmp_path / "j"
    _write(path, 5)
    header, events = read(path)
    assert header["type"] == "journal"
    assert header["run"] == "r"
    assert [e["i"] for e in events] == [0, 1, 2, 3, 4]


def test_a_journal_goes_on_where_it_stood(tmp_path):
    path = tmp_path / "j"
    _write(path, 3)
    with Journal(path, {"run": "ignored"}) as j:
        assert [e["i"] for e in j.events] == [0, 1, 2]
        assert j.header["run"] == "r"
        j.append({"type": "asked", "i": 3})
    assert [e["i"] for e in read(path)[1]] == [0, 1, 2, 3]


def test_any_torn_tail_is_cut_off_and_nothing_else_is_lost(tmp_path):
    path = tmp_path / "j"
    _write(path, 3)
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(last + 1, len(whole)):
        path.write_bytes(whole[:cut])
        assert [e["i"] for e in read(path)[1]] == [0, 1]
        with Journal(path, HEADER) as j:
            assert [e["i"] for e in j.events] == [0, 1]
            j.append({"type": "asked", "i": 9})
        assert [e["i"] for e in read(path)[1]] == [0, 1, 9]


def test_a_last_line_of_zeros_counts_as_torn(tmp_path):
    path = tmp_path / "j"
    _write(path, 2)
    path.write_bytes(path.read_bytes() + b"\0" * 20 + b"\n")
    assert [e["i"] for e in read(path)[1]] == [0, 1]


@pytest.mark.parametrize("bad", [b"garbage", b"[1,2]", b'{"type":"ask', b""])
def test_a_corrupt_middle_is_refused_with_its_line(tmp_path, bad):
    path = tmp_path / "j"
    _write(path, 4)
    lines = path.read_bytes().split(b"\n")
    lines[2] = bad
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(JournalError, match="line 3"):
        read(path)
    with pytest.raises(JournalError, match="line 3"):
        Journal(path, HEADER)


@pytest.mark.parametrize(("content", "word"), [(b"", "empty"), (b'{"type":"asked"}\n', "header"), (b"x\n", "header")])
def test_a_file_that_is_no_journal_is_refused(tmp_path, content, word):
    path = tmp_path / "j"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=word):
        read(path)


def test_an_unknown_format_names_the_version_that_wrote_it(tmp_path):
    path = tmp_path / "j"
    path.write_text(json.dumps({"type": "journal", "format": 99, "mlesearch": "9.9"}) + "\n")
    with pytest.raises(JournalError, match=r"format 99, written by mlesearch 9\.9"):
        read(path)


def test_two_writers_are_refused(tmp_path):
    path = tmp_path / "j"
    with Journal(path, HEADER), pytest.raises(JournalError, match="another process"):
        Journal(path, HEADER, lock_wait_s=0.0)
    Journal(path, HEADER, lock_wait_s=0.0).close()


def test_a_killed_writer_leaves_whole_lines_and_no_lock(tmp_path):
    path = tmp_path / "j"
    code = f"""
import itertools, sys
from pathlib import Path
from mlesearch.storage.journal import Journal
j = Journal(Path({str(path)!r}), {{"run": "r"}})
print("go", flush=True)
for i in itertools.count():
    j.append({{"type": "asked", "i": i, "x": "y" * 3000}})
"""
    p = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert p.stdout is not None
    p.stdout.readline()
    while path.stat().st_size < 200_000:
        pass
    p.kill()
    p.wait()
    p.stdout.close()
    with Journal(path, HEADER, lock_wait_s=1.0) as j:
        assert [e["i"] for e in j.events] == list(range(len(j.events)))
        assert len(j.events) > 50


def test_a_full_disk_leaves_no_half_line(tmp_path, monkeypatch):
    path = tmp_path / "j"
    with Journal(path, HEADER) as j:
        j.append({"type": "asked", "i": 0})
        real, given = os.write, []

        def nearly_full(fd: int, data: bytes) -> int:
            given.append(data)
            if len(given) > 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(fd, data[:10])

        monkeypatch.setattr(journal.os, "write", nearly_full)
        with pytest.raises(OSError, match="No space left") as raised:
            j.append({"type": "asked", "i": 1})
        assert raised.value.filename == str(path)
        monkeypatch.undo()
        j.append({"type": "asked", "i": 2})
    assert [e["i"] for e in read(path)[1]] == [0, 2]


def test_a_paid_event_is_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(journal.os, "fdatasync", synced.append)
    with Journal(tmp_path / "j", HEADER) as j:
        synced.clear()
        j.append({"type": "asked"})
        assert not synced
        j.append({"type": "reply"}, durable=True)
        assert synced == [j._fd]


@given(st.lists(st.text(), max_size=8))
def test_blobs_come_back(tmp_path_factory, texts):
    blobs = Blobs(tmp_path_factory.mktemp("b"))
    digests = [blobs.put(t) for t in texts]
    assert [blobs.get(d) for d in digests] == texts
    assert len(list(blobs.folder.iterdir())) == len(set(texts))


def test_a_torn_blob_is_written_again(tmp_path):
    digest = Blobs(tmp_path).put("a program")
    (tmp_path / digest).write_text("a pro")
    with pytest.raises(JournalError, match="does not match"):
        Blobs(tmp_path).get(digest)
    assert Blobs(tmp_path).put("a program") == digest
    assert Blobs(tmp_path).get(digest) == "a program"
    with pytest.raises(JournalError, match="not there"):
        Blobs(tmp_path).get("0" * 64)


def test_durations_are_all_that_is_left_out():
    event = {"type": "told", "t": 5, "outcome": {"score": 1.0, "usage": {"calls": 1, "service_us": 3}}, "v": [{"t": 1}]}
    assert without_durations(event) == {"type": "told", "outcome": {"score": 1.0, "usage": {"calls": 1}}, "v": [{}]}


def test_a_file_is_replaced_as_a_whole(tmp_path, monkeypatch):
    path = tmp_path / "f"
    write_atomically(path, "old")

    def broken(a: object, b: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(journal.os, "replace", broken)
    with pytest.raises(OSError, match="no"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
