"""The limit on memory: that of the whole tree, exactly."""

from __future__ import annotations

from mlesearch.sandbox.protocol import MIB
from mlesearch.testing.sandbox_contract.base import LEAN, Bench, Checks
from mlesearch.types import ExecStatus


class MemoryChecks(Checks):
    """A program over its limit is ended as one, however it spends it; one below is left alone."""

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
