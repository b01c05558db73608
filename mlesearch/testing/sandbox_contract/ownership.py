"""Who a program is on the machine: nobody who owns anything, and nothing that it writes runs as somebody else."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from mlesearch.testing.sandbox_contract.base import Bench, Checks
from mlesearch.testing.sandbox_contract.processes import processes_with, sleeper

SETTINGS = """
import os, stat
found, own = [], "/proc/1/"
for top in ("/proc/sys", "/proc/irq", "/proc/fs", "/sys/kernel", "/sys/module", "/sys/fs", "/sys/power"):
    for folder, _, names in os.walk(top):
        found += [os.path.join(folder, name) for name in names]
found += [own + name for name in ("oom_score_adj", "oom_adj", "mem", "coredump_filter", "clear_refs", "autogroup")]
found += ["/proc/sysrq-trigger", "/proc/kcore", "/proc/mtrr", "/proc/kmsg", "/dev/mem", "/dev/kmsg"]
opened = []
for path in found:
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            opened.append(path)
    except OSError:
        pass
print("opened", sorted(opened))
"""
"""Says which settings of the machine it can open for writing; nothing is written."""

_MARKED = """
import ctypes, os, shutil
libc = ctypes.CDLL(None)
for number, make in enumerate((
    lambda path: os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o6755)),
    lambda path: os.chmod(shutil.copyfile(os.__file__, path), 0o4755),
    lambda path: os.fchmod(os.open(path, os.O_WRONLY | os.O_CREAT, 0o755), 0o2755),
    lambda path: os.mknod(path, 0o104755),
    lambda path: libc.creat(path.encode(), 0o4755),
    lambda path: os.link(f"/proc/self/fd/{os.open('.', os.O_TMPFILE | os.O_WRONLY, 0o4755)}", path),
    lambda path: (open(path, "w").close(), libc.syscall(452, -100, path.encode(), 0o4755, 0)),
)):
    for folder in (".", os.environ["TMPDIR"], os.environ["HOME"], "/tmp", "/dev/shm"):
        path = os.path.join(folder, f"marked{number}")
        try:
            make(path)
        except OSError:
            pass
        if os.path.lexists(path) and os.lstat(path).st_mode & 0o6000:
            print("marked", path, oct(os.lstat(path).st_mode))
print("tried")
"""


class OwnershipChecks(Checks):
    """The kernel gives a program no right of an owner over anything but its own folders."""

    def test_no_setting_of_the_machine_can_be_opened_for_writing(self, bench: Bench) -> None:
        assert bench.run(SETTINGS).stdout.text == "opened []\n"

    def test_a_program_is_nobody_of_rank_on_the_machine(self, bench: Bench) -> None:
        mark = f"owner-{os.getpid()}-{time.monotonic_ns()}"
        program = f"import subprocess, sys\nsubprocess.run({sleeper(mark, 20)})"
        running = threading.Thread(target=bench.run, args=(program,), kwargs={"deadline_s": 3.0})
        running.start()
        try:
            seen = self._identities(mark)
        finally:
            running.join()
        assert seen, "the program was never seen"
        for each in seen:
            ids = {*each["Uid"].split(), *each["Gid"].split()}
            assert "0" not in ids, each
            if os.geteuid() == 0:
                assert each["Groups"].split() in ([], [each["Gid"].split()[0]]), each
            assert {int(each[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}, each
            assert each["NoNewPrivs"] == "1", each

    @staticmethod
    def _identities(mark: str) -> list[dict[str, str]]:
        """Of the processes with a mark, as this machine sees them: fields of /proc/<pid>/status."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            found = []
            for pid in processes_with(mark):
                try:
                    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                except OSError:
                    continue
                found.append({name: value.strip() for name, _, value in (line.partition(":") for line in lines)})
            sleeping = [each for each in found if each["Name"].startswith("python")]
            if sleeping:
                return sleeping
            time.sleep(0.02)
        return []

    def test_programs_of_root_own_nothing_that_was_there_before(self, bench: Bench) -> None:
        program = (
            "import os, sys\npaths = ('/', '/usr', '/usr/lib', '/usr/bin', sys.executable, os.__file__, 'input',\n"
            "         'input/train.csv', '/proc/sys', '/dev/null')\n"
            "owned = []\nfor path in paths:\n    try:\n        if os.stat(path).st_uid == os.getuid():\n"
            "            owned.append(path)\n    except OSError:\n        pass\n"
            "print('owned', owned, os.stat('.').st_uid == os.getuid(), os.getuid() != 0)"
        )
        said = bench.run(program).stdout.text
        assert said.endswith("] True True\n"), said
        if os.geteuid() == 0:
            assert said == "owned [] True True\n"

    def test_no_file_runs_as_its_owner(self, bench: Bench) -> None:
        assert bench.run(_MARKED).stdout.text == "tried\n"
