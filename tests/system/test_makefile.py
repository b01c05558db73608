"""What `make` says where python3 is not what it needs."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT


def _make(tmp_path: Path, script: str) -> subprocess.CompletedProcess[str]:
    python = tmp_path / "python3"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    command = ["make", "--no-print-directory", "demo", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('case "$2" in *ensurepip*) exit 1;; esac; exit 0', "apt-get install python3-venv"),
        (
            'case "$1" in --version) echo Python 3.9.2;; *) exit 1;; esac',
            "needs python 3.11 to 3.13; this is Python 3.9.2",
        ),
    ],
)
def test_one_line_says_what_to_install(tmp_path, script, words):
    done = _make(tmp_path, script)
    said = [line for line in done.stderr.splitlines() if not re.match(r"make(\[\d+\])?: \*\*\*", line)]
    assert done.returncode == 2
    assert len(said) == 1
    assert words in said[0]
    assert not (tmp_path / "venv").exists()
