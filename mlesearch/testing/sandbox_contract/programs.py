"""Ordinary programs: what they find, what they leave, how their failures are said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlesearch.sandbox.protocol import Job, Sandbox
from mlesearch.testing.sandbox_contract.base import Bench, Checks
from mlesearch.types import ExecStatus, SandboxUnavailable


class ProgramChecks(Checks):
    """A program that means no harm is served well."""

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

    def test_threads_share_a_sandbox(self, bench: Bench) -> None:
        from concurrent.futures import ThreadPoolExecutor

        def one(number: int) -> str:
            job = Job(str(number), f"import time\ntime.sleep(0.05)\nprint({number})", 20.0, bench.root / f"out{number}")
            return bench.sandbox.run(bench.sandbox.prepare(bench.spec()), job).stdout.text

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(one, range(12))) == [f"{number}\n" for number in range(12)]
