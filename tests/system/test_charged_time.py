"""Waiting is never charged: two runs that are equal but for what stands between them and the model."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from mlesearch.models.registry import make_model
from mlesearch.storage.codec import usage_from_json
from mlesearch.storage.events import without_durations
from mlesearch.storage.journal import read
from mlesearch.testing.openai_stub import Fault, OpenAIStub, serving
from tests.support.command import cli, run_live

LATENCY_S = 1.0
"""Long enough that what a busy machine adds to a call stays far below 2 %."""


def _study(folder: Path, executions: Path, mode: str, faults: Sequence[Fault | None], *words: str) -> Path:
    """A recorded or replayed run of gome over HTTP; executions are the same in both, to the microsecond."""
    engineer = make_model("sim", "simulated", {"capability": 0.9})
    folder.mkdir()
    with OpenAIStub(serving(engineer), latency_s=LATENCY_S, retry_after_s=1.0) as stub:
        stub.faults.extend(faults)
        done = run_live(
            folder,
            stub,
            "strategy=gome",
            "budget.steps=3",
            f"sandbox.exec_store={mode}",
            f"sandbox.exec_store_path={executions}",
            "model.params.backoff={base_s: 0.5, cap_s: 1.0}",
            *words,
        )
        assert done.returncode == 0, done.stderr
    assert not stub.faults
    (run,) = (folder / "studies/main").glob("*/*/*/*/seed-0")
    return run


def _decisions(run: Path) -> list[object]:
    """The journal without its durations, which are all that may differ."""
    return [without_durations(e) for e in read(run / "journal.jsonl")[1]]


@pytest.mark.slow
def test_queueing_and_backoff_charge_nothing_and_change_no_decision(tmp_path: Path) -> None:
    executions = tmp_path / "executions.db"
    smooth = _study(tmp_path / "smooth", executions, "record", [])
    faults = [Fault.RATE_LIMIT, None, Fault.RETRY_AFTER, None, None, Fault.OVERLOADED, Fault.RATE_LIMIT]
    queue = "model.params.limits={requests_per_minute: 120, window_s: 2, in_flight: 1}"
    rough = _study(tmp_path / "rough", executions, "replay", faults, queue)
    assert _decisions(smooth) == _decisions(rough)
    results = [json.loads((run / "result.json").read_text()) for run in (smooth, rough)]
    charged = [r["charged_s"] for r in results]
    waited = [r["wait_s"] for r in results]
    print(f"charged {charged[0]:.3f} s and {charged[1]:.3f} s; waited {waited[0]:.3f} s and {waited[1]:.3f} s")
    assert abs(charged[1] / charged[0] - 1) < 0.02
    assert waited[1] - waited[0] > 3 * LATENCY_S
    usages = [usage_from_json(e["usage"]) for e in read(rough / "journal.jsonl")[1] if "usage" in e]
    assert results[1]["wait_s"] == sum(u.wait_us for u in usages) / 1e6
    told = cli(tmp_path, "report", str(tmp_path / "rough/studies/main"))
    assert told.returncode == 0, told.stderr
    page = (tmp_path / "rough/studies/main/report.html").read_text()
    assert "waiting h, not charged" in page
    with open(tmp_path / "rough/studies/main/report_tables/cost.csv", newline="") as table:
        (row,) = csv.DictReader(table)
    assert float(row["waited_h"]) == pytest.approx(waited[1] / 3600)
    assert float(row["charged_h"]) == pytest.approx(charged[1] / 3600)
