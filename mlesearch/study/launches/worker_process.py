"""`python -m mlesearch.study.launches.worker_process REQUEST`: a worker in a process of its own, for a launch."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mlesearch.config.parts.resources import ProcessResources
from mlesearch.storage.lifeline import end_with_parent
from mlesearch.storage.processes import collect_rarely
from mlesearch.study.launches.local import write_reports
from mlesearch.study.output import complain, prepare_streams
from mlesearch.study.runs.execute import RunReport
from mlesearch.study.workers.stopping import left_to_others
from mlesearch.study.workers.work import WorkTerms, ended_before, go_to, runs_to_work_on, work_off
from mlesearch.types import MlesearchError


def main(request: str) -> None:
    """Work for the launch that asks for it.

    Args:
        request: JSON, by `mlesearch.study.launches.local`.
    """
    asked = json.loads(request)
    end_with_parent(asked["parent"])
    left_to_others([signal.SIGINT])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # as a launch may have left it
    collect_rarely()
    prepare_streams()
    terms = WorkTerms(**{**asked["terms"], "stop_file": Path(asked["terms"]["stop_file"])})
    study, into = Path(asked["study"]), asked.get("reports")
    runs, launched = runs_to_work_on(study, terms.launch)
    runs = tuple(r for r in runs if asked.get("cell") in (None, r.key.cell))
    go_to(launched)
    tell = _tell_nobody if into is None else partial(write_reports, into)
    private = [] if into is None else [into]
    before = ended_before(study, runs)
    with ProcessResources() as resources:
        work_off(study, runs, before, terms, resources, tell, complain, private)


def _tell_nobody(reports: Sequence[RunReport]) -> None:
    """What came of runs stands on the disk."""


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except MlesearchError as error:
        complain(f"mlesearch: {error}")
        sys.exit(2)
