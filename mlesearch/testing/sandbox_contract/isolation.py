"""Other processes, the kernel, and what the orchestrator has in its environment are out of a program's reach."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess

import pytest

from mlesearch.testing.sandbox_contract.base import SECRET, Bench, Checks
from mlesearch.testing.sandbox_contract.processes import bystander, signals_by_descriptor


class IsolationChecks(Checks):
    """No signal, no shared memory, no device, no mount, no variable and no descriptor of the host."""

    def test_the_orchestrator_can_not_be_signalled(self, bench: Bench) -> None:
        cont = int(signal.SIGCONT)
        bench.denied(
            f"import os\nos.kill({os.getpid()}, 0)",
            f"import os\nos.kill({os.getpid()}, {cont})",
            f"import os\nos.kill(os.getppid(), {cont})",
            f"import os, signal\nsignal.pidfd_send_signal(os.pidfd_open({os.getpid()}), {cont})",
        )
        with bystander() as other:
            bench.attempts(*signals_by_descriptor(other.pid))
            with pytest.raises(subprocess.TimeoutExpired):
                other.wait(0.3)

    def test_other_processes_are_out_of_reach(self, bench: Bench) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.shmat.restype = ctypes.c_void_p
        segment = libc.shmget(0, ctypes.c_size_t(4096), 0o1600)  # one that nobody else may read
        queue, semaphores = libc.msgget(0, 0o1600), libc.semget(0, 1, 0o1600)
        assert min(segment, queue, semaphores) >= 0
        address = libc.shmat(segment, None, 0)
        ctypes.memmove(address, SECRET.encode(), len(SECRET))
        call = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nlibc.shmat.restype = ctypes.c_void_p\n"
        check = "if made in (-1, 2 ** 64 - 1): raise OSError(ctypes.get_errno(), 'refused')"
        try:
            bench.denied(
                f"{call}made = libc.shmat({segment}, None, 0)\n{check}\nprint(ctypes.string_at(made, {len(SECRET)}))",
                f"{call}made = libc.msgsnd({queue}, b'1234567812345678', 8, 0)\n{check}",
                f"{call}made = libc.msgrcv({queue}, ctypes.create_string_buffer(64), 8, 0, 0o4000)\n{check}",
                f"{call}made = libc.semop({semaphores}, b'\\0\\0\\1\\0\\0\\0', 1)\n{check}",
                f"{call}made = libc.semctl({semaphores}, 0, 0)\n{check}",
                f"{call}made = libc.msgctl({queue}, 0, None)\n{check}",
                f"{call}made = libc.shmctl({segment}, 0, None)\n{check}",
                "import os\nos.setpriority(os.PRIO_USER, 0, 0)",
            )
            assert ctypes.string_at(address, len(SECRET)) == SECRET.encode()
        finally:
            libc.shmdt(ctypes.c_void_p(address))
            removed = (libc.shmctl(segment, 0, None), libc.msgctl(queue, 0, None), libc.semctl(semaphores, 0, 0))
        assert removed == (0, 0, 0)

    def test_no_device_and_no_mount(self, bench: Bench) -> None:
        libc = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        check = "raise OSError(ctypes.get_errno(), 'refused') if result else SystemError('done')"
        said = bench.denied(
            "import os, stat\nos.mknod('submission.csv', stat.S_IFCHR | 0o600, os.makedev(1, 3))",
            "import os, stat\nos.mknod('disk', stat.S_IFBLK | 0o600, os.makedev(8, 0))",
            "print(open('/dev/kmsg').read(1))",
            f"{libc}result = libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)\n{check}",
            f"{libc}result = libc.unshare(0x10020000)\n{check}",
            f"{libc}result = libc.ptrace(16, os.getppid(), 0, 0)\n{check}",
            f"{libc}result = libc.setuid(0) if os.getuid() else libc.chroot(b'/')\n{check}",
        )
        assert not any(each.startswith("SystemError") for each in said), said

    def test_no_variable_of_the_host(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CONTRACT_API_KEY", SECRET)
        result = bench.run("import os\nprint(sorted(os.environ))\nprint(open('/proc/self/environ').read())")
        assert "CONTRACT_API_KEY" not in result.stdout.text + result.stderr.text
        assert SECRET not in result.stdout.text + result.stderr.text

    def test_no_descriptor_of_the_host(self, bench: Bench) -> None:
        program = (
            "import os\nfound = []\nfor fd in range(3, 4096):\n    try:\n        os.fstat(fd)\n"
            "        found.append(fd)\n    except OSError:\n        pass\nprint(found, os.read(0, 1))"
        )
        assert bench.run(program).stdout.text == "[] b''\n"
