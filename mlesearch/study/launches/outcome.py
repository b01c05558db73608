"""What came of a launch, from what stands on the disk: whoever carried its runs out, and whoever is left to ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlesearch.config.planning.plan import RunPlan
from mlesearch.storage.columns import result_status
from mlesearch.storage.documents import read_result
from mlesearch.storage.worker_files import ENDED, IndexReader, LeftRuns, RunAttempt, WorkerReader
from mlesearch.study.runs.execute import ReportStatus, RunReport

NAMED = 3
"""So many machines are named that left the same runs for the same reason."""


class LaunchOutcome:
    """Reads what workers write of a launch from its beginning on."""

    def __init__(self, study: Path) -> None:
        """What was written before does not count."""
        self._index = IndexReader(study)
        self._index.new()
        self._last: dict[str, RunAttempt] = {}
        self._workers = WorkerReader(study)
        self._left: list[tuple[str, LeftRuns]] = []
        self._before = {worker.id for worker in self._workers.all()}

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
        self._left = [(w.host, left) for w in self._workers.all() if w.id not in self._before for left in w.left]
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
            return RunReport(run.key.id, result_status(result["status"]), host=host)
        if last is not None and last.status in ("unpaid", "failed", "set_aside"):
            status: ReportStatus = "unpaid" if last.status == "unpaid" else "failed"
            return RunReport(run.key.id, status, last.reason, last.error_class, host)
        if stopped:
            return RunReport(run.key.id, "interrupted")
        why = self._why_left(run.key.id) if last is None else last.reason
        return RunReport(run.key.id, "missing", why, "", host)

    def _why_left(self, run_id: str) -> str:
        """Why no worker of the launch has begun a run, as far as they say."""
        hosts: dict[str, list[str]] = {}
        for host, left in self._left:
            if left.has(run_id):
                hosts.setdefault(left.why, []).append(host)
        said = [f"{_names(named)} left it to other machines: {why}" for why, named in hosts.items()]
        return "; ".join(["no worker has carried it out", *said])


def _names(hosts: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(hosts))
    more = f" and {len(distinct) - NAMED} more" if len(distinct) > NAMED else ""
    return f"{', '.join(distinct[:NAMED])}{more}"
