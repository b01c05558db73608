"""The limits on time, on processes and on output."""

from __future__ import annotations

import time
from dataclasses import replace

from mlesearch.sandbox.protocol import MIB
from mlesearch.testing.sandbox_contract.base import LEAN, QUICK, Bench, Checks
from mlesearch.types import ExecStatus


class LimitChecks(Checks):
    """A program is ended at its deadline, and where it starts too much; what it prints is bounded."""

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
