"""Files that are replaced as a whole by several at once: threads, processes, machines on which numbers repeat."""

import errno
import os
import subprocess
import sys
import threading

import pytest

from mlesearch.storage import files
from mlesearch.storage.files import is_temporary_of, temporary_of, write_atomically, write_new
from tests.support.machines import on_machine

WRITE = """
import os, sys
from pathlib import Path
from mlesearch.storage.files import write_atomically
path = Path(sys.argv[1])
assert os.getpid() == 1, "the number is the same on every machine"
text = sys.argv[2] * 10_000
for _ in range(300):
    write_atomically(path, text, durable=False)
"""


def test_processes_of_two_machines_replace_one_file(tmp_path):
    path = tmp_path / "runs.parquet"
    path.write_text("0" * 10_000)
    writers = [
        subprocess.Popen([*on_machine(name), sys.executable, "-c", WRITE, str(path), name[0]], stderr=subprocess.PIPE)
        for name in ("one", "two", "three", "four")
    ]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        text = path.read_text()
        assert len(text) == 10_000
        assert len(set(text)) == 1, "half of one and half of another"
        seen.add(text[0])
    for writer in writers:
        with writer:
            assert writer.wait() == 0, writer.stderr.read().decode()
    assert len(seen) > 1
    assert [p.name for p in tmp_path.iterdir()] == ["runs.parquet"]


def test_threads_replace_one_file(tmp_path):
    path, failed = tmp_path / "index.html", []

    def write(text: str) -> None:
        try:
            for _ in range(100):
                write_atomically(path, text, durable=False)
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert path.read_text() in "0123"


def test_what_a_kill_leaves_is_known_by_its_name(tmp_path):
    path = tmp_path / "a.b[1].csv"
    names = {temporary_of(path).name for _ in range(100)}
    assert len(names) == 100
    assert all(is_temporary_of(name, path) and name.startswith(".") for name in names)
    assert not any(is_temporary_of(name, tmp_path / "a.b1.csv") for name in names)
    assert not is_temporary_of(path.name, path)


def test_a_new_file_that_the_disk_does_not_take_is_not_there(tmp_path, monkeypatch):
    """Also where no links are to be had, so that it is made in place."""
    path, written = tmp_path / "1.json", []

    def no_link(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    def second_is_full(fd, data, place):
        written.append(place)
        os.write(fd, data[:2])
        if len(written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", no_link)
    monkeypatch.setattr(files, "write_whole", second_is_full)
    with pytest.raises(OSError, match="No space left"):
        write_new(path, b"{}\n")
    assert written[1] == path
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_was_made_counts_though_the_answer_is_that_there_is_one(tmp_path, monkeypatch):
    """As where a server of files made it, its answer was lost, and the client asked again."""
    real = os.link

    def asked_twice(source, target):
        real(source, target)
        real(source, target)

    monkeypatch.setattr(os, "link", asked_twice)
    assert write_new(tmp_path / "new", b"mine")
    assert not write_new(tmp_path / "new", b"other")
    assert (tmp_path / "new").read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["new"]
