"""Python code as an ordinary user, whoever runs the tests (root passes by the modes of files); where files lie."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

UID = 61_239
_SUPPORTED = "import sys; sys.exit(sys.version_info < (3, 11))"


def as_ordinary_user(code: str, *arguments: str) -> str:
    """What the code prints; its working folder is fresh and its own, and scratch folders lie there too.

    The code has the sandbox's modules and the standard library.
    """
    with tempfile.TemporaryDirectory() as folder:
        who: dict[str, Any] = {}
        python = sys.executable
        if os.geteuid() == 0:
            python = _python_for_all()
            os.chown(folder, UID, UID)
            who = {"user": UID, "group": UID, "extra_groups": []}
        done = subprocess.run(
            [python, "-c", code, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=folder,
            env={
                **os.environ,
                "HOME": folder,
                "MLESEARCH_SCRATCH": str(Path(folder, "scratch")),
                "PYTHONPATH": str(ROOT),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            **who,
        )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@cache
def _python_for_all() -> str:
    """The interpreter of the tests where others can reach it, else the system's."""
    if _readable_by_others(str(ROOT)) and _readable_by_others(tempfile.gettempdir()):
        for python in (sys.executable, "/usr/bin/python3"):
            if _readable_by_others(python) and subprocess.run([python, "-c", _SUPPORTED], check=False).returncode == 0:
                return python
    pytest.skip("no ordinary user of this machine can reach the tests and an interpreter")


def _readable_by_others(path: str) -> bool:
    """Whether a user who owns nothing can read a file or folder: all parents passable, itself readable."""
    real = Path(os.path.realpath(path))
    try:
        if any(parent.stat().st_mode & 0o001 == 0 for parent in real.parents):
            return False
        mode = real.stat().st_mode
    except OSError:
        return False
    return mode & (0o005 if real.is_dir() else 0o004) == (0o005 if real.is_dir() else 0o004)


def in_memory(folder: Path) -> bool:
    """Whether a folder lies in a file system whose content is memory."""
    mounts = [line.split(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    kinds = {Path(where.split()[4]): what.split()[0] for where, what in mounts}
    return next(kinds[at] for at in (folder, *folder.parents) if at in kinds) in ("tmpfs", "ramfs")
