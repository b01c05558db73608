"""A worker without an engine: it claims runs and writes their journals, an event at a time, until none is left.

    python -m tests.support.lease_worker STUDY RUNS EVENTS PAUSE_S

It prints a line when it begins and when it leaves, and ends with 75 where it has lost a lease.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from mlesearch.storage.journal import JOURNAL, Journal
from mlesearch.storage.leases import Lease, LeaseLost, Leases

AGAIN = 75


def carry_out(study: Path, lease: Lease, events: int, pause_s: float) -> None:
    """One run, from wherever it stands to its end."""
    folder = study / lease.name
    if (folder / "result").exists():
        lease.release(done=True)
        return
    folder.mkdir(exist_ok=True)
    header: Any = {"run": lease.name}
    with Journal(folder / JOURNAL, header, lease=lease) as journal:
        while (at := len(journal.events)) < events:
            asked: Any = {"type": "asked", "p": {"id": at}}
            journal.events.append(asked)
            journal.append(asked)
            time.sleep(pause_s)
        ended: Any = {"type": "ended"}
        journal.append(ended, durable=True)
    lease.check()
    (folder / "result").touch()
    lease.release(done=True)


def main(study: Path, runs: int, events: int, pause_s: float) -> int:
    """Work until nothing is left."""
    leases, names = Leases(study), [f"run-{n}" for n in range(runs)]
    while names := [name for name in names if not (study / name / "result").exists()]:
        for lease in leases.claim_each(names):
            try:
                with lease.beating():
                    carry_out(study, lease, events, pause_s)
            except LeaseLost as lost:
                print(lost, flush=True)
                return AGAIN
        time.sleep(0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
