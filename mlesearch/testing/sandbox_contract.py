# ruff: noqa: D102  # the names of the tests say what they check
"""Behavioural checks for every rung: inherit `SandboxContract` and provide the fixture `sandbox`.

    @pytest.fixture(scope="module")
    def sandbox():
        with closing(MyRung()) as rung:
            yield rung

    class TestMyRung(SandboxContract):
        known_gaps = {"test_memory_file_systems_are_bounded": "what it lacks, in words"}


Every hostile program is bounded: should a rung fail to hold one, the harm is a few hundred short-lived processes, some
hundred megabytes or a file in a temporary folder. None mounts, none needs root, none forks without a count.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from mlesearch.sandbox import scratch
from mlesearch.sandbox.protocol import MIB, Job, Limits, Sandbox, Spec
from mlesearch.types import ExecResult, ExecStatus, SandboxUnavailable

SECRET = "the-answer-is-1234567"
LEAN = Limits(time_s=90, memory_bytes=320 * MIB, disk_bytes=64 * MIB, entries=5000)
QUICK = Limits(time_s=90, memory_bytes=1024 * MIB, disk_bytes=64 * MIB, file_bytes=48 * MIB, processes=200)


@dataclass(frozen=True)
class Bench:
    """A sandbox with a task: run programs by text."""

    sandbox: Sandbox
    root: Path

    @property
    def public(self) -> Path:
        """The task's public folder."""
        return self.root / "public"

    @property
    def private(self) -> Path:
        """The task's answers."""
        return self.root / "private"

    def spec(self, limits: Limits = QUICK) -> Spec:
        """For this task."""
        return Spec(task="contract@1", input_dir=self.public, hidden=(self.private,), limits=limits)

    def run(
        self,
        program: str,
        limits: Limits = QUICK,
        deadline_s: float | None = None,
        collect: tuple[str, ...] = ("submission.csv",),
    ) -> ExecResult:
        """Prepare and run."""
        job = Job("contract", program, limits.time_s if deadline_s is None else deadline_s, self.root / "out", collect)
        return self.sandbox.run(self.sandbox.prepare(self.spec(limits)), job)

    def attempts(self, *programs: str) -> list[str]:
        """Run several short programs in one sandbox, each whatever became of those before it.

        Returns:
            For each of them "allowed", or the exception that ended it.
        """
        result = self.run(_ATTEMPTS.format(programs=json.dumps(programs)))
        assert SECRET not in result.stdout.text + result.stderr.text
        said = [
            line.removeprefix("outcome ") for line in result.stdout.text.splitlines() if line.startswith("outcome ")
        ]
        assert len(said) == len(programs), result
        return said

    def denied(self, *programs: str) -> list[str]:
        """Run short programs in one sandbox; each of them must end with an exception."""
        said = self.attempts(*programs)
        assert "allowed" not in said, dict(zip(programs, said, strict=True))
        return said


_ATTEMPTS = """
import json
for program in json.loads({programs!r}):
    try:
        exec(compile(program, "attempt", "exec"), {{"__name__": "__main__"}})
        said = "allowed"
    except BaseException as error:
        said = type(error).__name__ + ": " + " ".join(str(error).split())[:300]
    print("\\noutcome " + said, flush=True)
"""


def processes_with(mark: str) -> list[int]:
    """Pids whose command line holds `mark`, this process left out."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                if mark.encode() in Path("/proc", name, "cmdline").read_bytes():
                    found.append(int(name))
            except OSError:
                continue
    return found


def gone(mark: str, within_s: float = 5.0) -> bool:
    """Whether no process with `mark` is left after at most that long."""
    end = time.monotonic() + within_s
    while processes_with(mark):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@contextlib.contextmanager
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of this user that has nothing to do with any program."""
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"]) as process:
        try:
            yield process
        finally:
            process.kill()


def signals_by_descriptor(pid: int) -> tuple[str, ...]:
    """Programs that make a process the owner of a descriptor, so that data which arrives there signals it."""
    pair = "import fcntl, socket, struct\nours, theirs = socket.socketpair()\n"
    arrive = "fcntl.fcntl(ours, 10, 9)\nfcntl.fcntl(ours, fcntl.F_SETFL, 0o20000)\ntheirs.send(b'x')"
    owners = (
        f"fcntl.fcntl(ours, fcntl.F_SETOWN, {pid})",
        f"fcntl.fcntl(ours, 15, struct.pack('=ii', 1, {pid}))",
        f"fcntl.ioctl(ours, 0x8901, struct.pack('=i', {pid}))",
        f"fcntl.ioctl(ours, 0x8902, struct.pack('=i', {pid}))",
    )
    return tuple(f"{pair}{owner}\n{arrive}" for owner in owners)


def _footprint() -> tuple[list[str], list[str], list[str]]:
    """Of this process: its descriptors, its mounts, and the folders of slots that it owns."""
    descriptors = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing itself
            descriptors.append(os.readlink(f"/proc/self/fd/{fd}"))
    root = os.path.realpath(scratch.root())
    locks = [Path(path) for path in descriptors if path.startswith(root) and path.endswith("/lock")]
    slots = {str(path) for lock in locks for path in lock.parent.iterdir()}
    mounts = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return descriptors, [m for m in mounts if "mlesearch" in m], sorted(slots)


def _settled_footprint() -> tuple[list[str], list[str], list[str]]:
    """Once what is started ahead has started: it stays as it is for a while."""
    found, since, end = _footprint(), time.monotonic(), time.monotonic() + 60
    while time.monotonic() < min(end, since + 1.5):
        time.sleep(0.05)
        if (now := _footprint()) != found:
            found, since = now, time.monotonic()
    return found


def _sleeper(mark: str, seconds: int = 60) -> str:
    """Source of a list that starts a sleeping process with a mark in its command line."""
    return f"[sys.executable, '-S', '-c', 'import time; time.sleep({seconds})', '{mark}']"


class SandboxContract:
    """What every rung keeps. See the module's docstring for how to use it."""

    known_gaps: ClassVar[Mapping[str, str]] = {}
    """Name of a test: why this rung does not keep it. The test must fail then, so that a closed gap is noticed."""

    @pytest.fixture(autouse=True)
    def _declared_gaps(self, request: pytest.FixtureRequest) -> None:
        reason = self.known_gaps.get(request.node.originalname or request.node.name)
        if reason is not None:
            request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))

    @pytest.fixture
    def bench(self, sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
        """A small task with answers that no program may see."""
        for name in ("public", "private"):
            (tmp_path / name).mkdir()
        (tmp_path / "public" / "train.csv").write_text("id,x,y\n1,2,3\n")
        (tmp_path / "private" / "answers.csv").write_text(SECRET)
        yield Bench(sandbox, tmp_path)
        assert (tmp_path / "public" / "train.csv").read_text() == "id,x,y\n1,2,3\n"
        assert (tmp_path / "private" / "answers.csv").read_text() == SECRET

    # --- ordinary programs -------------------------------------------------------------------------------------

    def test_check_passes(self, sandbox: Sandbox) -> None:
        sandbox.check()
        assert sandbox.name
        assert sandbox.identity()["rung"] == sandbox.name
        assert "numpy" in sandbox.packages()

    def test_a_program_reads_input_and_leaves_a_file(self, bench: Bench) -> None:
        result = bench.run(
            "text = open('input/train.csv').read()\nopen('submission.csv', 'w').write(text)\nprint('done')\n"
        )
        assert (result.status, result.reason, result.exit_code) == (ExecStatus.OK, "", 0)
        left = result.artefacts["submission.csv"]
        assert left.path is not None
        assert left.path.read_text() == "id,x,y\n1,2,3\n"
        assert left.size_bytes == 13
        assert result.stdout.text == "done\n"
        assert result.promises

    def test_two_runs_give_equal_text(self, bench: Bench) -> None:
        program = (
            "import os, random, warnings\nimport numpy as np\nprint(os.getcwd(), np.random.rand(), random.random())\n"
            "print({'a', 'b', 'c'}, hash('x'))\nwarnings.warn('careful')\nraise ValueError(os.path.abspath('x'))\n"
        )
        first, second = bench.run(program), bench.run(program)
        assert first.stderr == second.stderr
        assert first.reason == second.reason == "ValueError: x (solution.py line 6)"
        assert first.stdout.text.splitlines()[1] == second.stdout.text.splitlines()[1]

    def test_no_path_of_the_host_is_shown(self, bench: Bench) -> None:
        result = bench.run(
            "import os, sys, json, numpy\nprint(os.getcwd(), os.path.realpath('input'), os.__file__, numpy.__file__)\n"
            "print(os.environ['HOME'], os.environ['TMPDIR'], sys.executable)\njson.loads('{')"
        )
        text = result.stdout.text + result.stderr.text + result.reason
        for path in (str(bench.root), sys.base_prefix, sys.prefix, str(Path.home())):
            if path not in ("/", "/usr", "/usr/local"):
                assert path not in text
        assert "JSONDecodeError" in result.reason
        assert "solution.py line 4" in result.reason

    @pytest.mark.parametrize(
        ("program", "reason"),
        [
            ("import sys\nsys.exit(3)", "exit code 3"),
            ("import sys\nsys.exit('no data')", "exit code 1: no data"),
            (
                "def f():\n    raise KeyError('a')\n\nif __name__ == '__main__':\n    f()",
                "KeyError: 'a' (solution.py line 2)",
            ),
            ("x = 1\ny = (", "SyntaxError: '(' was never closed (solution.py line 2)"),
            ("import os\nos.kill(os.getpid(), 11)", "ended by signal 11 (SIGSEGV)"),
            ("raise RuntimeError", "RuntimeError (solution.py line 1)"),
        ],
    )
    def test_failures_have_a_reason(self, bench: Bench, program: str, reason: str) -> None:
        result = bench.run(program)
        assert result.reason == reason
        assert result.status is (ExecStatus.KILLED if "signal" in reason else ExecStatus.ERROR)
        assert result.artefacts["submission.csv"].problem == "absent"

    @pytest.mark.parametrize("program", ["import sys\nsys.exit(0)", "exit()", "", "raise SystemExit"])
    def test_leaving_in_order_is_success(self, bench: Bench, program: str) -> None:
        assert bench.run(program).status is ExecStatus.OK

    def test_a_flood_of_warnings_does_not_hide_the_error(self, bench: Bench) -> None:
        result = bench.run(
            "import sys\nfor i in range(20000):\n    print('UserWarning: value', i, file=sys.stderr)\n"
            "raise ValueError('in the end')"
        )
        assert result.reason == "ValueError: in the end (solution.py line 4)"
        assert "Traceback" in result.stderr.tail
        assert result.stderr.head.startswith("UserWarning: value 0\n")

    def test_the_slot_serves_once(self, bench: Bench) -> None:
        slot = bench.sandbox.prepare(bench.spec())
        job = Job("contract", "print(1)", 10.0, bench.root / "out")
        bench.sandbox.run(slot, job)
        with pytest.raises(SandboxUnavailable, match="slot"):
            bench.sandbox.run(slot, job)

    def test_worker_processes_can_be_used(self, bench: Bench) -> None:
        result = bench.run(
            "import multiprocessing, subprocess, sys\n"
            "def f(x):\n    return x * x\n\n"
            "if __name__ == '__main__':\n"
            "    with multiprocessing.get_context('fork').Pool(2) as pool:\n        print(pool.map(f, [1, 2, 3]))\n"
            "    command = [sys.executable, '-c', 'import numpy; print(5)']\n"
            "    print(subprocess.run(command, capture_output=True, text=True))\n"
        )
        assert result.status is ExecStatus.OK, result.stderr.text
        assert "[1, 4, 9]" in result.stdout.text
        assert "stdout='5\\n'" in result.stdout.text

    # --- limits ------------------------------------------------------------------------------------------------

    def test_deadline(self, bench: Bench) -> None:
        began = time.monotonic()
        result = bench.run("print('begun')\nwhile True:\n    pass", deadline_s=0.5)
        assert result.status is ExecStatus.TIMEOUT
        assert "0.5 s" in result.reason
        assert result.stdout.text == "begun\n"
        assert 500_000 <= result.wall_us < 3_000_000
        assert time.monotonic() - began < 10

    def test_termination_can_not_be_ignored(self, bench: Bench) -> None:
        result = bench.run(
            "import signal, time\nfor n in (1, 2, 3, 15):\n    signal.signal(n, signal.SIG_IGN)\ntime.sleep(60)",
            deadline_s=0.5,
        )
        assert result.status is ExecStatus.TIMEOUT

    def test_memory_of_the_main_process(self, bench: Bench) -> None:
        result = bench.run("import numpy as np\nnp.ones(1 << 31)")
        assert result.status is ExecStatus.OOM
        assert "1024 MiB" in result.reason

    def test_memory_that_grows_slowly(self, bench: Bench) -> None:
        result = bench.run(
            "import time\nkept = []\nwhile True:\n    kept.append(b'x' * (16 << 20))\n    time.sleep(0.01)", LEAN
        )
        assert result.status is ExecStatus.OOM

    def test_memory_of_children_counts_together(self, bench: Bench) -> None:
        program = (
            "import os, time\n"
            "for _ in range(4):\n"
            "    if os.fork() == 0:\n        kept = bytearray(os.urandom(1 << 20) * 125)\n"
            "        time.sleep(30)\n        os._exit(0)\n"
            "time.sleep(30)"
        )
        assert bench.run(program, LEAN).status is ExecStatus.OOM

    def test_memory_of_many_small_children_that_want_to_be_spared(self, bench: Bench) -> None:
        program = (
            "import os, time\ntry:\n    open('/proc/self/oom_score_adj', 'w').write('0')\nexcept OSError:\n    pass\n"
            "for _ in range(80):\n    if os.fork() == 0:\n        kept = os.urandom(1 << 20) * 6\n"
            "        time.sleep(60)\n        os._exit(0)\ntime.sleep(60)"
        )
        assert bench.run(program, LEAN).status is ExecStatus.OOM

    def test_memory_of_a_child_whose_end_is_ignored(self, bench: Bench) -> None:
        program = (
            "import os, time\nif os.fork() == 0:\n    kept = []\n    while True:\n"
            "        kept.append(b'x' * (16 << 20))\n        time.sleep(0.01)\n"
            "os.wait()\nopen('submission.csv', 'w').write('id\\n')"
        )
        result = bench.run(program, LEAN)
        assert (result.status, result.reason) == (ExecStatus.OOM, "used more than its memory limit of 320 MiB")

    def test_memory_below_the_limit_is_left_alone(self, bench: Bench) -> None:
        """Whatever was imported ahead, nine tenths of the limit are the program's own."""
        program = "import time\nkept = b'x' * (290 << 20)\ntime.sleep(0.2)\nprint(len(kept))"
        result = bench.run(program, LEAN)
        assert (result.status, result.reason) == (ExecStatus.OK, "")
        assert result.peak_memory_bytes >= 290 * MIB

    def test_many_processes(self, bench: Bench) -> None:
        program = (
            "import os, time\nfor _ in range(600):\n"
            "    if os.fork() == 0:\n        time.sleep(30)\n        os._exit(0)\ntime.sleep(30)"
        )
        limits = replace(LEAN, processes=100, memory_bytes=1024 * MIB)  # forks hold memory too
        result = bench.run(program, limits)
        assert result.status is ExecStatus.PIDS, result.reason

    def test_much_output(self, bench: Bench) -> None:
        program = (
            "import sys\nblock = ('x' * 99 + '\\n') * 10000\nfor _ in range(300):\n    sys.stdout.write(block)\n"
            "print('end')"
        )
        result = bench.run(program)
        assert result.status is ExecStatus.OK
        assert result.stdout.bytes_seen == 300_000_004
        assert len(result.stdout.text) <= 2 * QUICK.output_bytes
        assert result.stdout.tail.endswith("end\n")

    def test_one_large_file(self, bench: Bench) -> None:
        result = bench.run("with open('big', 'wb') as f:\n    for _ in range(60):\n        f.write(bytes(1 << 20))")
        assert result.status is ExecStatus.DISK_LIMIT

    @pytest.mark.parametrize("folder", [".", "os.environ['TMPDIR']", "os.environ['HOME']"])
    def test_full_disk(self, bench: Bench, folder: str) -> None:
        where = folder if folder.startswith("os") else repr(folder)
        program = (
            f"import os, time\nfolder = {where}\nfor n in range(40):\n"
            "    with open(os.path.join(folder, f'f{n}'), 'wb') as f:\n        f.write(bytes(4 << 20))\n"
            "    time.sleep(0.01)"
        )
        assert bench.run(program).status is ExecStatus.DISK_LIMIT

    def test_files_without_a_name_count(self, bench: Bench) -> None:
        program = (
            "import os, time\nkept = []\nfor n in range(4):\n    f = open(f'f{n}', 'wb')\n    os.unlink(f'f{n}')\n"
            "    f.write(bytes(30 << 20))\n    f.flush()\n    kept.append(f)\ntime.sleep(10)"
        )
        assert bench.run(program).status is ExecStatus.DISK_LIMIT

    def test_folders_without_end(self, bench: Bench) -> None:
        program = "import os\nfor _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')"
        assert bench.run(program).status is ExecStatus.DISK_LIMIT

    def test_files_below_a_path_too_long_to_follow_count(self, bench: Bench) -> None:
        program = (
            "import os, time\nfor _ in range(18):\n    os.mkdir('d' * 250)\n    os.chdir('d' * 250)\n"
            "for n in range(3):\n    open(str(n), 'wb').write(bytes(30 << 20))\ntime.sleep(0.5)"
        )
        result = bench.run(program)
        assert (result.status, result.reason) == (ExecStatus.DISK_LIMIT, "wrote more than its disk limit of 64 MiB")

    @pytest.mark.parametrize("mode", ["0o600", "0o300", "0"])
    def test_files_in_a_closed_folder_count(self, bench: Bench, mode: str) -> None:
        program = (
            "import os, time\nos.mkdir('d')\nkept = [open(f'd/{n}', 'wb') for n in range(3)]\n"
            f"os.chmod('d', {mode})\n[(file.write(bytes(30 << 20)), file.flush()) for file in kept]\ntime.sleep(0.5)"
        )
        assert bench.run(program).status is ExecStatus.DISK_LIMIT

    @pytest.mark.parametrize("folder", ["/dev/shm", "/tmp", "/run"])
    def test_memory_file_systems_are_bounded(self, bench: Bench, folder: str) -> None:
        name = f"contract-{os.getpid()}"
        program = (
            f"import time\nkept = []\nfor n in range(20):\n    f = open(f'{folder}/{name}-{{n}}', 'wb')\n"
            "    f.write(bytes(20 << 20))\n    f.flush()\n    kept.append(f)\n    time.sleep(0.01)\n"
        )
        result = bench.run(program, LEAN)
        assert result.status is not ExecStatus.OK
        assert not list(Path(folder).glob(f"{name}*"))

    def test_files_without_content_are_bounded(self, bench: Bench) -> None:
        program = (
            "import os\nfor n in range(6):\n    os.mkdir(str(n))\n    open(f'{n}/a', 'w').close()\n"
            "    for k in range(1000):\n        os.link(f'{n}/a', f'{n}/{k}')\n"
        )
        result = bench.run(program, LEAN)
        assert (result.status, result.reason) == (ExecStatus.DISK_LIMIT, "left more than 5000 files and folders")

    # --- nothing stays -----------------------------------------------------------------------------------------

    def test_a_daemon_fails_the_program_and_dies(self, bench: Bench) -> None:
        mark = f"daemon-{os.getpid()}-{time.monotonic_ns()}"
        program = (
            "import os, subprocess, sys\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
            f"        os.execv(sys.executable, {_sleeper(mark)})\n    os._exit(0)\nos.wait()\n"
            "open('submission.csv', 'w').write('id\\n')"
        )
        result = bench.run(program)
        assert (result.status, result.reason) == (ExecStatus.ERROR, "left 1 background process(es) running")
        assert gone(mark, 0.5)

    def test_children_end_with_the_deadline(self, bench: Bench) -> None:
        mark = f"child-{os.getpid()}-{time.monotonic_ns()}"
        program = (
            "import subprocess, sys, time\nfor _ in range(3):\n"
            f"    subprocess.Popen({_sleeper(mark)}, start_new_session=True)\ntime.sleep(60)"
        )
        assert bench.run(program, deadline_s=1.0).status is ExecStatus.TIMEOUT
        assert gone(mark, 0.5)

    def test_what_starts_while_the_tree_is_killed_dies_too(self, bench: Bench) -> None:
        mark = f"late-{os.getpid()}-{time.monotonic_ns()}"
        late = f"{sys.executable} -S -c 'import time; time.sleep(20)' {mark}"
        program = (
            "import os, sys\nread, write = os.pipe()\nos.set_inheritable(write, True)\n"
            "for _ in range(150):\n    os.fork() or os._exit(0)\n"  # the list of whom to kill gets long
            "if os.fork() == 0:\n    os.close(write)\n    os.dup2(read, 9)\n"
            f"    os.execv('/bin/sh', ['sh', '-c', {f'read x <&9; {late} & exit'!r}])\n"
            "os.execv(sys.executable, [sys.executable, '-S', '-c', 'import time; time.sleep(60)'])"
        )
        began = time.monotonic()
        assert bench.run(program, deadline_s=0.8).status is ExecStatus.TIMEOUT
        assert time.monotonic() - began < 10
        assert gone(mark, 0.5)

    def test_nothing_is_left_on_the_host(self, bench: Bench) -> None:
        bench.run("open('f', 'w').write('x')\nimport os\nos.mkdir('d', 0)\nopen(os.environ['TMPDIR'] + '/t', 'w')")
        before = _settled_footprint()
        for end in ("", "\nos.kill(os.getpid(), 9)", "\nwhile True: pass"):
            bench.run("import os\nos.makedirs('a/b/c')\nos.symlink('/', 'a/b/root')" + end, deadline_s=1.0)
        unused = bench.sandbox.prepare(bench.spec())
        with contextlib.suppress(SandboxUnavailable):
            bench.sandbox.run(unused, Job("contract", "x" * 3, 1.0, bench.root / "out"))
        after = _settled_footprint()
        assert len(after[0]) <= len(before[0]), after[0]
        assert after[1:] == before[1:]

    def test_a_killed_orchestrator_leaves_nothing(self, bench: Bench) -> None:
        mark = f"orphan-{os.getpid()}-{time.monotonic_ns()}"
        program = (
            f"import subprocess, sys, time\nsubprocess.Popen({_sleeper(mark)}, start_new_session=True)\ntime.sleep(60)"
        )
        orchestrator = os.fork()
        if orchestrator == 0:
            try:
                bench.run(program, deadline_s=60)
            finally:
                os._exit(0)
        end = time.monotonic() + 60
        while not processes_with(mark) and time.monotonic() < end:
            time.sleep(0.02)
        assert processes_with(mark), "the program never began"
        os.kill(orchestrator, signal.SIGKILL)
        os.waitpid(orchestrator, 0)
        assert gone(mark, 15)
        bench.sandbox.reap_orphans()

    # --- nothing gets in or out --------------------------------------------------------------------------------

    def test_answers(self, bench: Bench) -> None:
        path = str(bench.private / "answers.csv")
        said = bench.denied(
            f"print(open({path!r}).read())",
            f"print(open({str(bench.public)!r} + '/../private/answers.csv').read())",
            "print(open('input/../private/answers.csv').read())",
            f"import os\nos.symlink({path!r}, 'link')\nprint(open('link').read())",
            f"import os\nos.symlink({str(bench.root)!r}, 'folder')\nprint(open('folder/private/answers.csv').read())",
            f"import os\nos.link({path!r}, 'hard')\nprint(open('hard').read())",
            f"import os\nprint(os.listdir({str(bench.private)!r}))",
            f"import shutil\nprint(shutil.copy({path!r}, 'copy'))",
            f"import subprocess\nprint(subprocess.run(['cat', {path!r}], check=True))",
        )
        assert all("Error" in each for each in said)

    def test_answers_by_a_link_left_behind(self, bench: Bench) -> None:
        path = str(bench.private / "answers.csv")
        result = bench.run(f"import os\nos.symlink({path!r}, 'submission.csv')\nos.symlink({path!r}, 'input/x')")
        assert result.artefacts["submission.csv"].path is None
        bench.denied("print(open('input/x').read())", "print(open('submission.csv').read())")

    def test_answers_through_proc(self, bench: Bench) -> None:
        what = (
            "environ",
            "maps",
            "mem",
            "cmdline",
            f"cwd/{bench.private}/answers.csv",
            f"root{bench.private}/answers.csv",
        )
        bench.denied(
            *(f"print(open('/proc/{os.getpid()}/{name}').read())" for name in what),
            f"print(open('/proc/self/root{bench.private}/answers.csv').read())",
            f"print(open('/proc/self/cwd/../../../../../../../..{bench.private}/answers.csv').read())",
            f"import os\nprint(os.listdir('/proc/{os.getpid()}/fd'))",
        )

    def test_bundled_data_sets(self, bench: Bench) -> None:
        names = ("digits", "wine", "iris", "breast_cancer", "diabetes")
        said = bench.denied(*(f"from sklearn.datasets import load_{n}\nprint(load_{n}().target)" for n in names))
        assert not any(each.startswith("ImportError") for each in said), said

    def test_the_harness_is_not_importable(self, bench: Bench) -> None:
        source = Path(__file__).parents[1]
        said = bench.denied(
            "import mlesearch",
            f"import sys\nsys.path.insert(0, {str(source.parent)!r})\nimport mlesearch.types",
            f"import os\nprint(os.listdir({str(source)!r}))",
            "import sys\nif not any('mlesearch' in name or name.startswith('_box') for name in sys.modules):\n"
            "    raise LookupError",
        )
        assert "mlesearch" in said[0]
        assert said[3] == "LookupError: "

    def test_data_is_read_only(self, bench: Bench) -> None:
        bench.denied(
            "open('input/train.csv', 'w')",
            "open('input/new.csv', 'w')",
            "import os\nos.remove('input/train.csv')",
            "import os\nos.mkdir('input/new')",
            "import os\nos.rename('input/train.csv', 'input/x.csv')",
            "import os\nos.rename('input/train.csv', 'mine.csv')",
            "import os\nos.truncate('input/train.csv', 0)",
            "import os\nos.close(os.open('input/train.csv', os.O_RDONLY | os.O_TRUNC))",
            "import os\nos.link('input/train.csv', 'mine'); open('mine', 'a').write('x')",
        )

    def test_attributes_of_data_do_not_change(self, bench: Bench) -> None:
        file = bench.public / "train.csv"
        before = file.stat()
        bench.attempts(
            "import os\nos.chmod('input/train.csv', 0)",
            "import os\nos.utime('input/train.csv', (0, 0))",
            "import os\nos.chown('input/train.csv', 1, 1)",
        )
        after = file.stat()
        assert (after.st_mode, after.st_mtime_ns, after.st_uid) == (before.st_mode, before.st_mtime_ns, before.st_uid)

    def test_the_rest_of_the_host_is_not_writable(self, bench: Bench) -> None:
        folders = (
            bench.root,
            Path.home(),
            Path("/tmp"),
            Path("/var/tmp"),
            Path("/etc"),
            Path("/usr/lib"),
            Path(sys.prefix),
        )
        targets = [folder / f"contract-{os.getpid()}" for folder in folders]
        said = bench.attempts(*(f"open({str(target)!r}, 'w').write('x')" for target in targets))
        for target, word in zip(targets, said, strict=True):
            assert word != "allowed" or target.is_relative_to("/tmp"), target  # which may be a private one
            assert not target.exists()

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

    def test_no_network(self, bench: Bench) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            server.setblocking(False)
            udp.setblocking(False)
            tcp_port, udp_port = server.getsockname()[1], udp.getsockname()[1]
            bench.denied(
                f"import socket\nsocket.create_connection(('127.0.0.1', {tcp_port}), 2)",
                f"import socket\nsocket.create_connection(('::1', {tcp_port}), 2)",
                "import socket\nsocket.create_connection(('192.0.2.1', 80), 2)",
                "import socket\nprint(socket.gethostbyname('example.org'))",
                "import urllib.request\nurllib.request.urlopen('http://example.org', timeout=2)",
            )
            bench.attempts(f"import socket\nsocket.socket(2, 2).sendto(b'x', ('127.0.0.1', {udp_port}))")
            with pytest.raises(BlockingIOError):
                server.accept()
            with pytest.raises(BlockingIOError):
                udp.recv(1)

    @pytest.mark.parametrize("abstract", [True, False])
    def test_no_unix_socket_of_the_host(self, bench: Bench, abstract: bool) -> None:
        address = f"\0contract-{os.getpid()}" if abstract else str(bench.root / "s")
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            server.bind(address)
            server.listen(1)
            server.setblocking(False)
            receiver.bind(f"{address}d")
            receiver.setblocking(False)
            bench.denied(f"import socket\nsocket.socket(socket.AF_UNIX).connect({address!r})")
            pair = "import socket\na, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            bench.attempts(
                f"{pair}a.sendto(b'x', {address + 'd'!r})", f"{pair}a.connect({address + 'd'!r}); a.send(b'x')"
            )
            with pytest.raises(BlockingIOError):
                server.accept()
            with pytest.raises(BlockingIOError):
                receiver.recv(1)

    def test_no_docker_daemon(self, bench: Bench) -> None:
        paths = {"/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"}
        if os.environ.get("DOCKER_HOST", "").startswith("unix://"):
            paths.add(os.environ["DOCKER_HOST"].removeprefix("unix://"))
        bench.denied(*(f"import socket\nsocket.socket(socket.AF_UNIX).connect({path!r})" for path in sorted(paths)))

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

    # --- what it leaves is read with care ----------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("action", "problem"),
        [
            ("os.symlink(secret, 'submission.csv')", "submission.csv is a symbolic link; a regular file was expected"),
            (
                "os.symlink('input/train.csv', 'submission.csv')",
                "submission.csv is a symbolic link; a regular file was expected",
            ),
            ("os.mkfifo('submission.csv')", "submission.csv is a named pipe; a regular file was expected"),
            ("os.mkdir('submission.csv')", "submission.csv is a folder; a regular file was expected"),
            ("open('a', 'w').write('x'); os.link('a', 'submission.csv')", "has 2 names"),
            ("os.symlink('submission.csv', 'submission.csv')", "submission.csv is a symbolic link"),
            ("open('submission.csv', 'w').truncate(40 << 20)", "sparse"),
        ],
    )
    def test_odd_artefacts_are_refused(self, bench: Bench, action: str, problem: str) -> None:
        secret = str(bench.private / "answers.csv")
        result = bench.run(f"import os\nsecret = {secret!r}\n{action}")
        left = result.artefacts["submission.csv"]
        assert left.path is None
        assert problem in left.problem
        assert not (bench.root / "out" / "submission.csv").exists()

    @pytest.mark.parametrize("mode", ["0o600", "0"])
    def test_a_closed_working_folder_is_read_all_the_same(self, bench: Bench, mode: str) -> None:
        program = f"import os\nopen('submission.csv', 'w').write('x')\nos.fchmod(os.open('.', os.O_RDONLY), {mode})"
        result = bench.run(program)
        assert result.status is ExecStatus.OK
        assert result.artefacts["submission.csv"].size_bytes == 1

    def test_a_name_with_a_path_is_refused(self, bench: Bench) -> None:
        result = bench.run("", collect=("../work/solution.py", "/etc/passwd", "..", "input/train.csv"))
        assert all(left.path is None and left.problem for left in result.artefacts.values())

    # --- several at once ---------------------------------------------------------------------------------------

    def test_threads_share_a_sandbox(self, bench: Bench) -> None:
        from concurrent.futures import ThreadPoolExecutor

        def one(number: int) -> str:
            job = Job(str(number), f"import time\ntime.sleep(0.05)\nprint({number})", 20.0, bench.root / f"out{number}")
            return bench.sandbox.run(bench.sandbox.prepare(bench.spec()), job).stdout.text

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(one, range(12))) == [f"{number}\n" for number in range(12)]


def orchestrator(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python process that runs `code`, as another orchestrator on this machine."""
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)
