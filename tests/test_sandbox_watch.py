"""What a supervisor sees of a tree of processes and of its folders, and how it ends the tree; real processes."""

from __future__ import annotations

import subprocess
import sys

_RACE = """
import os, time
from mlesearch.sandbox import contain, watch
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
while len(watch.descendants(os.getpid())) < 2:
    time.sleep(0.01)
kill, began = os.kill, time.monotonic()
def slow(pid, number):
    kill(pid, number)
    time.sleep(0.3)
os.kill = slow
watch.kill_all(os.getpid())
print(time.monotonic() - began < 10, watch.children(os.getpid()))
"""


def test_what_starts_after_the_tree_was_listed_is_killed_too():
    said = subprocess.run([sys.executable, "-c", _RACE], capture_output=True, text=True, timeout=60, check=True).stdout
    assert said == "True []\n"
