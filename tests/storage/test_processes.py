"""Whether a process lives that another one knows by name only."""

import os
import subprocess
import sys

from mlesearch.storage.processes import alive, owner, running
from tests.support.waiting import until

SAY_OWNER = "from mlesearch.storage.processes import owner; print(owner(), flush=True); import time; time.sleep(60)"


def test_a_killed_process_is_gone_before_it_is_waited_for():
    with subprocess.Popen([sys.executable, "-c", SAY_OWNER], stdout=subprocess.PIPE, text=True) as child:
        name = child.stdout.readline().strip()
        assert name != owner()
        assert alive(name)
        assert running(child.pid)
        child.kill()
        assert until(lambda: not alive(name), 5)  # a zombie until the end of this block
        assert until(lambda: not running(child.pid), 5)
    assert not alive(name)
    assert not running(child.pid)


def test_another_process_under_the_same_number_is_another_one():
    namespace, pid, started = owner().split(":")
    assert alive(owner())
    assert int(pid) == os.getpid()
    ticks, boot = started.split(".")
    assert not alive(f"{namespace}:{pid}:{int(ticks) + 1}.{boot}")
    assert not alive(f"{namespace}:{pid}:{ticks}.of-another-boot")


def test_one_of_another_container_counts_as_alive():
    assert alive("1:999999999:1")
    assert alive("somebody else's name")
    assert not alive(f"{owner().split(':')[0]}:999999999:1")


def test_a_fork_has_a_name_of_its_own():
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, owner().encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 100).decode() != owner()
    os.close(read)
    os.close(write)
