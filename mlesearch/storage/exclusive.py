"""What one process does at a time, on whatever machine, by a lease."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from mlesearch.storage.leases import Lease, Leases


@contextlib.contextmanager
def alone(study: Path, name: str, poll_s: float = 0.1) -> Iterator[Lease]:
    """Within it, no other process that asks for this name is in it; waits for one that is.

    Args:
        study: its folder.
        name: of what is done.
        poll_s: how long to wait before the next look.

    Raises:
        OSError: the file system fails.
    """
    leases = Leases(study)
    while (lease := leases.claim(name)) is None:
        time.sleep(poll_s)
    try:
        with lease.beating():
            yield lease
    finally:
        lease.release(done=True)
