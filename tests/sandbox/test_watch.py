"""What a supervisor sees of a tree of processes and of its folders, and how it ends the tree; real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from mlesearch.sandbox.inside import disk, memory, tree
from mlesearch.sandbox.protocol import MIB
from tests.support.sandbox_user import as_ordinary_user, in_memory

_RACE = """
import os, time
from mlesearch.sandbox.inside import contain, tree
contain.be_subreaper()
read, write = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.close(write)
        os.read(read, 1)  # until the other one is killed
        if os.fork() == 0:
            time.sleep(20)
        os._exit(0)
    time.sleep(20)
os.close(write)
while len(tree.descendants(os.getpid())) < 2:
    time.sleep(0.01)
kill, began = os.kill, time.monotonic()
def slow(pid, number):
    kill(pid, number)
    time.sleep(0.3)
os.kill = slow
tree.kill_all(os.getpid())
print(time.monotonic() - began < 10, tree.children(os.getpid()))
"""


def test_what_starts_after_the_tree_was_listed_is_killed_too():
    said = subprocess.run([sys.executable, "-c", _RACE], capture_output=True, text=True, timeout=60, check=True).stdout
    assert said == "True []\n"


def test_a_thread_that_ends_hides_no_child_of_the_others(monkeypatch):
    listdir = os.listdir
    monkeypatch.setattr(tree.os, "listdir", lambda path: ["999999999", *listdir(path)])  # it has ended since
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"]) as process:
        try:
            assert process.pid in tree.children(os.getpid())
        finally:
            process.kill()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_are_counted_however_long_their_path_is(here):
    for _ in range(18):
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
    with open("f", "wb") as file:
        file.write(bytes(MIB))
    used, entries = disk.usage(str(here))
    assert used >= MIB
    assert entries == 19


def test_a_link_is_not_followed_and_too_deep_a_tree_is_said(here):
    outside = here / "outside"
    (here / "top").mkdir()
    outside.mkdir()
    (outside / "f").write_bytes(bytes(MIB))
    (here / "top" / "link").symlink_to(outside)
    used, entries = disk.usage(str(here / "top"))
    assert used < MIB
    assert entries == 1
    os.chdir("top")
    for _ in range(disk.MAX_DEPTH):
        os.mkdir("d")
        os.chdir("d")
    assert disk.usage(str(here / "top"))[1] == disk.MAX_DEPTH + 1
    os.mkdir("d")
    with pytest.raises(disk.TooDeep):
        disk.usage(str(here / "top"))


def test_what_is_gone_is_no_error(here):
    assert disk.usage(str(here / "no such folder")) == (0, 0)


_CLOSED = """
import os, sys
from mlesearch.sandbox.inside import disk, memory, tree
os.makedirs("a/b")
with open("a/b/f", "wb") as file:
    file.write(bytes(1 << 20))
for folder, mode in (("a/b", int(sys.argv[1], 8)), ("a", int(sys.argv[2], 8))):
    os.chmod(folder, mode)
print(disk.usage(".")[0] >= 1 << 20, disk.usage(".")[1])
"""


@pytest.mark.parametrize(("inner", "outer"), [("600", "700"), ("0", "600"), ("300", "0"), ("500", "500")])
def test_what_lies_in_closed_folders_is_counted(inner, outer):
    assert as_ordinary_user(_CLOSED, inner, outer) == "True 3\n"


_HOLDS = """
import mmap, os, sys, time
what, size = sys.argv[1], 64 << 20
sys.stdin.read()
if what == "a mapped file":
    with open("f", "w+b") as file:
        file.truncate(size)
        kept = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
elif what == "shared memory":
    kept = mmap.mmap(-1, size)
else:
    kept = bytearray(b"x" * size)
for at in range(0, size, 4096):
    if what == "shared memory":
        kept[at] = 1
    else:
        kept[at]
for _ in range(3 if what == "a fork's" else 0):
    if os.fork() == 0:
        time.sleep(60)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("what", "least", "most"),
    [("a mapped file", 0, 50), ("shared memory", 64, 110), ("its own", 64, 110), ("a fork's", 64, 140)],
)
def test_memory_is_what_processes_hold_and_no_page_of_a_mapped_file(what, least, most, here):
    if what == "a mapped file" and in_memory(here):
        pytest.skip("temporary files lie in memory here, where a mapped one is shared memory")
    command = [sys.executable, "-S", "-c", _HOLDS, what]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True) as process:
        try:
            meter = memory.TreeMemory(60 * MIB, process.pid)
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            assert process.stdout.readline() == b"ready\n"
            pids = [process.pid, *tree.descendants(process.pid)]
            assert len(pids) == (4 if what == "a fork's" else 1)
            used = meter.look(pids)
            assert least * MIB <= used < most * MIB
            assert memory.resident(pids) > 64 * MIB
            peak = memory.resident([process.pid])
            assert meter.one_was_over(peak) is (what != "a mapped file")
            assert (meter.peak_of_one(peak) < 50 * MIB) is (what == "a mapped file")
        finally:
            os.killpg(process.pid, signal.SIGKILL)


IMPORTS_THEN_HOLDS = """
import sys
ahead = b"x" * (80 << 20)
print("ready", flush=True)
sys.stdin.read()
kept = b"x" * (40 << 20)
print("held", flush=True)
import time
time.sleep(60)
"""


def test_what_was_held_before_the_program_began_counts_for_nothing():
    command = [sys.executable, "-S", "-c", IMPORTS_THEN_HOLDS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            before = memory.held(process.pid)
            assert 80 * MIB <= before < 100 * MIB
            meter, whole = (memory.TreeMemory(60 * MIB, process.pid, n) for n in (before, 0))
            assert meter.look([process.pid]) < 20 * MIB
            process.stdin.close()
            assert process.stdout.readline() == b"held\n"
            for exact in (True, False):
                assert 40 * MIB <= meter.look([process.pid], exact) < 50 * MIB
                assert whole.look([process.pid], exact) > 120 * MIB
            peak = memory.resident([process.pid])
            assert 40 * MIB <= meter.peak_of_one(peak) < 50 * MIB
            assert not meter.one_was_over(peak)
            assert memory.TreeMemory(20 * MIB, process.pid, before).peak_of_one(peak) >= 40 * MIB
        finally:
            process.kill()
    assert memory.held(process.pid) == 0


FORKED_FROM_A_SERVER = """
import os, sys, time
imported = b"x" * (200 << 20)
told_read, told_write = os.pipe()
if (child := os.fork()) == 0:
    os.read(told_read, 1)
    kept = b"x" * (int(sys.argv[1]) << 20)
    print("held", flush=True)
    time.sleep(60)
print(child, flush=True)
sys.stdin.read()
os.write(told_write, b"!")
time.sleep(60)
"""


@pytest.mark.parametrize(("own_mib", "over"), [(70, False), (130, True)])
def test_what_a_fork_server_has_imported_is_not_taken_for_the_programs_peak(own_mib, over):
    """However few processes share it: its server alone does, and each of the two has half of it by Pss."""
    command = [sys.executable, "-S", "-c", FORKED_FROM_A_SERVER, str(own_mib)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True) as server:
        try:
            assert server.stdin is not None
            assert server.stdout is not None
            main = int(server.stdout.readline())
            meter = memory.TreeMemory(100 * MIB, main)
            server.stdin.close()
            assert server.stdout.readline() == b"held\n"
            assert own_mib * MIB <= meter.look([main]) < (own_mib + 10) * MIB
            assert meter.one_was_over(memory.resident([main])) is over
        finally:
            os.killpg(server.pid, signal.SIGKILL)
