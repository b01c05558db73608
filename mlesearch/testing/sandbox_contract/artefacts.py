"""Files that a program leaves are read with care."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlesearch.sandbox.protocol import Job
from mlesearch.testing.sandbox_contract.base import QUICK, Bench, Checks
from mlesearch.types import ExecStatus


class ArtefactChecks(Checks):
    """Only a regular file of the working folder is copied, whatever the program made of its name."""

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

    def test_nothing_is_written_where_the_outbox_is_another_owners(self, bench: Bench) -> None:
        class AnotherOwner(Exception):
            pass

        def check_owner() -> None:
            raise AnotherOwner

        out = bench.root / "out"
        job = Job("contract", "open('submission.csv', 'w').write('x')", QUICK.time_s, out, check_owner=check_owner)
        with pytest.raises(AnotherOwner):
            bench.sandbox.run(bench.sandbox.prepare(bench.spec()), job)
        assert not out.exists()
        mine = bench.sandbox.run(bench.sandbox.prepare(bench.spec()), replace(job, check_owner=lambda: None))
        assert mine.artefacts["submission.csv"].size_bytes == 1

    def test_a_name_with_a_path_is_refused(self, bench: Bench) -> None:
        result = bench.run("", collect=("../work/solution.py", "/etc/passwd", "..", "input/train.csv"))
        assert all(left.path is None and left.problem for left in result.artefacts.values())
