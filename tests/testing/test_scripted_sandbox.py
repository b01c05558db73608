"""A sandbox that runs nothing: what a script says comes back as a result."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlesearch.sandbox.protocol import Job, Sandbox, Spec
from mlesearch.testing.scripted_sandbox import ScriptedSandbox
from mlesearch.types import ExecStatus, SandboxUnavailable


def test_scripted_sandbox(tmp_path: Path) -> None:
    def script(job: Job) -> dict[str, object]:
        if job.address == "lost":
            raise SandboxUnavailable("gone")
        if "fail" in job.program:
            return {"status": "error", "reason": "ValueError: x", "stderr": "boom"}
        return {"submission": "id\n1\n", "stdout": "hi", "wall_us": 7}

    scripted: Sandbox = ScriptedSandbox(script)
    slot = scripted.prepare(Spec("t", tmp_path))
    good = scripted.run(slot, Job("1", "ok", 1.0, tmp_path / "out"))
    assert good.status is ExecStatus.OK
    assert (good.wall_us, good.stdout.text, good.stdout.bytes_seen) == (7, "hi", 2)
    assert (tmp_path / "out" / "submission.csv").read_text() == "id\n1\n"
    assert good.artefacts["metrics.json"].problem == "absent"
    bad = scripted.run(slot, Job("2", "fail", 1.0, tmp_path / "out2"))
    assert (bad.status, bad.exit_code, bad.reason) == (ExecStatus.ERROR, 1, "ValueError: x")
    assert bad.artefacts["submission.csv"].path is None
    with pytest.raises(SandboxUnavailable, match="gone"):
        scripted.run(slot, Job("lost", "", 1.0, tmp_path))
    with pytest.raises(KeyError, match="unknown keys"):
        ScriptedSandbox(lambda job: {"stat": "ok"}).run(slot, Job("3", "", 1.0, tmp_path))
    scripted.close()
    with pytest.raises(SandboxUnavailable, match="closed"):
        scripted.run(slot, Job("4", "", 1.0, tmp_path))
