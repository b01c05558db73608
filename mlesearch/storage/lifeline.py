"""A process that ends when the one that made it does, however that one ends: the kernel sees to it (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent ends.

    What counts is the thread that made this process: it has to live as long as the parent.

    Args:
        parent: process id of the parent, as it was before this process was made. One that has ended meanwhile ends
            this process now.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        os._exit(1)
