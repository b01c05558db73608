"""What came of a launch, from what stands on the disk: whoever carried its runs out, and whoever is left to ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlesearch.config.planning.plan import RunPlan
from mlesearch.storage.documents import read_result
from mlesearch.storage.worker_files import ENDED, IndexReader, RunAttempt
from mlesearch.study.runs.execute import RunReport


class LaunchOutcome:
    """Reads what workers write of a launch from its beginning on."""

    def __init__(self, study: Path) -> None:
        """What was written before does not count."""
        self._index = IndexReader(study)
        self._index.new()
        self._last: dict[str, RunAttempt] = {}

    def reports(self, runs: Sequence[RunPlan], known: Mapping[str, RunReport], *, stopped: bool) -> list[RunReport]:
        """One report a run, in the order given.

        Args:
            runs: of the launch.
            known: what this process was told already, by the ids of runs.
            stopped: whether the launch was asked to stop: then a run without a result was interrupted, and is not
                missing.
        """
        for attempt in sorted(self._index.new(), key=lambda a: a.ended_s):
            self._last[attempt.run_id] = attempt
        return [known.get(run.key.id) or self._report(run, stopped=stopped) for run in runs]

    def _report(self, run: RunPlan, *, stopped: bool) -> RunReport:
        last = self._last.get(run.key.id)
        if last is not None and last.status in ENDED:
            return RunReport(run.key.id, last.status, host=last.host)
        result = read_result(run.folder)
        host = "" if last is None else last.host
        if result is not None and result["status"] == "failed":
            return RunReport(run.key.id, "failed", str(result.get("reason", "")), "permanent", host)
        if result is not None:
            return RunReport(run.key.id, result["status"], host=host)
        if last is not None and last.status in ("unpaid", "failed", "set_aside"):
            status = "unpaid" if last.status == "unpaid" else "failed"
            return RunReport(run.key.id, status, last.reason, last.error_class, host)
        if stopped:
            return RunReport(run.key.id, "interrupted")
        return RunReport(
            run.key.id, "missing", "no worker has carried it out" if last is None else last.reason, "", host
        )
