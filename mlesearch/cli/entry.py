"""A command as a process of its own: its exit code, and what signals do where neither launch nor worker heeds them."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import NoReturn

from mlesearch.cli.main import main


def entry() -> NoReturn:
    """Run the command that this process was started with, and end with its exit code.

    SIGTERM says a line and ends the process as it does without a handler, but while a launch or a worker heeds it.
    Ctrl-C once the command is over ends the process at once, with the same exit code.
    """
    own = os.getpid()

    def terminated(signum: int, frame: object) -> None:
        if os.getpid() == own:  # and not a fork that another process ends
            with contextlib.suppress(OSError):
                os.write(2, b"mlesearch: ended by SIGTERM; run the same command again to go on\n")
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, terminated)
    code = main()
    signal.signal(signal.SIGINT, lambda signum, frame: os._exit(code))  # all that was said is flushed
    # Ctrl-C in the middle of an `exec` of text (dataclasses and others make code so) is noted by the interpreter, which
    # then ends by SIGINT whatever the exit code is, though it was caught; another `exec` of text takes the note back.
    exec("")
    sys.exit(code)
